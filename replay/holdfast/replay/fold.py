"""Fold: runs a reducer over recorded facts and compares what comes out.

Speed is the point of this file. A chunk is folded in one plain loop, its commands are
encoded in one call and compared as bytes; only where these differ is the chunk folded
again, fact by fact, to find the place, or to find that only the form differs.
"""

from collections.abc import Sequence

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder, Encoder, decode

from holdfast.core.commands import Command
from holdfast.core.policy import Policy
from holdfast.replay.digests import encode_state, state_digest
from holdfast.replay.divergence import (
    Divergence,
    Moment,
    commands_differ,
    end_differs,
    reducer_failed,
    state_differs,
)
from holdfast.replay.lines import (
    NO_STATE,
    UNKNOWN,
    End,
    FactLine,
    RecordingError,
)
from holdfast.replay.platforms import Platform, State

BROKEN_MAX = 100
# What a bug in a reducer raises: a fold does no I/O, so nothing else can come of it.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

_encode = Encoder().encode
_commands = Decoder(list[Command])


class Broken(Struct, frozen=True):
    """The promises that the step of one fact broke."""

    seq: int
    at_ms: int
    promises: tuple[str, ...]


class Fold:
    """Takes chunks of fact lines until `divergence` is set; see `state` for where it is.

    `facts` counts those folded, `unknown` those whose commands nobody recorded.
    """

    def __init__(
        self, platform: Platform, state: State, policy: Policy, *, invariants: bool
    ) -> None:
        self.state = state
        self.facts = self.unknown = 0
        self.divergence: Divergence | None = None
        self.broken: list[Broken] = []
        self._platform = platform
        self._policy = policy
        self._invariants = invariants
        self._last: Moment | None = None

    def take(self, lines: Sequence[FactLine]) -> None:
        """Fold a chunk; raise `DecodeError` when recorded commands are unreadable."""
        state = self._alike(lines)
        if state is None:
            for line in lines:
                self._take_one(line)
                if self.divergence is not None:
                    return
            return
        self.state = state
        self.facts += len(lines)
        if self._invariants:
            ...

    def finish(self, end: End) -> None:
        """Compare the final state with the digest of the end line."""
