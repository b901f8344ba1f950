"""The owner: one account's loop, which alone holds its state.

Stamp, record, step, act, in this order and for one fact after the other: no command
runs before the fact that caused it is on disk. Commands run in the order given; what
waits (a request, a timer) becomes a task, and whatever comes of it returns through the
inbox as a fact. Nothing rests on the order in which tasks are run.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
import trio
from msgspec import Struct

from holdfast.core.commands import (
    ClearTimer,
    Command,
    NotifyStart,
    NotifyStop,
    Poll,
    ReloadCredentials,
    Send,
    SetTimer,
)
from holdfast.core.events import Fact, Started, StopRequested, TimerFired
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.io.clock import Clock, Timeline
from holdfast.io.draft import Draft
from holdfast.io.journal import Journal
from holdfast.io.journal_rows import Entry, Snapshot
from holdfast.io.letters import Letter, Letterbox
from holdfast.io.login import Login
from holdfast.io.recovery import Checkpoint, Recovered, beside
from holdfast.io.release import VERSION
from holdfast.io.unwrapping import Unwrapped

encode = msgspec.json.encode


class InvariantBrokenError(AssertionError):
    """A promise of the core was broken; the journal holds the fact that led there."""


class StoppedError(RuntimeError):
    """The account is stopped, or stopped before what was asked became durable."""


class Peer(Protocol):
    """The other side: carries out what asks it something, and never raises for it."""

    async def perform(self, command: Command) -> Draft:
        """Do it, and return the facts that came of it."""
        ...


class Host(Protocol):
    """Who is told what the account does."""

    def stepped(
        self,
        account: str,
        fact: Fact,
        before: Weixin,
        after: Weixin,
        acts: list[Command],
    ) -> None:
        """Take note of one fact and what followed; must not block."""
        ...


Step = Callable[[Weixin, Fact, Policy], tuple[Weixin, list[Command]]]
Check = Callable[[Weixin, Fact, Weixin, list[Command], Policy], list[str]]


class Seat(Struct, frozen=True):
    """What an owner sits on: its account's name, rules, peer, login and journal."""

    account: str
    policy: Policy
    step: Step
    check: Check
    peer: Peer
    login: Login
    journal: Journal
    clock: Clock
    host: Host
    seed: int


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
        self._timers: dict[str, trio.CancelScope] = {}
        self._poll = trio.CancelScope()
        self._asking = 0
        self._polling = 0
        self._settled = trio.Event()
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
            with trio.move_on_after(grace_s):
                await self._until(lambda: not self._asking)
            with trio.move_on_after(poll_grace_s):
                await self._until(lambda: not self._polling)
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
                self._act(command, nursery)
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
        self.state, commands = self.seat.step(before, fact, policy)
        if problems := self.seat.check(before, fact, self.state, commands, policy):
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
            checkpoint = encode(Checkpoint(self.seat.policy, self.state))
            snapshot = Snapshot(self.seq, checkpoint, VERSION)
            self._snapshot_seq = self.seq
        self.seat.journal.note(beside(self.seat.account, acts, noted, snapshot))

    def _act(self, command: Command, nursery: trio.Nursery) -> None:
        """Act in the order given; only what waits becomes a task."""
        match command:
            case SetTimer():
                scope = self._replace_timer(command.name)
                nursery.start_soon(self._sleep, command, scope)
            case ClearTimer():
                self._replace_timer(command.name)
            case ReloadCredentials():
                nursery.start_soon(self._reload)
            case Poll():
                self._poll.cancel()
                self._poll = trio.CancelScope()
                self._polling += 1
                nursery.start_soon(self._perform_poll, command, self._poll)
            case Send() | NotifyStart() | NotifyStop():
                self._asking += 1
                nursery.start_soon(self._perform, command)
            case _:
                # Offers, reports and forgotten values go into the journal with the
                # next note; the host hears of everything when it was stepped.
                pass

    def _replace_timer(self, name: str) -> trio.CancelScope:
        if old := self._timers.pop(name, None):
            old.cancel()
        scope = self._timers[name] = trio.CancelScope()
        return scope

    async def _sleep(self, command: SetTimer, scope: trio.CancelScope) -> None:
        with scope:
            wait_ms = max(0, command.due_ms - self.now_ms)
            await trio.sleep(wait_ms / 1000)
            await self.post(Draft((TimerFired(command.name, command.due_ms),)))

    async def _reload(self) -> None:
        await self.post(self.seat.login.read())

    async def _perform(self, command: Command) -> None:
        try:
            draft = await self.seat.peer.perform(command)
            await self._letters.deliver(draft)
        finally:
            self._asking -= 1
            self._wake()

    async def _perform_poll(self, command: Poll, scope: trio.CancelScope) -> None:
        try:
            with scope:
                draft = await self.seat.peer.perform(command)
                # Once the answer is here it is recorded, whatever replaces the poll.
                with trio.CancelScope(shield=True):
                    await self._letters.deliver(draft)
        finally:
            self._polling -= 1
            self._wake()

    def _wake(self) -> None:
        self._settled.set()
        self._settled = trio.Event()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._settled.wait()
