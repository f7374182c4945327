"""`reactor.spawnProcess`."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sennit.internet import reactor
from sennit.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from sennit.internet.interfaces import IProcessTransport, IReactorProcess
from sennit.internet.protocol import ProcessProtocol


class Recorder(ProcessProtocol):
    """Notes what it is told, and stops the reactor at the end."""

    def __init__(self, atStart: Callable[[Any], object] = lambda transport: None) -> None:
        self.output = b""
        self.errors = b""
        self.events: list[str] = []
        self.reason: Any = None
        self.atStart = atStart

    def connectionMade(self) -> None:
        self.events.append("made")
        self.atStart(self.transport)

    def outReceived(self, data: bytes) -> None:
        self.output += data

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def inConnectionLost(self) -> None:
        self.events.append("in")

    def outConnectionLost(self) -> None:
        self.events.append("out")

    def errConnectionLost(self) -> None:
        self.events.append("err")

    def processExited(self, reason: Any) -> None:
        self.events.append("exited")

    def processEnded(self, reason: Any) -> None:
        self.events.append("ended")
        self.reason = reason.value
        reactor.stop()


def run(command: list[str], recorder: Recorder | None = None, **options: Any) -> Recorder:
    recorder = recorder or Recorder()
    reactor.callWhenRunning(reactor.spawnProcess, recorder, command[0], command, **options)
    late = reactor.callLater(10, reactor.stop)
    reactor.run()
    if late.active():
        late.cancel()
    return recorder


def test_reactor_provides_it() -> None:
    assert verifyObject(IReactorProcess, reactor)


def test_output_errors_and_end() -> None:
    recorder = run(["/bin/sh", "-c", "echo out; echo err >&2"])
    assert (recorder.output, recorder.errors) == (b"out\n", b"err\n")
    assert recorder.events[0] == "made"
    assert recorder.events[-1] == "ended"
    assert sorted(recorder.events) == ["ended", "err", "exited", "in", "made", "out"]
    assert isinstance(recorder.reason, ProcessDone)
    assert recorder.transport.pid is None
    verifyObject(IProcessTransport, recorder.transport)


def test_input_of_any_size() -> None:
    def feed(transport: Any) -> None:
        transport.write(b"x" * 1_000_000)
        transport.writeSequence([b"y", b"z"])
        transport.writeToChild(0, b"!")
        transport.closeStdin()

    recorder = run(["/bin/sh", "-c", "sleep 0.1; exec cat"], Recorder(feed))
    assert recorder.output == b"x" * 1_000_000 + b"yz!"


def test_input_that_nobody_reads() -> None:
    recorder = run(["/bin/sh", "-c", "exit 0"], Recorder(lambda transport: transport.write(b"x" * 1_000_000)))
    assert isinstance(recorder.reason, ProcessDone)


@pytest.mark.parametrize(("script", "code", "number"), [("exit 3", 3, None), ("kill -TERM $$", None, 15)])
def test_how_it_ended(script: str, code: int | None, number: int | None) -> None:
    reason = run(["/bin/sh", "-c", script]).reason
    assert isinstance(reason, ProcessTerminated)
    assert (reason.exitCode, reason.signal) == (code, number)


@pytest.mark.parametrize("signal", ["KILL", "SIGKILL", 9])
def test_signals(signal: str | int) -> None:
    recorder = run(["/bin/sleep", "60"], Recorder(lambda transport: transport.signalProcess(signal)))
    assert recorder.reason.signal == 9
    with pytest.raises(ProcessExitedAlready):
        recorder.transport.signalProcess("TERM")


def test_signal_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="no signal"):
        run(["/bin/true"]).transport.signalProcess("LOUD")


def test_environment_directory_and_name(tmp_path: Any) -> None:
    code = "import os, sys; print(os.environ.get('A'), os.getcwd(), sys.argv[1])"
    recorder = Recorder()
    reactor.callWhenRunning(
        reactor.spawnProcess,
        recorder,
        sys.executable,
        ["named", "-c", code, "x"],
        env={"A": "b"},
        path=str(tmp_path),
    )
    reactor.run()
    assert recorder.output.decode().split() == ["b", os.path.realpath(tmp_path), "x"]


def test_descriptors_may_be_left_out_or_handed_on() -> None:
    reading, writing = os.pipe()
    recorder = run(["/bin/sh", "-c", "echo out; echo err >&2"], childFDs={1: writing, 2: "r"})
    os.close(writing)
    assert os.read(reading, 100) == b"out\n"
    os.close(reading)
    assert (recorder.output, recorder.errors) == (b"", b"err\n")
    assert "in" not in recorder.events


@pytest.mark.parametrize("options", [{"usePTY": True}, {"childFDs": {3: "r"}}, {"childFDs": {0: "r"}}])
def test_what_there_is_not(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        reactor.spawnProcess(Recorder(), "/bin/true", ["true"], **options)


def test_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        reactor.spawnProcess(Recorder(), "/none/of/this/name", ["name"])


def test_output_is_read_no_more_when_it_is_closed() -> None:
    started = time.monotonic()
    recorder = run(
        ["/bin/sh", "-c", "while echo x; do :; done"], Recorder(lambda transport: transport.loseConnection())
    )
    assert isinstance(recorder.reason, ProcessTerminated)
    assert time.monotonic() - started < 5


def test_thread_waits_where_the_system_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert isinstance(run(["/bin/true"]).reason, ProcessDone)


def test_mistake_of_the_protocol_does_not_end_the_reactor(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Recorder):
        def outReceived(self, data: bytes) -> None:
            raise KeyError("pear")

    assert isinstance(run(["/bin/echo", "x"], Broken()).reason, ProcessDone)
    assert "KeyError" in caplog.text
