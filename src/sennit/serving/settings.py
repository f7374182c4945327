"""What `sennit serve` can be told: every setting with its name, its type, its default and its help.

The names are the ones known from uvicorn and gunicorn. A setting is an option of the command line, a variable
`SENNIT_<NAME>` of the environment and a key of the configuration file; `sources` brings the three together.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class SettingError(Exception):
    """A setting that can't be used; its text is one line that names it."""


# Readers: from text (or what a TOML file has) to the value. ValueError tells what was expected.


def text(value: Any) -> str:
    """A text that isn't empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text was expected")
    return value


def flag(value: Any) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise ValueError("true or false was expected")


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """A whole number from `least` to `most`."""
    wanted = f"a whole number from {least} on" if most is None else f"a whole number from {least} to {most}"

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"{wanted} was expected")
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"{wanted} was expected") from None
        if number < least or (most is not None and number > most):
            raise ValueError(f"{wanted} was expected")
        return number

    return read


def seconds(value: Any) -> float:
    """A time in seconds, from 0 on."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < math.inf:
        raise ValueError("a number of seconds, from 0 on, was expected")
    return number


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size(value: Any) -> int:
    """A number of bytes; as text, K, M or G may follow."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        digits = value.upper().removesuffix("IB").removesuffix("B").rstrip("KMG")
        unit = value.upper().removesuffix("IB").removesuffix("B")[len(digits) :]
        if digits.isascii() and digits.isdigit() and int(digits) > 0 and unit in _UNITS:
            return int(digits) * _UNITS[unit]
    raise ValueError("a size such as 500M or 2G was expected")


def several(value: Any) -> tuple[str, ...]:
    """Texts: a list, or one text with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(part for each in value for part in several(each))
    raise ValueError("a list of texts was expected")


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of these words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)} was expected")
        return value.lower()

    return read


@dataclass(frozen=True)
class Setting:
    """One setting. `metavar` is empty for a flag; `repeats` says that the option may come several times."""

    name: str
    group: str
    read: Callable[[Any], Any]
    help: str
    metavar: str = ""
    default: Any = None
    shown_default: str = ""
    flags: tuple[str, ...] = ()
    repeats: bool = False
    # Variables of the environment that others use for the same.
    variables: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The option's name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_flag(self) -> bool:
        """Whether it is switched on and off, and takes no value."""
        return not self.metavar


LISTENING = "Where to listen"
APPLICATION = "The application"
WORKERS = "Worker processes"
RELOADING = "Reloading"
TIMES = "Times and limits"
LOGGING = "Logging"
OPERATION = "Operation"

