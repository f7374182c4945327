"""Makes the virtual environment of the peers, and finds the interpreter that has Sennit."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.paths import PEERS, ROOT

PYTHON_VERSION = "3.13"

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    # fastwsgi imports pkg_resources, which setuptools has dropped since.
    "fastwsgi": ("fastwsgi>=0.0.9", "setuptools>=75,<81"),
    "fastpysgi": ("fastpysgi>=0.6",),
    "bjoern": ("bjoern>=3.2.2",),
    "peregrine": ("peregrine-server>=1.2.0",),
    "granian": ("granian>=2.8.7",),
    "uvicorn": ("uvicorn>=0.54.0", "uvloop>=0.23", "httptools>=0.9.0"),
    "hypercorn": ("hypercorn>=0.18.0",),
    "h2corn": ("h2corn>=2.0.0",),
    "frameworks": ("starlette>=1.10", "fastapi>=0.165"),
    "socketify": ("socketify>=0.0.31",),
    "aiohttp": ("aiohttp>=3.14.5",),
    "twisted": ("Twisted>=26",),
    "robyn": ("robyn>=0.88.0",),
    "starlette": ("starlette>=1.0",),
    "m0serve": ("m0serve>=1.16.0",),
    "gunicorn": ("gunicorn>=23",),
    # An application, not a server.
    "flask": ("Flask>=3.1",),
}
"""What is installed per peer, each by itself so that one that fails takes no other along."""

_LIST_VERSIONS = """
import importlib.metadata, json
print(json.dumps({d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions()}))
"""


class NoEnvironment(Exception):
    """The virtual environment can't be made; the text says why."""


@dataclass
class Peers:
    """The environment's interpreter, what it has in which version, and what it lacks for which reason."""

    python: Path
    versions: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def find_python() -> Path:
    """Return a Python 3.13, from the path or from pyenv; the running interpreter if there is none."""
    named = shutil.which(f"python{PYTHON_VERSION}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [Path(named)] if named else []
    candidates += sorted(pyenv.glob(f"{PYTHON_VERSION}*/bin/python{PYTHON_VERSION}"), reverse=True)
    for candidate in candidates:
        # pyenv's shim is on the path even when no 3.13 is selected, and then only prints a complaint.
        if _succeeds(candidate, "import venv, ensurepip"):
            return candidate
    return Path(sys.executable)


def _succeeds(python: Path, code: str) -> bool:
    try:
        return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def installed_versions(python: Path) -> dict[str, str]:
    """Return the distributions of an interpreter, names in lower case, with their versions."""
    printed = subprocess.run(
        [str(python), "-c", _LIST_VERSIONS], capture_output=True, text=True, check=True
    ).stdout
    versions: dict[str, str] = json.loads(printed)
    return versions


def version_key(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, for comparing."""
    matched = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in matched[0].split(".")) if matched else ()


def is_satisfied(requirement: str, versions: dict[str, str]) -> bool:
    """Whether a requirement of the forms `name>=1.2` and `name>=1.2,<3` is met by what is installed."""
    matched = re.fullmatch(r"([A-Za-z0-9._-]+?)>=([\w.]+)(?:,<([\w.]+))?", requirement)
    if matched is None:
        raise ValueError(f"not of the form name>=version: {requirement!r}")
    version = versions.get(matched[1].lower())
    if version is None or version_key(version) < version_key(matched[2]):
        return False
    return matched[3] is None or version_key(version) < version_key(matched[3])


def prepare() -> Peers:
    """Make the environment if need be and install what it lacks. Raises NoEnvironment."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        outcome = subprocess.run(
            [str(find_python()), "-m", "venv", str(PEERS)], capture_output=True, text=True, check=False
        )
        if outcome.returncode != 0:
            raise NoEnvironment(f"python -m venv: {last_error(outcome.stdout + outcome.stderr)}")
    peers = Peers(python)
    for name, requirements in REQUIREMENTS.items():
        peers.versions = peers.versions or installed_versions(python)
        if all(is_satisfied(requirement, peers.versions) for requirement in requirements):
            continue
        if name == "bjoern":
            install_debian("libev-dev", Path("/usr/include/ev.h"))
        print(f"installing {', '.join(requirements)}", flush=True)
        complaint = pip_install(python, *requirements)
        if complaint is not None:
            peers.failures[name] = complaint
        peers.versions = {}
    peers.versions = installed_versions(python)
    return peers


def pip_install(python: Path, *arguments: str) -> str | None:
    """Run `pip install`; return None or the line that tells what went wrong."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if outcome.returncode == 0 else last_error(outcome.stdout + outcome.stderr)


def last_error(text: str) -> str:
    """Return the most telling line of what a failed command printed: the first that names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # What pip says last is always the same; the compiler's or the resolver's line at the top is what helps.
    telling = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE) and "note:" not in line]
    specific = [line for line in telling if "subprocess-exited" not in line]
    return (specific or telling or lines[-1:] or ["it printed nothing"])[0]


def install_debian(package: str, sign: Path | None = None) -> None:
    """Install a Debian package where apt is there and may be used; otherwise say that it is missing."""
    if sign is not None and sign.exists():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print(f"installing {package} from Debian", flush=True)
        for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "-y", package]):
            subprocess.run(command, capture_output=True, check=False)
    else:
        print(f"missing: install {package} and run again", flush=True)


def has_sennit(python: Path) -> bool:
    """Whether an interpreter can import Sennit's engine."""
    return _succeeds(python, "import sennit._engine")


def find_sennit(peers_python: Path) -> tuple[Path | None, str]:
    """Return an interpreter that has Sennit, or None and the reason.

    That is the running one; failing that the peers', into which the checkout is then installed (a release
    build, made again when a source has changed).
    """
    running = Path(sys.executable)
    if has_sennit(running):
        return running, ""
    stamp = PEERS / "sennit-built"
    if not has_sennit(peers_python) or not stamp.exists() or stamp.stat().st_mtime < newest_source():
        print("building Sennit", flush=True)
        complaint = pip_install(peers_python, "--force-reinstall", str(ROOT))
        if complaint is not None:
            return None, complaint
        stamp.touch()
    return (peers_python, "") if has_sennit(peers_python) else (None, "sennit has no engine")


def newest_source() -> float:
    """Return when a source of Sennit was last changed."""
    folders = (ROOT / "src", ROOT / "engine")
    files = [ROOT / "pyproject.toml", ROOT / "Cargo.toml"]
    for folder in folders:
        files += [path for path in folder.rglob("*") if path.suffix in {".py", ".rs", ".toml"}]
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
