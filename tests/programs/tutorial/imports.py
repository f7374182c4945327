from twisted.cred import checkers, credentials, error, portal
from twisted.internet import (
    address,
    defer,
    endpoints,
    interfaces,
    protocol,
    reactor,
    task,
    threads,
    utils,
)
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionLost
from twisted.logger import Logger, globalLogPublisher, jsonFileLogObserver
from twisted.python import (
    compat,
    components,
    failure,
    filepath,
    log,
    reflect,
    threadpool,
    urlpath,
    usage,
    util,
)
from twisted.python.components import proxyForInterface, registerAdapter
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from twisted.python.reflect import namedAny, namedClass
from twisted.python.urlpath import URLPath
from twisted.python.util import println
from twisted.web import (
    demo,
    distrib,
    guard,
    http,
    http_headers,
    iweb,
    pages,
    resource,
    rewrite,
    script,
    server,
    static,
    template,
    twcgi,
    util as webutil,
    vhost,
    wsgi,
    xmlrpc,
)
from twisted.web.test.requesthelper import DummyRequest

println("all of them")