SETTINGS: tuple[Setting, ...] = (
    Setting("host", LISTENING, text, "Address or name to listen on.", "ADDRESS", shown_default="127.0.0.1"),
    Setting(
        "port",
        LISTENING,
        whole(0, 65535),
        "TCP port; 0 is any that is free. With the variable PORT the host is 0.0.0.0.",
        "PORT",
        shown_default="8000",
        flags=("-p",),
    ),
    Setting("uds", LISTENING, text, "Listen on a UNIX socket at this path.", "PATH"),
    Setting("fd", LISTENING, whole(0), "Serve this listening socket, which is open already.", "NUMBER"),
    Setting(
        "bind",
        LISTENING,
        several,
        "HOST:PORT, unix:PATH or fd://NUMBER, in place of the options before; may be repeated.",
        "WHERE",
        (),
        flags=("-b",),
        repeats=True,
    ),
    Setting("backlog", LISTENING, whole(1), "How many connections may wait to be accepted.", "NUMBER", 2048),
    Setting(
        "interface",
        APPLICATION,
        one_of("auto", "site", "resource", "asgi", "wsgi", "directory"),
        "What TARGET is: auto, site, resource, asgi, wsgi or directory.",
        "KIND",
        "auto",
    ),
    Setting(
        "factory", APPLICATION, flag, "TARGET is a function that returns the application.", default=False
    ),
    Setting("app_dir", APPLICATION, text, "Directory to import TARGET from.", "DIRECTORY", "."),
    Setting("env_file", APPLICATION, text, "File of NAME=VALUE lines to add to the environment.", "FILE"),
    Setting("root_path", APPLICATION, text, "The path under which clients reach TARGET.", "PATH", ""),
    Setting(
        "lifespan",
        APPLICATION,
        one_of("auto", "on", "off"),
        "Whether an ASGI application is told of start and end: auto (if it wants), on or off.",
        "KIND",
        "auto",
    ),
    Setting(
        "wsgi_threads",
        APPLICATION,
        whole(0),
        "Threads for a WSGI application; 0 runs it in the event loop.",
        "NUMBER",
        10,
    ),
    Setting(
        "workers",
        WORKERS,
        whole(1),
        "How many processes serve.",
        "NUMBER",
        1,
        flags=("-w",),
        variables=("WEB_CONCURRENCY",),
    ),
    Setting(
        "threads",
        WORKERS,
        whole(1, 256),
        "How many event loops each process has, each in a thread. More than 1 need a free-threaded Python.",
        "NUMBER",
        1,
    ),
    Setting("preload", WORKERS, flag, "Import TARGET once, before the workers are made.", default=False),
    Setting(
        "huge_pages",
        WORKERS,
        flag,
        "Whether each process moves its memory into huge pages once it serves, and a minute later (Linux).",
        default=True,
        shown_default="--huge-pages",
    ),
    Setting(
        "max_requests",
        WORKERS,
        whole(1),
        "Replace a worker after so many requests.",
        "NUMBER",
        flags=("--limit-max-requests",),
    ),
    Setting(
        "max_requests_jitter",
        WORKERS,
        whole(0),
        "Up to so many more, so that not all go at once.",
        "NUMBER",
        0,
    ),
    Setting("max_rss", WORKERS, size, "Replace a worker that holds more memory than this.", "SIZE"),
    Setting(
        "timeout_worker",
        WORKERS,
        seconds,
        "Kill a worker whose event loop has stood still for so long; 0: never.",
        "SECONDS",
        30.0,
        shown_default="30",
    ),
    Setting("reload", RELOADING, flag, "Serve anew when a file of the program changes.", default=False),
    Setting(
        "reload_dir",
        RELOADING,
        several,
        "Directory to watch; may be repeated.",
        "DIRECTORY",
        (),
        "--app-dir",
        repeats=True,
    ),
    Setting(
        "reload_include",
        RELOADING,
        several,
        "Pattern of names to watch; may be repeated.",
        "GLOB",
        (),
        "*.py",
        repeats=True,
    ),
    Setting(
        "reload_exclude",
        RELOADING,
        several,
        "Pattern of names not to watch; may be repeated.",
        "GLOB",
        (),
        ".*",
        repeats=True,
    ),
    Setting(
        "timeout_keep_alive",
        TIMES,
        seconds,
        "How long a connection may wait for its next request.",
        "SECONDS",
        shown_default="60, or the Site's",
    ),
    Setting(
        "timeout_graceful_shutdown",
        TIMES,
        seconds,
        "How long running requests have to end when the server stops.",
        "SECONDS",
        shown_default="10, or the Site's; 1 with --reload",
    ),
    Setting(
        "limit_concurrency",
        TIMES,
        whole(1),
        "Answer 503 when a process has more requests than this at work.",
        "NUMBER",
    ),
    Setting(
        "limit",
        TIMES,
        several,
        "Any other limit of a Site, e.g. maxBody=1000000; may be repeated.",
        "NAME=VALUE",
        (),
        repeats=True,
    ),
    Setting(
        "access_log",
        LOGGING,
        flag,
        "Whether to log each request.",
        default=True,
        shown_default="--access-log",
    ),
    Setting(
        "access_log_file", LOGGING, text, "File for the access log, - for the standard output.", "FILE", "-"
    ),
    Setting(
        "access_log_format",
        LOGGING,
        text,
        "combined, json, json:FIELD,... or a template such as '%(h)s %(r)s %(s)s'.",
        "FORMAT",
        "combined",
    ),
    Setting(
        "log_level",
        LOGGING,
        one_of("debug", "info", "warning", "error", "critical"),
        "Least important messages to log: debug, info, warning, error or critical.",
        "LEVEL",
        "info",
    ),
    Setting("log_config", LOGGING, text, "Configure logging from this file (.json, .toml or .ini).", "FILE"),
    Setting(
        "forwarded_allow_ips",
        OPERATION,
        several,
        "Proxies whose X-Forwarded-* headers are believed: addresses, networks, unix, or *.",
        "LIST",
        ("127.0.0.1", "::1", "unix"),
        "127.0.0.1,::1,unix",
        variables=("FORWARDED_ALLOW_IPS",),
    ),
    Setting(
        "request_id",
        OPERATION,
        one_of("off", "own", "accept"),
        "Send X-Request-ID: an id of our own, or the client's if it has one (accept).",
        "KIND",
        "off",
    ),
    Setting(
        "metrics",
        OPERATION,
        text,
        "Serve /metrics (Prometheus) and /health there: PORT, HOST:PORT or unix:PATH.",
        "WHERE",
    ),
    Setting(
        "opentelemetry",
        OPERATION,
        flag,
        "Trace and measure requests through OpenTelemetry's API.",
        default=False,
    ),
    Setting("pid", OPERATION, text, "Write the process id to this file.", "FILE"),
    Setting("user", OPERATION, text, "Become this user once the sockets are open.", "NAME"),
    Setting("group", OPERATION, text, "Become this group once the sockets are open.", "NAME"),
)

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """The settings in force, each under its name; `target` is what is to be served, and `given` the names of
    those that are not the defaults."""

    target: str = ""
    given: frozenset[str] = frozenset()
    values: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        try:
            return BY_NAME[name].default
        except KeyError:
            raise AttributeError(name) from None
