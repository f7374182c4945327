"""Failures, and the tracebacks that keep nothing alive."""

import gc
import io
import pickle
import traceback
import weakref

import pytest

from sennit.python._tracebacks import copyInert, isInert
from sennit.python.failure import Failure, NoCurrentExceptionError


class Odd(Exception):
    def __str__(self) -> str:
        raise KeyError("no text")


def raiser(depth: int = 2, error: BaseException | None = None) -> None:
    local = "the local variable"
    if depth:
        raiser(depth - 1, error)
    raise error or ValueError(f"with {len(local)}")


def caught(error: BaseException | None = None) -> Failure:
    try:
        raiser(2, error)
    except BaseException:
        return Failure()
    raise AssertionError


def test_Failure_takes_the_current_or_a_given_exception() -> None:
    failure = caught()
    assert failure.type is ValueError
    assert failure.value.args == ("with 18",)
    assert failure.tb is failure.getTracebackObject()
    assert Failure(failure.value).value is failure.value
    assert Failure(failure).value is failure.value
    assert Failure(KeyError("x")).tb is None


def test_Failure_needs_an_exception() -> None:
    with pytest.raises(NoCurrentExceptionError):
        Failure()
    with pytest.raises(TypeError, match="'text'"):
        Failure("text")  # type: ignore[arg-type]


def test_check_finds_classes_bases_and_names() -> None:
    failure = Failure(ConnectionResetError())
    assert failure.check(KeyError, OSError) is OSError
    assert failure.check("builtins.ConnectionError") == "builtins.ConnectionError"
    assert failure.check("exceptions.OSError") == "exceptions.OSError"
    assert failure.check(KeyError, "builtins.KeyError") is None
    assert failure.parents[0] == "builtins.ConnectionResetError"


def test_trap_returns_what_was_found_or_raises_again() -> None:
    failure = caught()
    assert failure.trap(KeyError, ValueError) is ValueError
    with pytest.raises(ValueError, match="with 18") as raised:
        failure.trap(KeyError)
    assert raised.value is failure.value


def test_raised_again_keeps_its_traceback_and_does_not_pile_up() -> None:
    failure = caught()
    for _ in range(3):
        with pytest.raises(ValueError, match="with 18") as raised:
            failure.raiseException()
        names = [entry.name for entry in traceback.extract_tb(raised.value.__traceback__)]
        assert names[-4:] == ["caught", "raiser", "raiser", "raiser"]
        assert len(names) == 6


def test_throwExceptionIntoGenerator_raises_inside() -> None:
    def generator():
        try:
            yield 1
        except ValueError as error:
            yield error

    failure = caught()
    running = generator()
    next(running)
    assert failure.throwExceptionIntoGenerator(running) is failure.value


def test_raised_Failure_is_unwrapped() -> None:
    failure = caught()
    try:
        raise failure
    except Failure:
        again = Failure()
    assert again.value is failure.value
    assert again.tb is failure.tb


def test_texts() -> None:
    failure = caught()
    assert failure.getErrorMessage() == "with 18"
    assert repr(failure) == "<sennit.python.failure.Failure builtins.ValueError: with 18>"
    text = failure.getTraceback()
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: with 18\n")
    assert "in raiser" in text
    brief = failure.getBriefTraceback()
    assert brief.startswith("Traceback: <class 'ValueError'>: with 18\n")
    assert brief.endswith(":raiser\n")
    assert brief in str(failure)
    assert "'the local variable'" in failure.getTraceback(detail="verbose")
    with pytest.raises(ValueError, match="'long'"):
        failure.getTraceback(detail="long")
    assert "KeyError" in caught(Odd()).getErrorMessage()


def test_printing() -> None:
    failure = caught()
    for method, text in (
        (failure.printTraceback, failure.getTraceback()),
        (failure.printBriefTraceback, failure.getBriefTraceback()),
        (failure.printDetailedTraceback, failure.getTraceback(detail="verbose")),
    ):
        file = io.StringIO()
        method(file)
        assert file.getvalue() == text


def test_framework_code_can_be_left_out() -> None:
    from sennit.internet import defer

    def failing(_: object) -> None:
        try:
            defer.succeed(1).chainDeferred(None)  # type: ignore[arg-type]
        except AttributeError:
            results.append(Failure())

    results: list[Failure] = []
    defer.succeed(0).addCallback(failing)
    assert "_deferred.py" in results[0].getTraceback()
    assert "_deferred.py" not in results[0].getTraceback(elideFrameworkCode=True)
    assert "test_failure.py" in results[0].getTraceback(elideFrameworkCode=True)


def test_frames_name_function_file_and_line() -> None:
    frames = caught().frames
    assert [frame[0] for frame in frames] == ["caught", "raiser", "raiser", "raiser"]
    assert frames[0][1] == __file__
    assert frames[0][3:] == ((), ())


def test_cleaned_failure_prints_the_same_and_keeps_no_locals() -> None:
    class Big:
        pass

    def failing() -> None:
        big = Big()
        references.append(weakref.ref(big))
        raise ValueError("x")

    references: list = []
    try:
        failing()
    except ValueError as error:
        failure = Failure(error)
    gc.collect()
    assert references[0]() is not None
    text = failure.getBriefTraceback()
    failure.cleanFailure()
    gc.collect()
    assert references[0]() is None
    assert failure.getBriefTraceback() == text
    assert failure.value.__traceback__ is failure.tb
    with pytest.raises(ValueError, match="x") as raised:
        failure.raiseException()
    assert raised.traceback[-1].name == "failing"


def test_inert_traceback_has_neither_locals_nor_callers_and_is_shared() -> None:
    failure = caught()
    inert = copyInert(failure.tb)
    assert inert is not None
    assert isInert(inert)
    assert not isInert(failure.tb)
    assert inert.tb_frame.f_back is None
    assert inert.tb_frame.f_locals == {}
    assert copyInert(inert) is inert
    assert copyInert(None) is None
    assert [(e.name, e.lineno, e.line) for e in traceback.extract_tb(inert)] == [
        (e.name, e.lineno, e.line) for e in traceback.extract_tb(failure.tb)
    ]


def test_pickled_failure_comes_back_with_its_traceback() -> None:
    failure = caught()
    again = pickle.loads(pickle.dumps(failure))
    assert again.type is ValueError
    assert again.frames == failure.frames
    assert "in raiser" in again.getTraceback()
