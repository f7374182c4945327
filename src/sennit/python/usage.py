"""Options of a command line, described by a class.

    class Options(usage.Options):
        optParameters = [["port", "p", 8080, "The port to listen on", int]]
        optFlags = [["verbose", "v", "Tell more"]]

        def parseArgs(self, path):
            self["path"] = path

    options = Options()
    options.parseOptions()  # of sys.argv
    options["port"], options["verbose"], options["path"]

For programs that have it; a new one is better off with argparse or click.
"""

import getopt
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn

__all__ = ["CoerceParameter", "Options", "UsageError"]


class UsageError(Exception):
    """The command line is not as it must be; the text says why."""


error = UsageError


class _Option(NamedTuple):
    """One option: `take(name, value)` is what it does; its names are the long one first."""

    names: tuple[str, ...]
    takesValue: bool
    doc: str
    take: Callable[[str, str], None]
    default: Any = None


class CoerceParameter:
    """Makes the value of a parameter by `coerce`, whose ValueError becomes a UsageError."""

    def __init__(self, options: "Options", coerce: Callable[[str], Any]) -> None:
        self.options = options
        self.coerce = coerce

    def dispatch(self, parameterName: str, value: str) -> None:
        """Store the value."""
        try:
            self.options.opts[parameterName] = self.coerce(value)
        except ValueError as trouble:
            raise UsageError(f"Parameter type enforcement failed: {trouble}") from None


