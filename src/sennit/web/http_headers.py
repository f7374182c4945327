"""Header fields of a message: `Headers`, and the error for names that can't be sent."""

from sennit._engine import Headers
from sennit.web._errors import InvalidHeaderName

__all__ = ["Headers", "InvalidHeaderName"]
