"""Sennit: a web server and web framework with Twisted Web's programming model.

`sennit.web` is what programs are written against, `sennit.internet` what they listen and wait with;
`sennit.serving` is the command line. See the documentation's front page for the first lessons.
"""

__version__ = "0.1.0"