class Options(dict[str, Any]):
    """The options of a command, by their long names.

    - `optFlags`: lists of long name, short name or None, text; 1 if given, else 0.
    - `optParameters`: lists of long name, short name, default, text, function of the value. Trailing ones
    may be missing.
    - Methods `opt_NAME(self)` and `opt_NAME(self, value)` are options, too; `_` stands for `-`.
    - `subCommands`: lists of name, short name, class of its options, text; the one given is `subCommand`,
    and its options are
      `subOptions`, whose `parent` this is.
    - `parseArgs(self, ...)` gets what follows the options, `postOptions(self)` is called at the end.

    Those of base classes count as well.
    """

    parent: "Options | None" = None
    synopsis: str | None = None
    longdesc: str | None = None
    optFlags: ClassVar[Sequence[Sequence[Any]]] = []
    optParameters: ClassVar[Sequence[Sequence[Any]]] = []
    subCommands: ClassVar[Sequence[Sequence[Any]]] = []
    defaultSubCommand: str | None = None
    subCommand: str | None = None
    subOptions: "Options | None" = None

    def __init__(self) -> None:
        super().__init__()
        # Another name of this very object, which programs use.
        self.opts = self
        self._options = [*self._flags(), *self._parameters(), *self._methods()]
        for option in self._options:
            if option.default is not _NONE:
                self[option.names[0]] = option.default

    def __hash__(self) -> int:  # type: ignore[override]  # programs keep them in dicts
        return id(self)

    # What options there are

    def _accumulated(self, attribute: str) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        for base in reversed(type(self).__mro__):
            found += vars(base).get(attribute, [])
        return found

    def _flags(self) -> list[_Option]:
        def take(name: str, value: str) -> None:
            self[name] = 1

        options = []
        for given in self._accumulated("optFlags"):
            name, short, doc = _padded(given, 3)
            options.append(_Option(_names(name, short), False, doc or "", take, 0))
        return options

    def _parameters(self) -> list[_Option]:
        def store(name: str, value: str) -> None:
            self[name] = value

        options = []
        for given in self._accumulated("optParameters"):
            name, short, default, doc, coerce = _padded(given, 5)
            take = store if coerce is None else CoerceParameter(self, coerce).dispatch
            options.append(_Option(_names(name, short), True, doc or "", take, default))
        return options

    def _methods(self) -> list[_Option]:
        # Two names of one method are one option, the longer one its name.
        byFunction: dict[Any, list[str]] = {}
        for attribute in dir(type(self)):
            if attribute.startswith("opt_"):
                function = getattr(type(self), attribute)
                byFunction.setdefault(function, []).append(attribute.removeprefix("opt_").replace("_", "-"))
        options = []
        for function, names in byFunction.items():
            names.sort(key=len, reverse=True)
            takesValue = len(inspect.signature(function).parameters) > 1
            options.append(
                _Option(
                    tuple(names), takesValue, inspect.getdoc(function) or "", self._caller(function), _NONE
                )
            )
        return options

    def _caller(self, function: Callable[..., object]) -> Callable[[str, str], None]:
        takesValue = len(inspect.signature(function).parameters) > 1

        def call(name: str, value: str) -> None:
            if takesValue:
                function(self, value)
            else:
                function(self)

        return call

    # Parsing

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read a command line, `sys.argv[1:]` if none is given. Raises UsageError."""
        byName = {name: option for option in self._options for name in option.names}
        longs = [
            name + ("=" if option.takesValue else "") for name, option in byName.items() if len(name) > 1
        ]
        shorts = "".join(
            name + (":" if option.takesValue else "") for name, option in byName.items() if len(name) == 1
        )
        try:
            given, rest = getopt.getopt(list(sys.argv[1:] if options is None else options), shorts, longs)
        except getopt.GetoptError as trouble:
            raise UsageError(str(trouble)) from None
        for name, value in given:
            option = byName[name.lstrip("-")]
            option.take(option.names[0], value)
        if self._accumulated("subCommands") and (rest or self.defaultSubCommand is not None):
            self._parseSubCommand(rest)
        else:
            self._parseRest(rest)
        self.postOptions()

    def _parseSubCommand(self, rest: list[str]) -> None:
        name, *rest = rest or [str(self.defaultSubCommand)]
        for command, short, parser, _ in (_padded(given, 4) for given in self._accumulated("subCommands")):
            if name in (command, short):
                self.subCommand = command
                self.subOptions = parser()
                self.subOptions.parent = self
                self.subOptions.parseOptions(rest)
                return
        raise UsageError(f"Unknown command: {name}")

    def _parseRest(self, rest: list[str]) -> None:
        try:
            inspect.signature(self.parseArgs).bind(*rest)
        except TypeError:
            raise UsageError("Wrong number of arguments.") from None
        self.parseArgs(*rest)

    def parseArgs(self, *args: str) -> None:
        """Override: the arguments after the options. As it is, there must be none."""
        if args:
            raise UsageError("Wrong number of arguments.")

    def postOptions(self) -> None:
        """Override: all has been read; raise UsageError if it doesn't fit together."""

    # Options that every command has

    def opt_help(self) -> NoReturn:
        """Display this help and exit."""
        print(self)
        sys.exit(0)

    def opt_version(self) -> NoReturn:
        """Display Sennit version and exit."""
        from sennit import __version__

        print("Sennit version:", __version__)
        sys.exit(0)

    # Help

    def getSynopsis(self) -> str:
        """The line that shows how the command is called."""
        default = f"{os.path.basename(sys.argv[0])} [options]"
        if self.parent is not None:
            default = f"{self.parent.getSynopsis()} {self.parent.subCommand} [options]".replace("Usage: ", "")
        return f"Usage: {default if self.synopsis is None else self.synopsis}"

    def getUsage(self, width: int | None = None) -> str:
        """The help, in lines of `width` characters; by default those of the terminal."""
        width = int(os.environ.get("COLUMNS", "80")) if width is None else width
        rows = []
        for option in sorted(self._options, key=lambda option: option.names):
            names = ", ".join(
                f"-{name}" if len(name) == 1 else f"--{name}" for name in reversed(option.names)
            )
            default = "" if option.default in (None, 0, _NONE) else f" [default: {option.default}]"
            rows.append((names + ("=" if option.takesValue else ""), option.doc + default))
        sections = ["Options:\n" + _table(rows, width)]
        commands = [_padded(given, 4) for given in self._accumulated("subCommands")]
        if commands:
            sections.append(
                "Commands:\n" + _table([(name, doc or "") for name, _, _, doc in commands], width)
            )
        if self.longdesc is not None:
            sections.append(textwrap.fill(" ".join(self.longdesc.split()), width) + "\n")
        return "\n".join(sections)

    def __str__(self) -> str:
        return f"{self.getSynopsis()}\n{self.getUsage()}"


# No value at all, as None may be one.
_NONE = object()


def _padded(given: Sequence[Any], length: int) -> list[Any]:
    return [*given, *[None] * (length - len(given))]


def _names(name: str, short: str | None) -> tuple[str, ...]:
    return (name, short) if short else (name,)


def _table(rows: Sequence[tuple[str, str]], width: int) -> str:
    """Two columns, the second one wrapped."""
    first = max(len(left) for left, _ in rows) + 6
    lines = []
    for left, right in rows:
        text = textwrap.wrap(" ".join(right.split()), max(width - first, 20)) or [""]
        lines.append(f"    {left}".ljust(first) + text[0])
        lines += [" " * first + line for line in text[1:]]
    return "\n".join(line.rstrip() for line in lines) + "\n"
