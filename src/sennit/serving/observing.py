"""`--metrics`: counters of all workers and the server's health, on a port of their own."""

import mmap
from typing import Any

from sennit.serving.places import Place, open_place
from sennit.serving.settings import Settings

# Workers that may live at a time, those that are about to end among them.
_PLACES = 256


class Observer:
    """Shows what all processes have counted at `/metrics`, and at `/health` whether this one is ready."""

    def __init__(self, settings: Settings) -> None:
        """Listen. Raises CannotListenError, and SettingError for a malformed place."""
        from sennit.web.metrics import Metrics

        wanted = settings.metrics
        address = f"127.0.0.1:{wanted}" if wanted.isdigit() else wanted
        self.place: Place = open_place(address, settings.backlog, "--metrics")
        # The memory is there before the workers are forked, so it is one for all of them.
        self._memory = mmap.mmap(-1, Metrics.sizeFor(_PLACES))
        self.metrics: Any = None

    def site(self, number: int) -> Any:
        """Begin to count in this process, the worker of this number; returns the site that shows it."""
        from sennit.web.health import HealthResource
        from sennit.web.metrics import Metrics, MetricsResource
        from sennit.web.resource import Resource
        from sennit.web.server import Site

        self.metrics = Metrics(self._memory, number)
        root = Resource()
        root.putChild("metrics", MetricsResource(self.metrics))
        root.putChild("health", HealthResource())
        site = Site(root)
        site.noisy = False
        return site

    def forget(self, number: int) -> None:
        """The worker of this number has ended."""
        from sennit.web.metrics import forget

        forget(self._memory, number)

    def free_number(self, taken: set[int]) -> int:
        """A number for a new worker."""
        return min(set(range(_PLACES)) - taken, default=_PLACES - 1)

    def close(self) -> None:
        """Listen no longer."""
        self.place.close()
