"""Names that templates know: the namespace of their attributes, and the elements of HTML."""

from typing import Final

# What a template declares to be able to say t:render and so on; the name is Twisted's, so that templates
# written for that work.
TEMPLATE_NAMESPACE: Final = "http://twistedmatrix.com/ns/twisted.web.template/0.1"

# The elements of HTML today and those of old pages.
_HTML: Final = """
a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br
    button canvas caption center cite code col colgroup command data datalist dd del details dfn dialog dir
    div dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head
    header hgroup hr html i iframe img input ins isindex kbd keygen label legend li link main map mark math
    menu meta meter nav noframes noscript object ol optgroup option output p param picture pre progress q rp
    rt ruby s samp script search section select small source span strike strong style sub summary sup svg
    table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr
"""

# What `tags` can make.
VALID_HTML_TAG_NAMES: Final = frozenset(_HTML.split())

# Elements that have no end tag (HTML section 13.1.2, and those that were so in older HTML).
VOID_TAG_NAMES: Final = frozenset(
    b"""
    area base basefont br col command embed frame hr img input isindex keygen link meta param source track wbr
    """.split()
)
