"""Keys: when two states of an account are the same for all that can follow.

Times count by how far away they are, and not at all once they are too far back to
matter; seqs and ids by their order. What no reducer reads (since when a phase lasts,
the last trouble, how often a part was tried) is left out. `docs/adr/0012` argues why a
state stands for all states of its key; tests hold every field against these functions.
"""

from collections.abc import Callable, Hashable
from typing import Any

from holdfast.core.connection import Connection
from holdfast.core.outbox import Outbox, Part
from holdfast.core.policy import Policy
from holdfast.core.session import Session
from holdfast.replay.explore.world import NEVER_MS

Name = Callable[[str], Hashable]
"""Takes a context's handle; returns what of it matters."""


def ahead(due_ms: int, now_ms: int) -> int | None:
    """Return how far away a timer is, None when it is not set."""
    if not due_ms:
        return None
    left_ms = due_ms - now_ms
    return min(NEVER_MS, left_ms)


def until(time_ms: int, now_ms: int) -> int:
    """Return how long until a time, 0 once it has come."""
    if time_ms <= now_ms:
        return 0
    left_ms = time_ms - now_ms
    return min(NEVER_MS, left_ms)


def ago(time_ms: int, now_ms: int, horizon_ms: int) -> int | None:
    """Return how long ago it was, at most the horizon; None when it never was."""
    if not time_ms:
        return None
    past_ms = now_ms - time_ms
    return min(horizon_ms, past_ms)


def same(handle: str, theirs: str) -> int:
    """Return which of two a handle is: none, the one the peer means, or another."""
    return 0 if not handle else 1 if handle == theirs else 2


def session_key(session: Session, now_ms: int) -> tuple[Any, ...]:
    """Return what matters of a session."""
    return (
        session.phase,
        session.refusals,
        session.unanswered,
        ahead(session.due_ms, now_ms),
        session.missing,
        session.needs_login,
    )


def connection_key(
    connection: Connection, now_ms: int, policy: Policy, dialed_ms: int
) -> tuple[Any, ...]:
    """Return what matters of a connection; dials are looked back at for `dialed_ms`."""
    return (
        connection.phase,
        ago(connection.dialed_ms, now_ms, dialed_ms),
        ahead(connection.due_ms, now_ms),
        ago(connection.confirmed_ms, now_ms, policy.connection.stable_ms),
        connection.attempt,
        connection.strangers,
    )


def outbox_key(outbox: Outbox, now_ms: int, name: Name) -> tuple[Any, ...]:
    """Return what matters of an outbox apart from its peers; ids by their order."""
    sending = outbox.sending
    if sending is None and not outbox.queues:
        return (until(outbox.next_ms, now_ms),)
    queues = [
        (
            peer,
            [
                (
                    order.total,
                    name(order.reply_to) if order.reply_to else None,
                    [_part_key(part, now_ms, name) for part in order.parts],
                )
                for order in orders
            ],
        )
        for peer, orders in outbox.queues.items()
    ]
    return (
        queues,
        None if sending is None else (sending.peer, name(sending.context)),
        until(outbox.next_ms, now_ms),
        ahead(outbox.due_ms, now_ms),
        outbox.parts,
    )


def _part_key(part: Part, now_ms: int, name: Name) -> tuple[Any, ...]:
    return (
        part.phase,
        until(part.due_ms, now_ms),
        part.throttles,
        part.losses,
        name(part.context) if part.context else None,
        part.number,
        part.renumbered,
        part.denied,
        part.doubtful,
        part.unsure,
    )
