"""The command line of `sennit serve` and `sennit tree`, made from the table of settings."""

import os
from typing import Any

import click

from sennit.serving.serve import Serve, Tree
from sennit.serving.settings import APPLICATION, SETTINGS, Setting, SettingError
from sennit.serving.sources import gather

_TARGET_HELP = """TARGET is `module:attribute`, `file.py:attribute` or a directory. The attribute is a Site, a
Resource, an ASGI or a WSGI application, or a function that returns one of them; without it, the usual names
are looked for: site, resource, root, application, app, create_app.

Each option is also a key of sennit.toml, or of [tool.sennit] in pyproject.toml, and a variable
SENNIT_<OPTION> of the environment."""


class GroupedCommand(click.Command):
    """A command whose help has its options under the headings of the settings' table."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        of_setting = {setting.name: setting.group for setting in SETTINGS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = of_setting.get(parameter.name or "", "Other options")
                groups.setdefault(heading, []).append(record)
        groups["Other options"] = groups.pop("Other options")
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _option(setting: Setting) -> click.Option:
    text = setting.help
    shown = setting.shown_default or (
        "" if setting.default in (None, "", (), False) else str(setting.default)
    )
    if shown:
        text += f" [default: {shown}]"
    if setting.is_flag:
        switch = f"{setting.option}/--no-{setting.option.removeprefix('--')}"
        return click.Option([switch, setting.name], default=None, help=text)
    names = [*setting.flags, setting.option, setting.name]
    return click.Option(names, metavar=setting.metavar, multiple=setting.repeats, help=text)


def _command(name: str, settings: tuple[Setting, ...], make: Any, help: str) -> click.Command:
    def chosen(target: str | None, config: str | None, **options: Any) -> Any:
        try:
            return make(gather(target, options, os.environ, config))
        except SettingError as mistake:
            raise click.UsageError(str(mistake)) from None

    parameters: list[click.Parameter] = [click.Argument(["target"], required=False)]
    parameters += [_option(setting) for setting in settings]
    parameters.append(
        click.Option(
            ["--config"], metavar="FILE", help="Configuration file. [default: sennit.toml, pyproject.toml]"
        )
    )
    return GroupedCommand(name, callback=chosen, params=parameters, help=f"{help}\n\n{_TARGET_HELP}")


serve = _command("serve", SETTINGS, Serve, "Serve TARGET.")
tree = _command(
    "tree",
    tuple(setting for setting in SETTINGS if setting.group == APPLICATION),
    Tree,
    "Print the tree of resources of TARGET.",
)
