"""The request double at the place where Twisted has it."""

from sennit.web._dummyrequest import DummyRequest

__all__ = ["DummyRequest"]
