"""What goes into the journal and what comes out of it.

The journal knows nothing of core's types: events, commands and states are JSON as
bytes, handles and delivery states are text. Units: every `at_ms` is milliseconds on
the owner's clock; the journal stores and compares it, no more.
"""

from typing import TypeAlias

from msgspec import Struct

NewFact: TypeAlias = tuple[int, int, bytes]
"""A fact to be recorded: seq, at_ms, event."""

Noted: TypeAlias = tuple[int, bytes]
"""The commands of an earlier fact: its seq, the commands."""


class Fact(Struct, frozen=True, gc=False):
    """One recorded fact; `commands` is None if a crash came before they were noted."""

    seq: int
    at_ms: int
    event: bytes
    commands: bytes | None


class Kept(Struct, frozen=True, gc=False):
    """A value for the vault (token, cursor, body), kept with the fact that needs it."""

    handle: str
    kind: str
    value: bytes


class PartNote(Struct, frozen=True, gc=False):
    """The latest state of one part of a delivery.

    `delivery` is the seq of the fact that asked for it: both are retained as long.
    """

    delivery: int
    part: int
    state: str
    attempts: int
    peer_id: str
    error: str


class Snapshot(Struct, frozen=True, gc=False):
    """The state after the fact `seq`; `core` is the digest of the code that made it."""

    seq: int
    state: bytes
    core: str


class Entry(Struct, frozen=True, gc=False):
    """What one account hands to the journal at once: all of it is recorded, or none.

    The seqs of an account's facts count 1, 2, 3 … without a gap, over all its entries.
    """

    account: str
    facts: tuple[NewFact, ...] = ()
    kept: tuple[Kept, ...] = ()  # A forgotten handle stays forgotten.
    forgotten: tuple[str, ...] = ()  # Handles whose value goes for good.
    commands: tuple[Noted, ...] = ()  # Of facts in earlier entries or in this one.
    offered: tuple[int, ...] = ()  # Seqs of facts that are messages for consumers.
    parts: tuple[PartNote, ...] = ()
    snapshot: Snapshot | None = None
