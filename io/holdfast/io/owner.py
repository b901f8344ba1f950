"""The owner: one account's loop, which alone holds its state.

Stamp, record, step, act, in this order and for one fact after the other: no command
runs before the fact that caused it is on disk. Commands run in the order given
(`acting`), and what comes of them returns through the inbox as facts. Nothing rests on
the order in which tasks are run.
"""

import msgspec
import trio
from msgspec import Raw

from holdfast.core.commands import Command
from holdfast.core.events import Fact, Started, StopRequested
from holdfast.io.acting import Acting
from holdfast.io.clock import Timeline
from holdfast.io.draft import Draft
from holdfast.io.journal_rows import Entry, Snapshot
from holdfast.io.letters import Letter, Letterbox
from holdfast.io.recovery import Checkpoint, Recovered, beside
from holdfast.io.release import VERSION
from holdfast.io.seat import Seat
from holdfast.io.unwrapping import Unwrapped

encode = msgspec.json.encode


class InvariantBrokenError(AssertionError):
    """A promise of the core was broken; the journal holds the fact that led there."""


class StoppedError(RuntimeError):
    """The account is stopped, or stopped before what was asked became durable."""


class Owner:
    """One account's loop. Call `run` once; `ask` and `post` from anywhere in trio."""

    def __init__(self, seat: Seat, recovered: Recovered) -> None:
        self.seat = seat
        self.state = recovered.state
        self.seq = recovered.seq
        self._timeline = Timeline(seat.clock, recovered.at_ms)
        self._snapshot_seq = recovered.snapshot_seq
        self._letters = Letterbox()
        # Before anybody else can post: nothing precedes the fact that we took over.
        changed = recovered.seq == 0 or seat.policy != recovered.policy
        policy = seat.policy if changed else None
        started = Started(seat.seed, VERSION, policy)
        self._letters.post_first(Draft((started,)))
        self._acting = Acting(
            seat.peer, seat.login, self._letters, self._timeline.now_ms
        )
        self._cancel = trio.CancelScope(shield=True)
        self._ended = trio.Event()

    @property
    def now_ms(self) -> int:
        """The account's own time."""
        return self._timeline.now_ms()

    async def post(self, draft: Draft) -> None:
        """Hand facts over; wait only while the inbox is full."""
        await self._letters.post(draft)

    async def ask(self, draft: Draft) -> range:
        """Hand facts over; return their seqs once they are durable and acted upon.

        Raises `StoppedError` when the account stopped before that.
        """
        letter = await self._letters.deliver(draft)
        if not letter.read:
            name = self.seat.account
            raise StoppedError(f"account {name} is stopped: open the service again")
        return letter.seqs

    async def run(self) -> None:
        """Fold the inbox into the state until `stop` or `cut_off`.

        Cancellation does not reach it: whoever cancels the service stops it instead,
        so that a poll's answer is not lost on the way to the journal.
        """
        try:
            with self._cancel, Unwrapped():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.seat.login.watch, self.post)
                    await self._fold(nursery)
                    nursery.cancel_scope.cancel()
        finally:
            self._ended.set()

    async def _fold(self, nursery: trio.Nursery) -> None:
        try:
            closing = False
            while not closing:
                letters = await self._letters.take()
                await self._take(letters, nursery)
                closing = any(not letter.draft.events for letter in letters)
            self._note([], [], force_snapshot=True)
        finally:
            self._letters.close()

    async def stop(self, reason: str, *, grace_s: float, poll_grace_s: float) -> None:
        """Begin nothing new, let what is under way end, then end `run`.

        A poll that is cut off may cost a message (S1), so it gets a moment too.
        """
        asked = await self._letters.deliver(Draft((StopRequested(reason),)))
        if asked.read:
            await self._acting.settle(grace_s=grace_s, poll_grace_s=poll_grace_s)
            # An empty draft ends the loop, behind all that was posted before.
            await self._letters.deliver(Draft(()))
        await self._ended.wait()

    def cut_off(self) -> None:
        """End `run` now; what was recorded stays."""
        self._cancel.cancel()

    async def _take(self, letters: list[Letter], nursery: trio.Nursery) -> None:
        """Stamp, record, step, act."""
        facts = [fact for letter in letters for fact in self._stamp(letter)]
        kept = tuple(value for letter in letters for value in letter.draft.kept)
        rows = tuple((fact.seq, fact.at_ms, encode(fact.event)) for fact in facts)
        await self.seat.journal.append(Entry(self.seat.account, facts=rows, kept=kept))
        acts: list[Command] = []
        noted: list[tuple[int, bytes]] = []
        for fact in facts:
            commands = self._step(fact)
            for command in commands:
                self._acting.act(command, nursery)
            acts += commands
            noted.append((fact.seq, encode(commands)))
        self._note(acts, noted)
        self._letters.answer(letters)

    def _stamp(self, letter: Letter) -> list[Fact]:
        at_ms = self._timeline.now_ms()
        events = letter.draft.events
        letter.seqs = range(self.seq + 1, self.seq + 1 + len(events))
        self.seq += len(events)
        return [
            Fact(seq, at_ms, event)
            for seq, event in zip(letter.seqs, events, strict=True)
        ]

    def _step(self, fact: Fact) -> list[Command]:
        before, policy = self.state, self.seat.policy
        platform = self.seat.platform
        self.state, commands = platform.step(before, fact, policy)
        if problems := platform.broken(before, fact, self.state, commands, policy):
            what = "; ".join(problems)
            raise InvariantBrokenError(f"{self.seat.account} fact {fact.seq}: {what}")
        self.seat.host.stepped(self.seat.account, fact, before, self.state, commands)
        return commands

    def _note(
        self,
        acts: list[Command],
        noted: list[tuple[int, bytes]],
        *,
        force_snapshot: bool = False,
    ) -> None:
        """Write what followed from the facts; it may be durable a little later."""
        snapshot = None
        due = self.seq - self._snapshot_seq >= self.seat.policy.journal.snapshot_facts
        if due or (force_snapshot and self.seq > self._snapshot_seq):
            checkpoint = encode(Checkpoint(self.seat.policy, Raw(encode(self.state))))
            snapshot = Snapshot(self.seq, checkpoint, VERSION)
            self._snapshot_seq = self.seq
        self.seat.journal.note(beside(self.seat.account, acts, noted, snapshot))
