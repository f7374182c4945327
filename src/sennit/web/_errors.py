"""Exceptions that the engine raises too, in a module that imports nothing, so that it can be loaded first."""


class InvalidHeaderName(ValueError):
    """A header name is empty or is not a token (RFC 9110 section 5.1)."""
