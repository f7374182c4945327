import sys

from zope.interface import implementer

from twisted.cred.checkers import FilePasswordDB
from twisted.cred.portal import IRealm, Portal
from twisted.internet import endpoints, reactor
from twisted.web.guard import DigestCredentialFactory, HTTPAuthSessionWrapper
from twisted.web.resource import IResource
from twisted.web.server import Site
from twisted.web.static import File


@implementer(IRealm)
class PagesRealm:
    def requestAvatar(self, avatarId, mind, *interfaces):
        if IResource in interfaces:
            return (IResource, File("pages/%s" % (avatarId.decode("ascii"),)), lambda: None)
        raise NotImplementedError()


portal = Portal(PagesRealm(), [FilePasswordDB("passwords")])
credentialFactory = DigestCredentialFactory("md5", "localhost")
resource = HTTPAuthSessionWrapper(portal, [credentialFactory])
site = Site(resource)
endpoint = endpoints.TCP4ServerEndpoint(reactor, int(sys.argv[1]))
endpoint.listen(site)
reactor.run()
