"""The command `sennit`."""

import os
import sys

from sennit.serving import standby_log
from sennit.serving.program import Program


def main() -> None:
    """Do what the process's arguments say, and exit."""
    program = _plainly_named(sys.argv[1:])
    if program is not None:
        standby_log.start()
        program.run()
        return
    # click takes a good part of the time to a server's first answer, which needs nothing of it.
    from sennit.serving.options import chosen_work

    work = chosen_work()
    if isinstance(work, Program):
        standby_log.start()
    work.run()


def _plainly_named(arguments: list[str]) -> Program | None:
    """The program of `run FILE [ARGS]...`; None for arguments that need a closer look."""
    match arguments:
        case ["run", file, *rest] if not file.startswith("-") and os.path.isfile(file):
            return Program(file, rest)
    return None
