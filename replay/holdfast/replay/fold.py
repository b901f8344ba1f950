"""Fold: runs a reducer over recorded facts and compares what comes out.

Speed is the point of this file. A chunk is folded in one plain loop, its commands are
encoded in one call and compared as bytes; only where these differ is the chunk folded
again, fact by fact, to find the place, or to find that only the form differs.
"""

from collections.abc import Sequence

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder, decode

from holdfast.core.commands import Command
from holdfast.core.events import Event, Started
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
from holdfast.replay.failures import FAULTS
from holdfast.replay.lines import NO_STATE, UNKNOWN, End, FactLine
from holdfast.replay.platforms import Platform, State

BROKEN_MAX = 100

Commands = list[Command]
Checkpoint = tuple[Raw, State]

UNKNOWN_BYTES = bytes(UNKNOWN)

_encode = Encoder().encode
_commands = Decoder(Commands)


class Broken(Struct, frozen=True):
    """The promises that the step of one fact broke."""

    seq: int
    at_ms: int
    promises: tuple[str, ...]


class Rules(Struct, frozen=True):
    """By what is folded: with `fixed`, `policy` holds whatever the facts carry."""

    platform: Platform
    policy: Policy
    fixed: bool = False
    invariants: bool = True

    def policy_from(self, event: Event, policy: Policy) -> Policy:
        """Return the policy in force from this fact on."""
        if self.fixed or not isinstance(event, Started):
            return policy
        return event.policy or policy


class Fold:
    """Takes chunks of facts; `state` is where it stands, after `facts` facts.

    Stop when `divergence` is set. `unknown` counts facts whose commands nobody
    recorded, `broken` lists the first steps that broke a promise.
    """

    def __init__(self, rules: Rules, state: State) -> None:
        self.state = state
        self.facts = self.unknown = self.seq = 0
        self.divergence: Divergence | None = None
        self.broken: list[Broken] = []
        self._rules = rules
        self._step = rules.platform.step
        self._policy = rules.policy

    def take(self, lines: Sequence[FactLine]) -> None:
        """Fold a chunk; raise `DecodeError` where recorded commands are unreadable.

        The fact to blame is then number `facts`, counted from 0.
        """
        kept, policy = len(self.broken), self._policy
        state = self._at_once(lines)
        if state is not None:
            self.state = state
            self.facts += len(lines)
            self.seq = lines[-1].seq
            return
        del self.broken[kept:]
        self._policy = policy
        for line in lines:
            self._take_one(line)
            if self.divergence is not None:
                return

    def finish(self, end: End, last: FactLine | None) -> None:
        """Compare the final state with the digest of the end line."""
        produced = state_digest(self.state)
        if produced != end.state and self._checkpoint_digest(last) != end.state:
            self.divergence = end_differs(last, self.state, end.state, produced)

    def _checkpoint_digest(self, last: FactLine | None) -> str:
        """Return the digest of a last checkpoint, which is known to be equal.

        Equal states may be written in two forms, with and without a default.
        """
        if last is None or last.state is NO_STATE:
            return ""
        return state_digest(decode(last.state, type=self._rules.platform.state))

    def _at_once(self, lines: Sequence[FactLine]) -> State | None:
        """Return the state after all facts, or None where a closer look is needed."""
        produced: list[Commands] = []
        checkpoints: list[Checkpoint] = []
        run = self._watched if self._rules.invariants else self._plain
        try:
            state = run(lines, produced, checkpoints)
            encoded = _encode(produced)
        except FAULTS:
            return None
        recorded = b"[" + b",".join([line.commands for line in lines]) + b"]"
        same = encoded == recorded and all(
            encode_state(after) == bytes(written) for written, after in checkpoints
        )
        return state if same else None

    def _plain(
        self,
        lines: Sequence[FactLine],
        produced: list[Commands],
        marked: list[Checkpoint],
    ) -> State:
        state, policy = self.state, self._policy
        step, tell, bare = self._step, produced.append, NO_STATE
        for line in lines:
            if type(line.event) is Started:
                policy = self._rules.policy_from(line.event, policy)
            state, commands = step(state, line, policy)
            tell(commands)
            if line.state is not bare:
                marked.append((line.state, state))
        self._policy = policy
        return state

    def _watched(
        self,
        lines: Sequence[FactLine],
        produced: list[Commands],
        marked: list[Checkpoint],
    ) -> State:
        """Do as `_plain` does, and hold every step against the invariants."""
        state, broken = self.state, self._rules.platform.broken
        for line in lines:
            before = state
            policy = self._policy = self._rules.policy_from(line.event, self._policy)
            state, commands = self._step(before, line, policy)
            produced.append(commands)
            if line.state is not NO_STATE:
                marked.append((line.state, state))
            if promises := broken(before, line, state, commands, policy):
                self._note(line, promises)
        return state

    def _note(self, line: FactLine, promises: Sequence[str]) -> None:
        if len(self.broken) < BROKEN_MAX:
            self.broken.append(Broken(line.seq, line.at_ms, tuple(promises)))

    def _take_one(self, line: FactLine) -> None:
        """Fold one fact and say what differs, by values instead of bytes."""
        before = self.state
        commands: list[Commands] = []
        run = self._watched if self._rules.invariants else self._plain
        try:
            after = run([line], commands, [])
        except FAULTS as error:
            self.divergence = reducer_failed(line, before, error)
            return
        moment = Moment(line, before, after, commands[0])
        self.divergence = self._compare(line, moment)
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
        checkpoint = decode(line.state, type=self._rules.platform.state)
        return state_differs(moment, checkpoint)
