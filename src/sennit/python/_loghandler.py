"""What gives records of the standard `logging` to an observer."""

import logging

from sennit.python.log import Observer, emitting, eventOf


class ObserverHandler(logging.Handler):
    """Gives an observer the records of the logger as events."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self.observer = observer

    def emit(self, record: logging.LogRecord) -> None:
        with emitting() as isOutermost:
            if not isOutermost:
                return
            try:
                self.observer(eventOf(record))
            except Exception:
                self.handleError(record)
