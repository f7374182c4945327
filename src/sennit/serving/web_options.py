"""`sennit web`: a site made of options, those of `twist web`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sennit.serving import standby_log, twisted_names

if TYPE_CHECKING:
    from sennit.web.server import Request, Site

# What serves is imported when it is known that something is to be served: help and other commands do without.

_DEFAULT_PLACE = "tcp:8080"


class WebServer:
    """A site, and the endpoints that it is to be served on."""

    def __init__(self, site: "Site", places: list[Any]) -> None:
        self.site = site
        self.places = places

    def run(self) -> None:
        """Serve until told to stop. SystemExit with status 1, and one line that tells why, if a place can't
        be listened on."""
        from sennit.internet import reactor

        standby_log.start()
        troubles: list[BaseException] = []
        for place in self.places:
            place.listen(self.site).addErrback(lambda failure: troubles.append(failure.value))
        if troubles:
            sys.exit(f"sennit: {troubles[0]}")
        reactor.run()


def _places(descriptions: tuple[str, ...], ports: tuple[str, ...]) -> list[Any]:
    from sennit.internet import endpoints, reactor

    # A bare number is a port, as with Twisted's --port.
    wanted = [*descriptions, *(f"tcp:{port}" if port.isdecimal() else port for port in ports)]
    try:
        return [endpoints.serverFromString(reactor, place) for place in wanted or [_DEFAULT_PLACE]]
    except ValueError as trouble:
        raise click.UsageError(str(trouble)) from None


def _named(name: str, what: str) -> Any:
    from sennit.python import reflect

    try:
        return reflect.namedAny(name)
    except reflect.InvalidName:
        raise click.UsageError(f"No such {what}: {name!r}") from None


def _wsgi_resource(name: str) -> Any:
    from sennit.internet import reactor
    from sennit.web.wsgi import WSGIResource

    application = _named(name, "WSGI application")
    # The reactor's pool runs when the reactor does, and stops with it.
    return WSGIResource(reactor, reactor.getThreadPool(), application)


def _directory(path: str) -> Any:
    from sennit.serving._directory import directory_resource

    return directory_resource(path)


def _script_resource(path: str) -> Any:
    from sennit.web.script import ResourceScriptWrapper

    return ResourceScriptWrapper(path)


def _user_directories(_: bool) -> Any:
    from sennit.web.distrib import UserDirectory

    return UserDirectory()


# The options that say what is served, and how a resource is made of their values.
_ROOTS: dict[str, Callable[[Any], Any]] = {
    "path": _directory,
    "wsgi": _wsgi_resource,
    "resource_class": lambda name: _named(name, "class")(),
    "resource_script": _script_resource,
    "user": _user_directories,
}


def _root(options: dict[str, Any]) -> Any:
    chosen = [name for name in _ROOTS if options[name]]
    if len(chosen) > 1:
        raise click.UsageError(
            "only one of --path, --wsgi, --class, --resource-script and --user can be served"
        )
    about_files = ("index", "processor", "mime_type", "ignore_ext", "allow_ignore_ext")
    if chosen != ["path"] and any(options[name] for name in about_files):
        raise click.UsageError("this option is for files: it needs --path")
    if not chosen:
        from sennit.web.demo import Test

        return Test()
    root = _ROOTS[chosen[0]](options[chosen[0]])
    if chosen == ["path"]:
        _set_up_files(root, options)
    return root


def _set_up_files(root: Any, options: dict[str, Any]) -> None:
    root.processors.update(
        {extension: _named(name, "processor") for extension, name in map(_pair, options["processor"])}
    )
    if options["index"]:
        root.indexNames = list(options["index"])
    if options["mime_type"]:
        root.defaultType = options["mime_type"]
    for extension in options["ignore_ext"]:
        root.ignoreExt(extension)
    if options["allow_ignore_ext"]:
        root.ignoreExt("*")


def _pair(option: str) -> tuple[str, str]:
    extension, equals, name = option.partition("=")
    if not (equals and extension.startswith(".") and name):
        raise click.UsageError(f"a processor is .EXT=NAME, not {option!r}")
    return extension, name


def _request_class(headers: tuple[str, ...]) -> "type[Request] | None":
    """Requests whose responses have some headers from the beginning; None for ordinary ones."""
    if not headers:
        return None
    from sennit.web.http_headers import Headers
    from sennit.web.server import Request

    added = Headers()
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.UsageError(f'a header is "Name: value", not {header!r}')
        try:
            added.addRawHeader(name, value.strip())
        except ValueError as trouble:
            raise click.UsageError(str(trouble)) from None
    fields = [(name, value) for name, values in added.getAllRawHeaders() for value in values]

    class RequestWithHeaders(Request):
        def process(self) -> None:
            for name, value in fields:
                self.responseHeaders.addRawHeader(name, value)
            super().process()

    return RequestWithHeaders


@click.command()
@click.option(
    "--listen", multiple=True, metavar="ENDPOINT", help=f"Where to listen.  [default: {_DEFAULT_PLACE}]"
)
@click.option("-p", "--port", multiple=True, metavar="PORT", help="The same as --listen tcp:PORT.")
@click.option("--path", type=click.Path(exists=True), help="Serve a directory: .rpy, .epy and .cgi are run.")
@click.option("--wsgi", metavar="NAME", help="Serve the WSGI application of this dotted name, in threads.")
@click.option(
    "--class", "resource_class", metavar="NAME", help="Serve what this class makes, called without arguments."
)
@click.option(
    "--resource-script",
    type=click.Path(exists=True, dir_okay=False),
    help="Serve the resource of an .rpy file.",
)
@click.option("-u", "--user", is_flag=True, help="Serve the public_html directories of all users.")
@click.option(
    "-i", "--index", multiple=True, metavar="NAME", help="What a directory is answered with, with --path."
)
@click.option(
    "--processor", multiple=True, metavar=".EXT=NAME", help="What makes resources of such files, with --path."
)
@click.option(
    "-m", "--mime-type", metavar="TYPE", help="The type of files with unknown extensions, with --path."
)
@click.option(
    "--ignore-ext", multiple=True, metavar=".EXT", help="An extension that may be left out, with --path."
)
@click.option("--allow-ignore-ext", is_flag=True, help="Any extension may be left out, with --path.")
@click.option("--add-header", multiple=True, metavar='"NAME: VALUE"', help="A header of every response.")
@click.option(
    "-l", "--logfile", default="-", metavar="FILE", help="The access log.  [default: standard output]"
)
@click.option("--display-tracebacks", is_flag=True, help="Show mistakes of the program in its error pages.")
def web(**options: Any) -> WebServer:
    """Serve files, a WSGI application or a resource, as `twist web` does.

    Without anything to serve there is a page that tells that it works. --listen, --port, --index,
    --processor, --ignore-ext and --add-header may be given more than once.
    """
    from sennit.web.server import Site

    # What is served may be a program for Twisted, in the current directory.
    twisted_names.install()
    if "" not in sys.path and not sys.flags.safe_path:
        sys.path.insert(0, "")
    places = _places(options["listen"], options["port"])
    request_class = _request_class(options["add_header"])
    site = Site(_root(options), request_class, logPath=options["logfile"])
    site.displayTracebacks = options["display_tracebacks"]
    return WebServer(site, places)
