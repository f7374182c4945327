import sys

from twisted.internet import endpoints, reactor
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.web.resource import Resource
from twisted.web.server import Site


class Shop(Resource):
    log = Logger()
    isLeaf = True

    def __init__(self, owner):
        Resource.__init__(self)
        self.owner = owner

    def render_GET(self, request):
        self.log.debug("not shown")
        self.log.info("{log_source.owner} was asked for {request.uri}", request=request)
        try:
            raise KeyError("pear")
        except KeyError:
            self.log.failure("no price")
        print("printed")
        return b"done"


predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
observer = FilteringLogObserver(textFileLogObserver(sys.stdout), [predicate])
globalLogBeginner.beginLoggingTo([observer])
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(Site(Shop("Ada")))
reactor.run()
