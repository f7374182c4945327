"""Options described by a class."""

import sys
from typing import Any

import pytest

from sennit.python import usage


class Serve(usage.Options):
    optParameters = [["root", "r", "."]]

    def parseArgs(self, *names: str) -> None:
        self["names"] = names


class Base(usage.Options):
    optFlags = [["verbose", "v", "Tell more"]]


class Shop(Base):
    synopsis = "shop [options] PATH"
    longdesc = "Sells things."
    optParameters = [
        ["port", "p", 8080, "The port to listen on", int],
        ["name", None, "shop", "The name"],
        ["long-name", "l", None],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["added"] = []

    def opt_add_one(self, thing: str) -> None:
        """Add a thing."""
        self["added"].append(thing)

    opt_a = opt_add_one

    def opt_quiet(self) -> None:
        """Tell less."""
        self["verbose"] = -1

    def parseArgs(self, path: str = "here") -> None:
        self["path"] = path

    def postOptions(self) -> None:
        if self["port"] == 1:
            raise usage.UsageError("not that port")


class Commands(Base):
    subCommands = [["serve", "s", Serve, "Serve things"], ["sell", None, Shop, "Sell things"]]


def parsed(options: usage.Options, line: str) -> Any:
    options.parseOptions(line.split())
    return options


def test_defaults() -> None:
    options = parsed(Shop(), "")
    assert options == {
        "verbose": 0, "port": 8080, "name": "shop", "long-name": None, "added": [], "path": "here",
    }  # fmt: skip
    assert options.opts is options


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("--port 81", "port", 81),
        ("--port=81", "port", 81),
        ("-p81", "port", 81),
        ("-v", "verbose", 1),
        ("--verbose", "verbose", 1),
        ("--long-name x", "long-name", "x"),
        ("--add-one=a -a b", "added", ["a", "b"]),
        ("--quiet", "verbose", -1),
        ("there", "path", "there"),
        ("-- --verbose", "path", "--verbose"),
    ],
)
def test_options_are_read(line: str, key: str, value: object) -> None:
    assert parsed(Shop(), line)[key] == value


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("--nonsense", "nonsense"),
        ("--port x", "Parameter type enforcement failed"),
        ("--port", "requires argument"),
        ("a b", "Wrong number of arguments"),
        ("--port 1", "not that port"),
    ],
)
def test_what_does_not_fit_is_refused(line: str, complaint: str) -> None:
    with pytest.raises(usage.UsageError, match=complaint):
        parsed(Shop(), line)


def test_command_line_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["shop", "-v"])
    options = Shop()
    options.parseOptions()
    assert options["verbose"] == 1


def test_sub_commands() -> None:
    options = parsed(Commands(), "-v serve --root=/srv a b")
    assert options["verbose"] == 1
    assert options.subCommand == "serve"
    assert options.subOptions == {"root": "/srv", "names": ("a", "b")}
    assert options.subOptions.parent is options
    assert parsed(Commands(), "s").subCommand == "serve"
    assert parsed(Commands(), "").subCommand is None
    with pytest.raises(usage.UsageError, match="Unknown command: fly"):
        parsed(Commands(), "fly")

    class Serving(Commands):
        defaultSubCommand = "serve"

    assert parsed(Serving(), "").subCommand == "serve"


def test_arguments_are_refused_unless_wanted() -> None:
    with pytest.raises(usage.UsageError, match="Wrong number"):
        parsed(Base(), "x")


def test_help_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(Shop(), "--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage: shop [options] PATH\n")
    for part in (
        "-p, --port=",
        "[default: 8080]",
        "-a, --add-one=",
        "Add a thing.",
        "--quiet",
        "Sells things.",
    ):
        assert part in text
    assert "serve" in str(Commands())
    assert max(map(len, Shop().getUsage(60).splitlines())) <= 60


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(Base(), "--version")
    assert capsys.readouterr().out.startswith("Sennit version: ")
