"""`python.util` and `python.compat`."""

import pytest

from sennit.python import compat, util


def test_println(capsys: pytest.CaptureFixture[str]) -> None:
    util.println("a", 1, b"b")
    assert capsys.readouterr().out == "a 1 b'b'\n"


def test_sibpath() -> None:
    assert util.sibpath("/a/b.py", "c.xml") == "/a/c.xml"


def test_native_and_network_strings() -> None:
    assert compat.nativeString(b"a") == compat.nativeString("a") == "a"
    assert compat.networkString("a") == b"a"
    assert list(compat.iterbytes(b"ab")) == [b"a", b"b"]


@pytest.mark.parametrize("wrong", ["ä", "ä".encode()])
def test_only_ascii(wrong: str | bytes) -> None:
    with pytest.raises(UnicodeError):
        compat.nativeString(wrong)
    with pytest.raises((UnicodeError, TypeError)):
        compat.networkString(wrong)  # type: ignore[arg-type]


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError):
        compat.nativeString(3)  # type: ignore[arg-type]
