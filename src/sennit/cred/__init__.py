"""Logging in: a portal takes credentials to a checker, and who that says it is to a realm, which gives the
avatar.

One module per module of Twisted Cred, under the same name. Nothing here knows of HTTP: `sennit.web.guard`
does.
"""
