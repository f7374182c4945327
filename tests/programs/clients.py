"""Real clients, run as processes."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .network import Network


@dataclass
class Answer:
    """What curl got: the final status line, the fields of its head by lower-case name, and the body."""

    code: int
    reason: str
    fields: dict[str, str]
    body: str


def ask_curl(curl: str, network: Network, *arguments: str) -> Answer:
    """Run curl with `arguments`, the last of which is the URL."""
    result = subprocess.run(
        network.command(curl, "--silent", "--show-error", "--include", "--max-time", "20", *arguments),
        capture_output=True,
        check=True,
        timeout=60,
    )
    head, _, body = result.stdout.decode().partition("\r\n\r\n")
    while head.split(" ")[1].startswith("1"):  # interim responses come before the final one
        head, _, body = body.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    _, code, reason = status.split(" ", 2)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(code), reason, fields, body)


@dataclass
class Page:
    """A page in a browser: the document as HTML, and the browser's log of what went over the network."""

    document: str
    network_log: str


def show_in_chromium(chromium: str, network: Network, url: str) -> Page:
    """Load `url` in headless Chromium."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        network_log = Path(directory, "network.json")
        result = subprocess.run(
            network.command(
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={directory}/profile",
                f"--log-net-log={network_log}",
                "--dump-dom",
                url,
            ),
            capture_output=True,
            check=True,
            timeout=90,
        )
        return Page(result.stdout.decode(), network_log.read_text())
