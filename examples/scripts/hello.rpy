# Run anew at each request; what it assigns to `resource` makes the response.
from datetime import UTC, datetime

from sennit.web.static import Data

resource = Data(f"Hello at {datetime.now(UTC).isoformat()}\n", "text/plain")
