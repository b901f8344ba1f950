"""Recovery: an account's state is the fold of its journal, from the last snapshot.

A crash can lose an act, never its reason. What an act wrote beside the facts (offers,
reports, forgotten values) is therefore done again for every fact after the snapshot;
doing it twice changes nothing. Acts that ask the peer are not repeated: `Started`
makes the machines ask anew.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Raw, Struct

from holdfast.core.commands import Command, Forget, Offer, Report
from holdfast.core.events import Event, Fact, Started
from holdfast.core.policy import Policy
from holdfast.io.journal_read import JournalReads
from holdfast.io.journal_rows import Entry, PartNote, Snapshot
from holdfast.io.journal_rows import Fact as Row
from holdfast.io.rules import Rules, State

PAGE = 1_000
# Nesting that exhausts the stack is unreadable like anything else.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
decode_event = msgspec.json.Decoder(Event).decode


class Checkpoint(Struct, frozen=True):
    """What a snapshot holds: a state, and the policy that was in force there.

    Which type the state is of, only its platform knows.
    """

    policy: Policy
    state: Raw


class RecoveryError(Exception):
    """The journal cannot be folded: the text names the account, the seq and why."""


class Recovered(Struct, frozen=True):
    """Where an account stands: its state after the fact `seq`, recorded at `at_ms`.

    Hand `redo` to the journal before anything else. `snapshot_seq` is the fact from
    which was folded.
    """

    state: State
    policy: Policy
    seq: int
    at_ms: int
    redo: Entry
    snapshot_seq: int


class Standing(Struct, frozen=True):
    """A state, and the policy in force, after the fact `seq`; 0 is before the first."""

    state: State
    policy: Policy
    seq: int


def recover(
    journal: JournalReads, account: str, rules: Rules, policy: Policy
) -> Recovered:
    """Fold an account's journal; `policy` is used where the journal names none."""
    start = _start(journal, account, Standing(rules.state(), policy, 0), None)
    state, policy, seq = start.state, start.policy, start.seq
    noted: list[tuple[int, bytes]] = []
    acts: list[Command] = []
    for row in read_facts(journal, account, seq):
        fact = read_fact(journal, account, row)
        policy = policy_from(fact, policy)
        state, commands = rules.step(state, fact, policy)
        if row.commands is None:
            noted.append((row.seq, msgspec.json.encode(commands)))
        acts += commands
        seq = row.seq
    last = journal.last(account)
    at_ms = last.at_ms if last else 0
    redo = beside(account, acts, noted)
    return Recovered(state, policy, seq, at_ms, redo, start.seq)


def folded_until(
    journal: JournalReads, account: str, seq: int | None, rules: Rules, policy: Policy
) -> Standing:
    """Return where an account stood after a fact; None: as early as can be folded."""
    new = Standing(rules.state(), policy, 0)
    if seq is None:
        first = journal.first_seq(account) or 1
        return _start(journal, account, new, first - 1)
    start = _start(journal, account, new, seq)
    state, policy = start.state, start.policy
    for row in read_facts(journal, account, start.seq):
        if row.seq > seq:
            break
        fact = read_fact(journal, account, row)
        policy = policy_from(fact, policy)
        state, _ = rules.step(state, fact, policy)
    return Standing(state, policy, seq)


def policy_from(fact: Fact, policy: Policy) -> Policy:
    """Return the policy in force from this fact on: a start may bring another."""
    event = fact.event
    if isinstance(event, Started) and event.policy is not None:
        return event.policy
    return policy


def beside(
    account: str,
    commands: Iterable[Command],
    noted: Sequence[tuple[int, bytes]],
    snapshot: Snapshot | None = None,
) -> Entry:
    """Return what commands leave in the journal beside the facts."""
    offered, parts, forgotten = [], [], []
    for command in commands:
        match command:
            case Offer():
                offered.append(command.message)
            case Report():
                parts.append(_part_note(command))
            case Forget():
                forgotten.append(command.handle)
            case _:
                pass
    return Entry(
        account=account,
        commands=tuple(noted),
        offered=tuple(offered),
        parts=tuple(parts),
        forgotten=tuple(forgotten),
        snapshot=snapshot,
    )


def read_facts(journal: JournalReads, account: str, after: int) -> Iterator[Row]:
    """Yield every recorded fact with seq > after, in order, a page at a time."""
    while rows := journal.facts(account, after, PAGE):
        if after and rows[0].seq != after + 1:
            what = f"fact {rows[0].seq} of {account} follows fact {after}"
            raise journal.damage(what)
        yield from rows
        after = rows[-1].seq


def read_fact(journal: JournalReads, account: str, row: Row) -> Fact:
    """Open a recorded fact; raise `RecoveryError` where this release cannot."""
    try:
        return Fact(row.seq, row.at_ms, decode_event(row.event))
    except UNREADABLE as error:
        raise RecoveryError(
            f"{journal.path}: account {account}: fact {row.seq} cannot be read:"
            f" {error}; install the release that wrote it, or a newer one"
        ) from error


def _start(
    journal: JournalReads, account: str, new: Standing, at_most: int | None
) -> Standing:
    """Return the newest snapshot that this release can read, else the beginning."""
    kind = type(new.state)
    why = ""
    while snapshot := journal.snapshot(account, at_most):
        try:
            kept = msgspec.json.decode(snapshot.state, type=Checkpoint)
            state = msgspec.json.decode(kept.state, type=kind)
        except UNREADABLE as error:
            why = f"; the snapshot at {snapshot.seq} cannot be read: {error}"
            at_most = snapshot.seq - 1
        else:
            return Standing(state, kept.policy, snapshot.seq)
    first = journal.first_seq(account)
    if first not in (None, 1):
        raise RecoveryError(
            f"{journal.path}: account {account}: the journal begins at fact {first}"
            f" without a snapshot before it{why}; install the release that wrote it, or"
            f" a newer one"
        )
    return new


def _part_note(report: Report) -> PartNote:
    return PartNote(
        delivery=report.delivery,
        part=report.part,
        state=report.state,
        attempts=report.attempts,
        peer_id=report.peer_id,
        error=report.error,
    )
