"""The process above the workers: it starts them, watches them, replaces them, and stops them."""

import atexit
import logging
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress

from sennit.serving.link import Link
from sennit.serving.notify import notify, watchdog_interval
from sennit.serving.observing import Observer
from sennit.serving.places import Place
from sennit.serving.reload import Watched, start_watching
from sennit.serving.server import announce
from sennit.serving.settings import Settings
from sennit.serving.staff import RETIRING, STARTING, STOPPING, Staff, WorkerProcess
from sennit.serving.target import Target
from sennit.serving.worker import work

_logger = logging.getLogger("sennit.serving")

_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
# Seconds that a worker may be silent for, beyond what it was told.
_ALLOWANCE = 2.0
# Seconds that one has, beyond the grace period of its requests, before it is killed: for handlers that are
# cancelled then, and the application's own end.
_WINDING_UP = 4.0
# Seconds that one has to print its stack.
_LAST_WORDS = 1.0


class Supervisor:
    """Keeps `settings.workers` processes serving."""

    def __init__(
        self,
        settings: Settings,
        places: list[Place],
        target: Target | None,
        observer: Observer | None = None,
    ) -> None:
        """`target` is what was loaded before, None if each worker is to do that. Raises SettingError."""
        self._settings = settings
        self._places = places
        self._target = target
        self._observer = observer
        self._watched = Watched(settings) if settings.reload else None
        self._staff = Staff(settings.workers)
        self._selector = selectors.DefaultSelector()
        self._signals, self._signals_end = socket.socketpair()
        self._watcher: tuple[int, socket.socket] | None = None
        self._announced = False
        self._reloading = False
        self._stopping = False
        self._status = 0
        self._next_sign = 0.0

    def run(self) -> int:
        """Serve until told to stop; returns the exit status. In a worker it doesn't return."""
        self._take_signals()
        if self._watched is not None:
            self._watcher = start_watching(self._watched, self._become_child)
            self._selector.register(self._watcher[1], selectors.EVENT_READ, self._files_changed)
        try:
            while self._staff.workers or not self._stopping:
                self._look_after_workers()
                for key, _ in self._selector.select(self._until_next()):
                    key.data()
                self._reap()
        finally:
            if self._watcher is not None:
                with suppress(ProcessLookupError):
                    os.kill(self._watcher[0], signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(self._watcher[0], 0)
        return self._status

    # Signals

    def _take_signals(self) -> None:
        for end in (self._signals, self._signals_end):
            end.setblocking(False)
        for number in _SIGNALS:
            # Python writes their numbers to the descriptor below; SIG_IGN and SIG_DFL would keep it from
            # that.
            signal.signal(number, lambda number, frame: None)
        signal.set_wakeup_fd(self._signals_end.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._signals, selectors.EVENT_READ, self._signalled)

    def _signalled(self) -> None:
        with suppress(BlockingIOError):
            for number in self._signals.recv(4096):
                self._obey(number)

    def _obey(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            name = signal.Signals(number).name
            if self._stopping or number == signal.SIGQUIT:
                _logger.info("Received %s: closing all connections", name)
                self._cut()
            else:
                _logger.info("Received %s: shutting down", name)
                self._stop()
        elif number == signal.SIGHUP:
            _logger.info("Received SIGHUP: replacing the workers")
            self._roll()
        elif number == signal.SIGTTIN:
            self._staff.wanted += 1
        elif number == signal.SIGTTOU:
            self._staff.wanted = max(1, self._staff.wanted - 1)

    # Starting workers

    def _look_after_workers(self) -> None:
        now = time.monotonic()
        self._kill_the_late(now)
        if not self._stopping:
            for worker in self._staff.superfluous():
                self._dismiss(worker, "stop" if self._settings.reload else "retire")
            for _ in range(self._staff.missing(now)):
                if not self._start_worker():
                    break
        self._announce(now)

    def _start_worker(self) -> bool:
        ours, theirs = Link.pair()
        number = 0
        if self._observer is not None:
            number = self._observer.free_number({each.number for each in self._staff.workers.values()})
        # A signal that comes in between is for one of the two, and not for both.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process = os.fork()
            if process == 0:
                self._be_worker(ours, theirs, blocked, number)
        except OSError as error:
            ours.close()
            theirs.close()
            _logger.error("No worker could be started: %s", error.strerror)
            self._staff.note_failure(time.monotonic())
            return False
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
        worker = self._staff.add(process, ours, number)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(worker))
        return True

    def _be_worker(self, ours: Link, theirs: Link, blocked: set[int | signal.Signals], number: int) -> None:
        """Go on as a worker, and end the process."""
        status = 1
        try:
            ours.close()
            self._become_child()
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            status = work(theirs, self._settings, self._places, self._target, self._observer, number)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            _logger.exception("A worker failed")
        finally:
            # Not by sys.exit: what the supervisor has on the stack is not this process's to undo.
            try:
                atexit._run_exitfuncs()
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
            finally:
                os._exit(status)

    def _become_child(self) -> None:
        """Let go of all that is the supervisor's."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        self._signals.close()
        self._signals_end.close()
        for worker in self._staff.workers.values():
            worker.link.close()
        if self._watcher is not None:
            self._watcher[1].close()

    # What workers tell

    def _hear(self, worker: WorkerProcess) -> None:
        messages = worker.link.receive()
        if messages is None:
            # It is ending, or has ended: SIGCHLD will tell more.
            self._selector.unregister(worker.link)
            worker.deaf = True
            return
        worker.last_sign = time.monotonic()
        for message in messages:
            if message.get("ready"):
                worker.grace = message["grace"]
                self._staff.note_ready(worker)
            elif "failed" in message:
                worker.failure = message["failed"]
            elif "spent" in message:
                _logger.info("Worker %d is replaced: %s", worker.process, message["spent"])
                worker.spent = True
            elif "hung" in message:
                _logger.error("Worker %d hangs and is killed: %s", worker.process, message["hung"])
                self._kill(worker)

    def _reap(self) -> None:
        """Take note of processes that have ended: as process 1 of a container, of any that were left to this
        one."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            if self._watcher is not None and process == self._watcher[0] and not self._stopping:
                _logger.error("Files are no longer watched: the process that did it has ended")
            worker = self._staff.workers.get(process)
            if worker is not None:
                self._has_ended(worker, os.waitstatus_to_exitcode(status))

    def _has_ended(self, worker: WorkerProcess, status: int) -> None:
        if not worker.deaf:
            # What it said last: why it failed, as a rule.
            while not worker.deaf:
                before = worker.last_sign
                self._hear(worker)
                if worker.last_sign == before:
                    break
        if not worker.deaf:
            self._selector.unregister(worker.link)
        worker.link.close()
        del self._staff.workers[worker.process]
        if self._observer is not None:
            self._observer.forget(worker.number)
        if self._stopping or worker.state in (RETIRING, STOPPING):
            return
        if worker.failure is not None:
            self._has_failed(worker)
            return
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        _logger.error("Worker %d %s", worker.process, how)
        self._staff.note_death(worker, time.monotonic())
        if self._staff.crashes_on_and_on():
            _logger.error("Workers end as soon as they are started: giving up")
            self._give_up()

    def _has_failed(self, worker: WorkerProcess) -> None:
        """A worker could not load or start the application."""
        assert worker.failure is not None
        if self._staff.go_back_from(worker):
            print(worker.failure, file=sys.stderr, flush=True)
            _logger.error("The new workers failed to start; the old ones go on")
            self._end_reloading()
        elif self._staff.ever_ready:
            print(worker.failure, file=sys.stderr, flush=True)
            self._staff.note_death(worker, time.monotonic())
            if self._staff.crashes_on_and_on():
                self._give_up()
        else:
            # The others would fail in the same way, and say the same.
            one_line = "\n" not in worker.failure
            print(f"sennit: {worker.failure}" if one_line else worker.failure, file=sys.stderr, flush=True)
            self._give_up()

    def _announce(self, now: float) -> None:
        if not self._announced and self._staff.is_complete() and not self._stopping:
            self._announced = True
            count = len(self._staff.workers)
            announce(f"{self._settings.target} with {count} worker{'s' if count > 1 else ''}", self._places)
            notify("READY=1")
        if self._reloading and self._staff.is_complete():
            _logger.info("All workers are new")
            self._end_reloading()
        interval = watchdog_interval()
        # The service manager expects signs from READY=1 on.
        if interval is not None and self._announced and now >= self._next_sign:
            self._next_sign = now + interval
            if self._staff.has_ready():
                notify("WATCHDOG=1")

    # Replacing workers

    def _files_changed(self) -> None:
        assert self._watcher is not None
        try:
            names = self._watcher[1].recv(65536).decode("utf-8", "backslashreplace").replace("\n", ", ")
        except BlockingIOError:
            return
        if names:
            _logger.info("Changed: %s", names)
            self._roll()
        else:
            self._selector.unregister(self._watcher[1])

    def _roll(self) -> None:
        if self._stopping:
            return
        for outdated in self._staff.begin_generation():
            self._kill(outdated)
        self._reloading = True
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def _end_reloading(self) -> None:
        self._reloading = False
        notify("READY=1")

    # Ending workers

    def _dismiss(self, worker: WorkerProcess, how: str) -> None:
        if worker.state == STARTING:
            self._kill(worker)
            return
        worker.state = RETIRING if how == "retire" else STOPPING
        worker.link.send(do=how)
        if worker.grace is not None:
            worker.kill_at = time.monotonic() + worker.grace + _WINDING_UP

    def _kill(self, worker: WorkerProcess, number: signal.Signals = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker.process, number)

    def _kill_the_late(self, now: float) -> None:
        for worker in self._staff.workers.values():
            if worker.kill_at is not None and now >= worker.kill_at:
                if worker.state in (RETIRING, STOPPING):
                    _logger.error("Worker %d did not end in time and is killed", worker.process)
                self._kill(worker)
                worker.kill_at = None
            elif self._is_silent(worker, now):
                # Its own watchdog would have told by now, if Python code could run there at all.
                _logger.error("Worker %d hangs outside of Python code and is killed", worker.process)
                worker.aborted = True
                self._kill(worker, signal.SIGABRT)
                worker.kill_at = now + _LAST_WORDS

    def _is_silent(self, worker: WorkerProcess, now: float) -> bool:
        timeout = self._settings.timeout_worker
        if not timeout or worker.state == STARTING or worker.aborted or worker.deaf:
            return False
        return bool(now - worker.last_sign > timeout * 1.25 + _ALLOWANCE)

    def _stop(self) -> None:
        self._stopping = True
        notify("STOPPING=1")
        for place in self._places:
            place.close()
        if self._observer is not None:
            self._observer.close()
        for worker in self._staff.workers.values():
            self._dismiss(worker, "stop")

    def _cut(self) -> None:
        if not self._stopping:
            self._stop()
        for worker in self._staff.workers.values():
            worker.link.send(do="cut")
            worker.kill_at = time.monotonic() + _LAST_WORDS

    def _give_up(self) -> None:
        self._status = 1
        if not self._stopping:
            self._stop()

    def _until_next(self) -> float | None:
        """Seconds until something has to be looked at, at most."""
        now = time.monotonic()
        times = [worker.kill_at for worker in self._staff.workers.values() if worker.kill_at is not None]
        if self._staff.not_before > now:
            times.append(self._staff.not_before)
        if watchdog_interval() is not None:
            times.append(self._next_sign)
        if self._settings.timeout_worker:
            times.append(now + self._settings.timeout_worker / 4)
        if self._staff.missing(now) and not self._stopping:
            times.append(now)
        return max(0.0, min(times) - now) if times else None
