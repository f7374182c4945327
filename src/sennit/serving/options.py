"""The commands and options of `sennit`."""

import sys

import click

import sennit
from sennit.serving import serve_options
from sennit.serving.program import Program
from sennit.serving.serve import Serve, Tree
from sennit.serving.web_options import WebServer, web


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sennit.__version__, prog_name="sennit", message="%(prog)s %(version)s")
def cli() -> None:
    """A web server with Twisted Web's programming model."""


# Everything after FILE is the program's, options too.
@cli.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--reactor",
    type=click.Choice(["sennit", "twisted"]),
    default="sennit",
    show_default=True,
    help="With twisted, which has to be installed, only twisted.web and twisted.cred become Sennit's; the "
    "rest of the program runs under Twisted's own reactor.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
def run(reactor: str, file: str, arguments: tuple[str, ...]) -> Program:
    """Run the Python program FILE with ARGS.

    Its imports of twisted.* give the modules of sennit.*, where Twisted is not installed.
    """
    return Program(file, arguments, under_twisted=reactor == "twisted")


cli.add_command(web)
cli.add_command(serve_options.serve)
cli.add_command(serve_options.tree)


def chosen_work() -> Program | Serve | Tree | WebServer:
    """What the process's arguments ask for; SystemExit if they ask for help, or for nonsense."""
    # Outside of click's own error handling, which would turn a program's Ctrl-C into "Aborted!".
    try:
        chosen = cli.main(prog_name="sennit", standalone_mode=False)
    except click.ClickException as mistake:
        print(f"sennit: {mistake.format_message()}", file=sys.stderr)
        sys.exit(mistake.exit_code)
    if not isinstance(chosen, Program | Serve | Tree | WebServer):
        sys.exit(chosen)
    return chosen
