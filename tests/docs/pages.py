"""The programs and sessions that the documentation shows.

The rule, as CONTRIBUTING.md tells it: the `python` blocks between two headings, one after the other, are one
program. A `console` block shows what curl prints, asked while that program runs; `...` stands for anything.
Where an `sh` block of the section is a `sennit serve program.py`, that is how the program is started."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/**/*.md")]
)

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Session:
    """One curl command and what the page says it prints."""

    command: list[str]
    output: str

    def matches(self, printed: str) -> bool:
        """Whether `printed` is the output shown, whatever stands at the places of its dots."""
        pattern = re.escape(self.output.strip()).replace(re.escape("..."), ".*")
        return re.fullmatch(pattern, printed.replace("\r", "").strip(), re.DOTALL) is not None


@dataclass
class Section:
    """What stands between two headings of a page."""

    page: Path
    heading: str
    program: str = ""
    sessions: list[Session] = field(default_factory=list)
    # How it is started, if that is by `sennit serve`.
    command: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.heading}"

    @property
    def serves(self) -> bool:
        """Whether the program goes on until it is stopped."""
        return bool(self.sessions) or self.program.rstrip().endswith("\nreactor.run()")


def sections(page: Path) -> Iterator[Section]:
    """The sections of `page` that have a program or a session in them."""
    for heading, body in _split(page.read_text()):
        section = Section(page, heading)
        for language, text in _BLOCK.findall(body):
            if language == "python":
                section.program += text + "\n\n"
            elif language == "sh" and text.startswith("sennit serve program.py"):
                section.command = shlex.split(text.partition("\n")[0])
            elif language == "console":
                section.sessions.extend(_sessions(text))
        if section.program or section.sessions:
            yield section


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Headings and what follows each; a line of code that begins with # is none."""
    heading, lines, in_block = "", [], False
    for line in text.splitlines(keepends=True):
        in_block ^= line.startswith("```")
        if line.startswith("#") and not in_block:
            yield heading, "".join(lines)
            heading, lines = line.strip("# \n"), []
        else:
            lines.append(line)
    yield heading, "".join(lines)


def _sessions(text: str) -> Iterator[Session]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Session(shlex.split(command), output)
