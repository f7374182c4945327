"""Other programs and what they print."""

import asyncio
import sys
import time
from typing import Any

import pytest

from sennit.internet import reactor, utils
from sennit.internet.defer import CancelledError


def run(started: Any) -> Any:
    """The result of the Deferred that a function returns, in an event loop."""

    async def main() -> Any:
        return await started()

    return asyncio.run(main())


def python(code: str) -> tuple[str, list[str]]:
    return sys.executable, ["-c", code]


def test_output() -> None:
    assert run(lambda: utils.getProcessOutput(*python("print('hello')"))) == b"hello\n"


def test_environment_and_directory(tmp_path: Any) -> None:
    code = "import os; print(os.environ.get('A'), os.getcwd())"
    output = run(lambda: utils.getProcessOutput(*python(code), env={"A": "b"}, path=str(tmp_path)))
    assert output.decode().split() == ["b", str(tmp_path.resolve())]


def test_errors_fail_unless_wanted() -> None:
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    with pytest.raises(OSError, match="err"):
        run(lambda: utils.getProcessOutput(*python(code)))
    assert run(lambda: utils.getProcessOutput(*python(code), errortoo=True)) == b"out\nerr\n"


def test_value() -> None:
    assert run(lambda: utils.getProcessValue(*python("raise SystemExit(3)"))) == 3


def test_output_and_value_with_input() -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('e', file=sys.stderr); sys.exit(2)"
    result = run(lambda: utils.getProcessOutputAndValue(*python(code), stdinBytes=b"hello"))
    assert result == (b"HELLO\n", b"e\n", 2)


def test_signal_is_a_failure() -> None:
    code = "import os; os.kill(os.getpid(), 9)"
    with pytest.raises(utils.SignalError) as failed:
        run(lambda: utils.getProcessOutputAndValue(*python(code)))
    assert failed.value.signal == 9


def test_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        run(lambda: utils.getProcessOutput("/none/of/this/name"))


def test_cancelling_ends_the_program() -> None:
    async def main() -> None:
        started = time.monotonic()
        running = utils.getProcessOutput(*python("import time; time.sleep(60)"))
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises((CancelledError, asyncio.CancelledError)):
            await running
        assert time.monotonic() - started < 10

    asyncio.run(main())


def test_before_the_reactor_runs() -> None:
    results: list[bytes] = []
    running = utils.getProcessOutput(*python("print('hello')"))
    running.addCallback(results.append)
    running.addBoth(lambda ignored: reactor.stop())
    reactor.run()
    assert results == [b"hello\n"]
