"""Small things that programs for Twisted use."""

import os
import sys


def println(*a: object) -> None:
    """Print, to whatever is the standard output at that time: it can be handed on as a callback."""
    sys.stdout.write(" ".join(map(str, a)) + "\n")


def sibpath(path: str | os.PathLike[str], sibling: str) -> str:
    """The path of a file beside another one: `sibpath(__file__, "page.xml")`."""
    return os.path.join(os.path.dirname(os.path.abspath(path)), sibling)
