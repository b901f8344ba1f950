"""Fold: runs a reducer over recorded facts and compares what comes out.

Speed is the point of this file. A chunk is folded in one plain loop, its commands are
encoded in one call and compared as bytes; only where these differ is the chunk folded
again, fact by fact, to find the place, or to find that only the form differs.
"""

from collections.abc import Callable, Sequence

from msgspec import Raw, Struct
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
from holdfast.replay.lines import NO_STATE, UNKNOWN, End, FactLine
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

Tell = Callable[[list[Command]], None]
Mark = Callable[[tuple[Raw, State]], None]

UNKNOWN_BYTES = bytes(UNKNOWN)

_encode = Encoder().encode
_commands = Decoder(list[Command])


class Broken(Struct, frozen=True):
    """The promises that the step of one fact broke."""

    seq: int
    at_ms: int
    promises: tuple[str, ...]


class Fold:
    """Takes chunks of facts; `state` is where it stands, after `facts` facts.

    Stop when `divergence` is set. `unknown` counts facts whose commands nobody
    recorded, `broken` lists the first steps that broke a promise.
    """

    def __init__(
        self, platform: Platform, state: State, policy: Policy, *, invariants: bool
    ) -> None:
        self.state = state
        self.facts = self.unknown = self.seq = 0
        self.divergence: Divergence | None = None
        self.broken: list[Broken] = []
        self._platform = platform
        self._policy = policy
        self._invariants = invariants

    def take(self, lines: Sequence[FactLine]) -> None:
        """Fold a chunk; raise `DecodeError` where recorded commands are unreadable.

        The fact to blame is then number `facts`, counted from 0.
        """
        kept = len(self.broken)
        state = self._at_once(lines)
        if state is not None:
            self.state = state
            self.facts += len(lines)
            self.seq = lines[-1].seq
            return
        del self.broken[kept:]
        for line in lines:
            self._take_one(line)
            if self.divergence is not None:
                return

    def finish(self, end: End, last: FactLine | None) -> None:
        """Compare the final state with the digest of the end line."""
        produced = state_digest(self.state)
        if produced != end.state:
            self.divergence = end_differs(last, self.state, end.state, produced)

    def _at_once(self, lines: Sequence[FactLine]) -> State | None:
        """Return the state after all facts, or None where a closer look is needed."""
        run = self._watched if self._invariants else self._plain
        produced: list[list[Command]] = []
        checkpoints: list[tuple[Raw, State]] = []
        try:
            state = run(lines, produced.append, checkpoints.append)
            encoded = _encode(produced)
        except FAULTS:
            return None
        recorded = b"[" + b",".join([line.commands for line in lines]) + b"]"
        same = encoded == recorded and all(
            encode_state(after) == bytes(written) for written, after in checkpoints
        )
        return state if same else None

    def _plain(self, lines: Sequence[FactLine], tell: Tell, mark: Mark) -> State:
        step, policy, state = self._platform.step, self._policy, self.state
        for line in lines:
            state, commands = step(state, line, policy)
            tell(commands)
            if line.state is not NO_STATE:
                mark((line.state, state))
        return state

    def _watched(self, lines: Sequence[FactLine], tell: Tell, mark: Mark) -> State:
        """Do as `_plain` does, and hold every step against the invariants."""
        step, policy, state = self._platform.step, self._policy, self.state
        broken = self._platform.broken
        for line in lines:
            before = state
            state, commands = step(before, line, policy)
            tell(commands)
            if line.state is not NO_STATE:
                mark((line.state, state))
            if promises := broken(before, line, state, commands, policy):
                self._note(line, promises)
        return state

    def _note(self, line: FactLine, promises: Sequence[str]) -> None:
        if len(self.broken) < BROKEN_MAX:
            self.broken.append(Broken(line.seq, line.at_ms, tuple(promises)))

    def _take_one(self, line: FactLine) -> None:
        """Fold one fact and say what differs, by values instead of bytes."""
        before = self.state
        try:
            after, commands = self._platform.step(before, line, self._policy)
            if self._invariants:
                judge = self._platform.broken
                if promises := judge(before, line, after, commands, self._policy):
                    self._note(line, promises)
        except FAULTS as error:
            self.divergence = reducer_failed(line, before, error)
            return
        self.divergence = self._compare(line, Moment(line, before, after, commands))
        self.state, self.seq = after, line.seq
        self.facts += 1

    def _compare(self, line: FactLine, moment: Moment) -> Divergence | None:
        if bytes(line.commands) == UNKNOWN_BYTES:
            self.unknown += 1
        else:
            recorded = _commands.decode(line.commands)
            if recorded != moment.commands:
                return commands_differ(moment, recorded)
        if line.state is NO_STATE:
            return None
        checkpoint = decode(line.state, type=self._platform.state)
        if encode_state(checkpoint) == encode_state(moment.after):
            return None
        return state_differs(moment, checkpoint)
