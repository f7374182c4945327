"""W3C Trace Context: what a request says of the trace that it is a part of (the headers `traceparent` and
`tracestate`).

The rules are those of Trace Context level 1, with the random flag of level 2.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["TraceContext", "readTraceContext"]

# Section 3.2: version, trace-id, parent-id, trace-flags, all in lower case. What a later version has after
# these begins with a dash.
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_FORBIDDEN_VERSION = b"ff"
_NO_TRACE = b"0" * 32
_NO_PARENT = b"0" * 16

# Section 3.3.1.3: a key, perhaps of the form tenant@system, and a value without commas, equals signs and
# spaces at its end. Level 2 lets keys begin with a digit, too.
_MEMBER = re.compile(
    rb"([a-z0-9][a-z0-9_*/@-]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])"
)
_MOST_MEMBERS = 32
# Section 3.3.1.5: so many characters have to be passed on; of more, long members are left out first.
_STATE_LENGTH = 512
_LONG_MEMBER = 128

_SAMPLED = 0x01
_RANDOM = 0x02


@dataclass(frozen=True)
class TraceContext:
    """The place of a request in a trace.

    `traceId` (32 hexadecimal digits) is the same for all that belongs to the trace, `parentId` (16) is the
    caller's span. `sampled` says that the caller may have recorded it, `random` that the id was made by
    chance. `state` are (key, value) pairs of tracing systems, the latest first."""

    traceId: str
    parentId: str
    sampled: bool = False
    random: bool = False
    state: tuple[tuple[str, str], ...] = ()

    @property
    def traceparent(self) -> str:
        """The value of the header `traceparent`, in version 00."""
        flags = (_SAMPLED if self.sampled else 0) | (_RANDOM if self.random else 0)
        return f"00-{self.traceId}-{self.parentId}-{flags:02x}"

    @property
    def tracestate(self) -> str:
        """The value of the header `tracestate`, empty for none. Beyond 512 characters, members of more than
        128 are left out, then others, from the end."""
        members = [f"{key}={value}" for key, value in self.state]
        for least in (_LONG_MEMBER, 0):
            for place in reversed(range(len(members))):
                if sum(map(len, members)) + len(members) - 1 <= _STATE_LENGTH:
                    break
                if len(members[place]) > least:
                    del members[place]
        return ",".join(members)

    def headers(self) -> dict[str, str]:
        """The headers that a request which is made on behalf of this one passes the context on with."""
        state = self.tracestate
        return {"traceparent": self.traceparent} | ({"tracestate": state} if state else {})


def readTraceContext(parents: Sequence[bytes], states: Sequence[bytes]) -> TraceContext | None:
    """What the values of all `traceparent` and `tracestate` headers say; None if there is no context, or not
    one that can be read."""
    # Section 3.2: without a parent that is right, the state isn't looked at.
    found = _PARENT.fullmatch(parents[0].strip(b" \t")) if len(parents) == 1 else None
    if found is None:
        return None
    version, trace, parent, flags, rest = found.groups()
    if version == _FORBIDDEN_VERSION or (version == b"00" and rest is not None):
        return None
    if trace == _NO_TRACE or parent == _NO_PARENT:
        return None
    bits = int(flags, 16)
    return TraceContext(
        trace.decode("ascii"),
        parent.decode("ascii"),
        bool(bits & _SAMPLED),
        bool(bits & _RANDOM),
        _readState(states),
    )


def _readState(values: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    """The members of all headers, in their order; none if any of it is wrong."""
    state: dict[str, str] = {}
    for part in b",".join(values).split(b","):
        # Section 3.3.1.1: members may be empty.
        member = part.strip(b" \t")
        if not member:
            continue
        found = _MEMBER.fullmatch(member)
        if found is None:
            return ()
        key = found[1].decode("ascii")
        if key in state or len(state) == _MOST_MEMBERS:
            return ()
        state[key] = found[2].decode("ascii")
    return tuple(state.items())
