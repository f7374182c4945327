"""The commands `sennit serve` and `sennit tree`, once their settings are known."""

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sennit.internet.error import CannotListenError
from sennit.serving import logs
from sennit.serving.gil import load_for, refuse_in_vain
from sennit.serving.identity import Identity, ProcessFile
from sennit.serving.places import Place, open_places
from sennit.serving.settings import SettingError, Settings
from sennit.serving.sources import add_file_to_environment
from sennit.serving.target import Target, TargetError, load

if TYPE_CHECKING:
    from sennit.serving.observing import Observer

# Exit statuses: what was asked for can't be done, or was asked for in a wrong way.
FAILED = 1
MISUSED = 2


@dataclass(frozen=True)
class Serve:
    """`sennit serve`."""

    settings: Settings

    def run(self) -> None:
        """Serve; ends with SystemExit."""
        sys.exit(_told(self._serve))

    def _serve(self) -> int:
        settings = self.settings
        refuse_in_vain(settings)
        logs.configure(settings)
        if settings.opentelemetry:
            _look_for_opentelemetry()
        if settings.env_file is not None:
            add_file_to_environment(settings.env_file)
        identity = Identity(settings)
        file = None if settings.pid is None else ProcessFile(settings.pid)
        # A worker never comes by its end.
        with ExitStack() as stack:
            places = open_places(settings)
            for place in places:
                stack.callback(place.close)
            observer = None
            if settings.metrics is not None:
                from sennit.serving.observing import Observer

                observer = Observer(settings)
                stack.callback(observer.close)
            if file is not None:
                stack.callback(file.remove)
                file.write()
            identity.assume()
            return _serve_on(places, settings, observer)


def _look_for_opentelemetry() -> None:
    """Raise SettingError if it isn't installed, before a worker finds that out."""
    # Not imported here: it looks at its variables of the environment, which the program may want to set.
    try:
        found = importlib.util.find_spec("opentelemetry.propagate")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise SettingError("--opentelemetry needs opentelemetry-api: pip install 'sennit[opentelemetry]'")


def _serve_on(places: list[Place], settings: Settings, observer: "Observer | None") -> int:
    if not _needs_supervisor(settings):
        from sennit.serving.server import serve_alone

        return serve_alone(load_for(settings), settings, places, observer)
    from sennit.serving.supervisor import Supervisor
    from sennit.web import _processes

    _processes.servedBySeveral = settings.workers > 1
    return Supervisor(settings, places, _preloaded(settings) if settings.preload else None, observer).run()


def _needs_supervisor(settings: Settings) -> bool:
    """Whether a process has to stand above the one that serves."""
    # `--workers 1` is a worker, too: asking for it is asking for what workers have.
    asked = ("workers", "timeout_worker", "max_requests", "max_rss", "reload", "preload")
    # Process 1 of a container has other processes' orphans to look after.
    return any(name in settings.given and getattr(settings, name) for name in asked) or os.getpid() == 1


def _preloaded(settings: Settings) -> Target:
    target = load_for(settings)
    reactor: Any = sys.modules.get("sennit.internet.reactor")
    if reactor is not None and reactor.hasLoop:
        raise SettingError(
            "--preload: TARGET uses the reactor while it is imported, which workers can't share"
        )
    return target


@dataclass(frozen=True)
class Tree:
    """`sennit tree`."""

    settings: Settings

    def run(self) -> None:
        """Print the tree; ends with SystemExit."""
        sys.exit(_told(self._print))

    def _print(self) -> int:
        from sennit.serving.application import Application
        from sennit.serving.tree import tree_lines

        settings = self.settings
        if settings.env_file is not None:
            add_file_to_environment(settings.env_file)
        site = Application(load(settings), settings).site
        for line in tree_lines(site.resource):
            print(line)
        return 0


def _told(work: Callable[[], int]) -> int:
    """The status of `work`; what stops it is printed, once and without more than it takes."""
    try:
        return work()
    except SettingError as mistake:
        print(f"sennit: {mistake}", file=sys.stderr)
        return MISUSED
    except CannotListenError as mistake:
        print(f"sennit: {mistake}", file=sys.stderr)
    except TargetError as mistake:
        text = str(mistake)
        print(text if "\n" in text else f"sennit: {text}", file=sys.stderr)
    except KeyboardInterrupt:
        pass  # before anything was served
    return FAILED
