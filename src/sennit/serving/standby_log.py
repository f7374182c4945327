"""The log of a program that has set up none: on standard error, with the address of each site that starts."""

import logging
from typing import Any, TextIO

_logger = logging.getLogger("sennit")


class StandbyHandler(logging.StreamHandler[TextIO]):
    """Prints records until the program has a handler of its own for them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print `record`, unless a handler of the program's gets it too."""
        if not logging.getLogger().handlers and _logger.handlers == [self]:
            super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """The record's text; where it tells of a site that starts, with the address to visit."""
        text = super().format(record)
        port = getattr(record, "sennitEvent", {}).get("startingPort")
        url = None if port is None else url_of(port)
        return text if url is None else f"{text}: {url}"


def url_of(port: Any) -> str | None:
    """The URL of what a listening port serves; None unless that is a site, on TCP."""
    from sennit.internet.address import UNIXAddress
    from sennit.web.http import HTTPFactory

    address = port.getHost()
    if isinstance(address, UNIXAddress) or not isinstance(port.factory, HTTPFactory):
        return None
    host = "localhost" if address.host in ("0.0.0.0", "::") else address.host
    return f"http://[{host}]:{address.port}/" if ":" in host else f"http://{host}:{address.port}/"


def start() -> None:
    """Show what Sennit logs from now on, from level INFO up."""
    _logger.setLevel(logging.INFO)
    _logger.addHandler(StandbyHandler())
