"""Pages for those who have logged in: each user (ada with "engine", grace with "nanosecond") has their own.

Run it with `python examples/authentication.py [PORT]`, and then
`curl --anyauth --user ada:engine http://localhost:8880/`.
"""

import sys

from zope.interface import implementer

from sennit.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from sennit.cred.portal import IRealm, Portal
from sennit.internet import reactor
from sennit.web.guard import BasicCredentialFactory, DigestCredentialFactory, HTTPAuthSessionWrapper
from sennit.web.resource import IResource, Resource
from sennit.web.server import Site


class Desk(Resource):
    isLeaf = True

    def __init__(self, user):
        super().__init__()
        self.user = user

    def render_GET(self, request):
        return f"The desk of {self.user}\n"


@implementer(IRealm)
class Desks:
    def requestAvatar(self, avatarId, mind, *interfaces):
        if IResource in interfaces:
            return IResource, Desk(avatarId.decode()), lambda: None
        raise NotImplementedError


users = InMemoryUsernamePasswordDatabaseDontUse(ada=b"engine", grace=b"nanosecond")
factories = [DigestCredentialFactory("SHA-256", "desks"), BasicCredentialFactory("desks")]
port = int(sys.argv[1]) if len(sys.argv) > 1 else 8880
reactor.listenTCP(port, Site(HTTPAuthSessionWrapper(Portal(Desks(), [users]), factories)))
reactor.run()
