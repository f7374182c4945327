"""The reactor of the process: importing this module gives the object itself, not a module.

from sennit.internet import reactor
reactor.callLater(1.0, print, "a second later")
reactor.run()
"""

import sys
from typing import cast

from sennit.internet._reactor import Reactor

sys.modules[__name__] = cast("object", Reactor())  # type: ignore[assignment]
