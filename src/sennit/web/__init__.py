"""What a program is written against: resources, requests, sites, and the pages made of them.

One module per module of Twisted Web, under the same name; modules whose name begins with an underscore are
private.
"""
