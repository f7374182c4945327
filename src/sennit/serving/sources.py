"""Where settings come from: the command line before the environment, that before the configuration file."""

import difflib
import logging
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sennit.serving.settings import BY_NAME, SETTINGS, Setting, SettingError, Settings

_logger = logging.getLogger("sennit.serving")

_PREFIX = "SENNIT_"

# Settings that say where to listen, by the kind of place: the highest source that has any decides on the
# kind.
_KINDS = {"host": "tcp", "port": "tcp", "uds": "unix", "fd": "descriptor", "bind": "list"}

# Settings that are of no use without another one.
_NEEDS = {
    "reload_dir": "reload",
    "reload_include": "reload",
    "reload_exclude": "reload",
    "max_requests_jitter": "max_requests",
}

# Values from one source, by the settings' names, each with what to call it in a message.
_Found = dict[str, tuple[str, Any]]


def gather(
    target: str | None,
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    config: str | None = None,
    directory: Path | None = None,
) -> Settings:
    """The settings from the command line's `target` and `options` (by name, None for those not given), the
    environment, and the file `config`; without one, from `sennit.toml` or `pyproject.toml` in `directory`.

    Raises SettingError for what is unknown, malformed or contradictory, and without any target.
    """
    from_file, target_of_file = _from_file(config, directory or Path.cwd())
    sources = [from_file, _from_environment(environ), _from_options(options)]
    for found in sources:
        _refuse_two_places(found)
    values: dict[str, tuple[str, Any]] = {}
    for found in sources:
        kinds = {_KINDS[name] for name in found if name in _KINDS}
        if kinds:
            values = {name: value for name, value in values.items() if _KINDS.get(name, *kinds) in kinds}
            # The host that goes with PORT goes with that port only.
            values = {name: value for name, value in values.items() if value[0] != "PORT"}
        values |= found
    read = {name: _read(BY_NAME[name], called, value) for name, (called, value) in values.items()}
    _refuse_contradictions(values, read)
    chosen = target or environ.get("SENNIT_TARGET") or target_of_file
    if not chosen:
        raise SettingError("no TARGET: name what to serve, as in `sennit serve module:attribute`")
    return Settings(chosen, frozenset(read), read)


def _read(setting: Setting, called: str, value: Any) -> Any:
    try:
        return setting.read(value)
    except ValueError as mistake:
        shown = ",".join(value) if isinstance(value, tuple) else value
        raise SettingError(f"{called}: {mistake}, not {shown!r}") from None


def _from_options(options: Mapping[str, Any]) -> _Found:
    return {name: (BY_NAME[name].option, value) for name, value in options.items() if value not in (None, ())}


def _from_environment(environ: Mapping[str, str]) -> _Found:
    found: _Found = {}
    for setting in SETTINGS:
        for variable in (_PREFIX + setting.name.upper(), *setting.variables):
            if environ.get(variable):
                found[setting.name] = (variable, environ[variable])
                break
    # As hosting platforms have it: a port that the world is to reach.
    if environ.get("PORT") and not any(name in found for name in _KINDS):
        found["port"] = ("PORT", environ["PORT"])
        found["host"] = ("PORT", "0.0.0.0")
    for variable in environ:
        name = variable.removeprefix(_PREFIX).lower()
        close = difflib.get_close_matches(name, BY_NAME, 1, 0.8) if variable.startswith(_PREFIX) else []
        if close and name not in BY_NAME:
            _logger.warning("%s is no setting; %s%s is", variable, _PREFIX, close[0].upper())
    return found


def _from_file(config: str | None, directory: Path) -> tuple[_Found, str | None]:
    """The settings of the configuration file, and its target."""
    if config is not None:
        path = Path(config)
        table = _table_of(path)
    else:
        for name in ("sennit.toml", "pyproject.toml"):
            path = directory / name
            if path.is_file() and (table := _table_of(path)):
                break
        else:
            return {}, None
    found: _Found = {}
    target = None
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "target" and isinstance(value, str):
            target = value
        elif name in BY_NAME:
            found[name] = (f"{path.name}: {key}", _limits(value) if name == "limit" else value)
        else:
            raise SettingError(f"{path.name}: {key} is no setting{_perhaps(name, BY_NAME)}")
    return found, target


def _table_of(path: Path) -> dict[str, Any]:
    """The settings' table of a TOML file: `[tool.sennit]` where it is a pyproject.toml, else all of it."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise SettingError(f"--config: can't read {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path} is no TOML: {error}") from None
    table = content.get("tool", {}).get("sennit", {}) if path.name == "pyproject.toml" else content
    if not isinstance(table, dict):
        raise SettingError(f"{path.name}: tool.sennit must be a table")
    return table


def _limits(value: Any) -> Any:
    """`[limit]` may be a table of names and values, too."""
    return [f"{name}={number}" for name, number in value.items()] if isinstance(value, dict) else value


def _refuse_two_places(found: _Found) -> None:
    places = [name for name in _KINDS if name in found]
    for first in places:
        for second in places:
            if _KINDS[first] != _KINDS[second]:
                raise _contradiction(found, first, second)


def _contradiction(found: Mapping[str, tuple[str, Any]], first: str, second: str) -> SettingError:
    return SettingError(f"{found[first][0]} and {found[second][0]} contradict each other: give one of them")


def _refuse_contradictions(called: Mapping[str, tuple[str, Any]], values: Mapping[str, Any]) -> None:
    """Raises SettingError for settings that can't go together."""
    for name, needed in _NEEDS.items():
        if values.get(name) and not values.get(needed):
            raise SettingError(f"{called[name][0]} is of no use without {BY_NAME[needed].option}")
    if values.get("preload") and values.get("reload"):
        raise _contradiction(called, "preload", "reload")
    if values.get("access_log") is False:
        for name in ("access_log_file", "access_log_format"):
            if name in values:
                raise SettingError(f"{called[name][0]} and --no-access-log contradict each other")


def _perhaps(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def add_file_to_environment(path: str) -> None:
    """Add the NAME=VALUE lines of a file to the environment, but for names that it has already.

    Empty lines and those that begin with # are passed over; a value may be in quotes, and `export` before the
    name. Raises SettingError."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(f"--env-file: can't read {path}: {reason}") from None
    for number, line in enumerate(lines, 1):
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingError(f"--env-file: line {number} of {path} is not NAME=VALUE")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        os.environ.setdefault(name.strip(), value)
