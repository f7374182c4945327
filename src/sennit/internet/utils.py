"""Running other programs, with Deferreds of what they print."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from typing import Any

from sennit.internet.defer import Deferred

__all__ = ["SignalError", "getProcessOutput", "getProcessOutputAndValue", "getProcessValue"]

_Result = tuple[bytes, bytes, int]


def getProcessOutput(
    executable: str | bytes,
    args: Sequence[str | bytes] = (),
    env: Mapping[str, str] | None = None,
    path: str | bytes | None = None,
    reactor: Any = None,
    errortoo: bool = False,
) -> "Deferred[bytes]":
    """Run a program and give what it prints on its standard output, and with `errortoo` on its standard
    error.

    `env` is its environment, this process's by default; `path` the directory that it runs in. Without
    `errortoo` the Deferred fails with OSError if there is anything on the standard error. OSError also if it
    can't be started.
    """

    def choose(result: _Result) -> bytes:
        output, errors, _ = result
        if errors and not errortoo:
            raise OSError(f"got stderr: {errors!r}")
        return output + errors

    return _run(reactor, [executable, *args], env, path, None, errortoo).addCallback(choose)


def getProcessValue(
    executable: str | bytes,
    args: Sequence[str | bytes] = (),
    env: Mapping[str, str] | None = None,
    path: str | bytes | None = None,
    reactor: Any = None,
) -> "Deferred[int]":
    """Run a program and give its exit status; arguments as of `getProcessOutput`, failures as of
    `getProcessOutputAndValue`."""
    result = getProcessOutputAndValue(executable, args, env, path, reactor)
    return result.addCallback(lambda found: found[2])


def getProcessOutputAndValue(
    executable: str | bytes,
    args: Sequence[str | bytes] = (),
    env: Mapping[str, str] | None = None,
    path: str | bytes | None = None,
    reactor: Any = None,
    stdinBytes: bytes | None = None,
) -> "Deferred[_Result]":
    """Run a program, give it `stdinBytes` as its input, and give its output, its errors, and its exit status.

    If a signal has ended it, the Deferred fails with `SignalError`, which has `output`, `errors` and
    `signal`.
    """

    def check(result: _Result) -> _Result:
        if result[2] < 0:
            raise SignalError(result[0], result[1], -result[2])
        return result

    return _run(reactor, [executable, *args], env, path, stdinBytes, False).addCallback(check)


class SignalError(Exception):
    """A signal has ended a program."""

    def __init__(self, output: bytes, errors: bytes, signal: int) -> None:
        super().__init__(output, errors, signal)
        self.output = output
        self.errors = errors
        self.signal = signal


def _run(
    reactor: Any,
    command: Sequence[str | bytes],
    env: Mapping[str, str] | None,
    path: str | bytes | None,
    stdinBytes: bytes | None,
    together: bool,
) -> "Deferred[_Result]":
    async def communicate() -> _Result:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL if stdinBytes is None else PIPE,
            stdout=PIPE,
            stderr=STDOUT if together else PIPE,
            env=env,
            cwd=path,
        )
        try:
            output, errors = await process.communicate(stdinBytes)
            return output, errors or b"", await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    result: Deferred[_Result] = Deferred(lambda cancelled: running[0].cancel() if running else None)
    running: list[Deferred[_Result]] = []

    def start() -> None:
        if not result.called:
            # A task: the loop's end waits for it, and thereby for the program's.
            task = asyncio.get_running_loop().create_task(communicate())
            running.append(Deferred.fromFuture(task))
            running[0].chainDeferred(result)

    if asyncio._get_running_loop() is not None:
        start()
    else:
        if reactor is None:
            from sennit.internet import reactor
        reactor.callWhenRunning(start)
    return result
