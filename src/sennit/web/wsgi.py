"""WSGI applications (PEP 3333) as resources.

    pool = ThreadPool()
    pool.start()
    root = WSGIResource(reactor, pool, application)

The engine calls the application and sends what it gives, in a thread of the pool or in the loop's. What it
needs of Python for that is here: the pool, the way back to the loop, a body that is read while it comes.
Bodies are streamed both ways; the side that is faster waits for the other.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from sennit import _engine
from sennit.internet._reactor_parts import ReactorThreads
from sennit.python import log
from sennit.python.threadpool import Session, ThreadPool
from sennit.web import _processes
from sennit.web._wsgienviron import FileWrapper
from sennit.web._wsgiinput import BodyRefused, WayBack, inputOf, wayBackTo
from sennit.web.error import Error
from sennit.web.resource import Resource

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from sennit.web.iweb import ResourceLike
    from sennit.web.server import Request

__all__ = ["WSGIResource"]


class WSGIResource(_engine.WSGIGateway, Resource):
    """Answers every request, there and below, with a WSGI application.

    It runs in a thread of `threadpool`, which the program starts and stops; `reactor` is how that thread
    reaches the loop. Without a pool (None) it runs in the loop's own thread: that is the quickest for an
    application that never waits, and holds up everything else for one that does.

    `multiprocess` says whether other processes may run the same application at the same time, for
    `wsgi.multiprocess`; None: whether `sennit serve` has several workers. `multithread` says whether the pool
    may run it in several threads at the same time, for `wsgi.multithread`; without a pool that is so only
    under `sennit serve --threads`.
    """

    isLeaf = True

    def __init__(
        self,
        reactor: Any,
        threadpool: Any,
        application: "WSGIApplication",
        *,
        multiprocess: bool | None = None,
        multithread: bool = True,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._threadpool = threadpool
        self._lastWayBack: WayBack | None = None
        # In a thread, the application reads the body while it is still being sent.
        self.streamsBody = threadpool is not None
        constant = {
            "wsgi.version": (1, 0),
            "wsgi.multithread": _processes.servedByThreads or (multithread and threadpool is not None),
            "wsgi.multiprocess": _processes.servedBySeveral if multiprocess is None else multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            # Not of PEP 3333, but common: the input ends where the body does, so that one without a length,
            # which comes in chunks, can be read.
            "wsgi.input_terminated": True,
        }
        self.set_up(
            application,
            constant,
            partial(log.msg, system="wsgi", isError=1),
            in_threads=threadpool is not None,
            host=threadpool if isinstance(threadpool, ThreadPool) else None,
        )

    def getChildWithDefault(self, path: bytes, request: "Request") -> NoReturn:
        """The application answers for everything below itself: raises RuntimeError."""
        raise RuntimeError("a WSGIResource has no children: its application sees the rest of the path")

    def putChild(self, path: bytes | str, child: "ResourceLike") -> None:
        """There can't be children: raises RuntimeError."""
        raise RuntimeError("a WSGIResource can't have children: put them beside it")

    # What the engine asks for

    def _wayBack(self) -> WayBack:
        # Not get_running_loop: under a foreign reactor there may be none.
        loop = asyncio._get_running_loop()
        way = self._lastWayBack
        if way is None or way.loop is not loop:
            way = self._lastWayBack = wayBackTo(self._reactor, loop)
        return way

    def _lendThread(self, session: Session) -> None:
        """Have the pool call `session`; Error (503) if it takes no more calls."""
        pool = self._threadpool
        if getattr(pool, "started", True) is False and isinstance(self._reactor, ReactorThreads):
            # The reactor starts its own pool when it is asked for it while a loop runs.
            self._reactor.getThreadPool()
        if getattr(pool, "joined", False):
            # The client would wait for ever.
            raise Error(503)
        if isinstance(pool, ThreadPool):
            pool.lendThread(session)
        else:
            pool.callInThread(session)

    def _inputOf(self, request: "Request", way: WayBack) -> Any:
        """In the application's thread: what it reads a body from that is large or still coming."""
        return inputOf(request, way)

    def _failInLoop(self, request: "Request", exception: BaseException) -> None:
        """Answer what the application has raised in its thread."""
        answer = exception.answer if isinstance(exception, BodyRefused) else exception
        request._failed(answer, self)
