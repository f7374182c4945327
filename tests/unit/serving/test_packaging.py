"""What the package says of itself."""

from importlib import metadata

import sennit


def test_version_is_the_installed_ones() -> None:
    assert sennit.__version__ == metadata.version("sennit")
