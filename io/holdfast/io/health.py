"""Health: how an account is, told from its state and its last proof of life."""

from msgspec import Struct

from holdfast.core.connection import Phase as Link
from holdfast.core.outbox import Outbox
from holdfast.core.outbox import Phase as PartPhase
from holdfast.io.rules import State


class Fatal(Struct, frozen=True):
    """Why an account waits for a human or the host."""

    code: str
    reason: str
    retryable: bool


class LastError(Struct, frozen=True):
    """The last thing that went wrong, in the peer's or the network's own words."""

    at_ms: int
    where: str
    code: str
    text: str


class Health(Struct, frozen=True):
    """One account as the HTTP API's `account` object shows it; times in epoch ms."""

    name: str
    platform: str
    account_id: str
    phases: dict[str, str]
    since_ms: dict[str, int]
    last_alive_ms: int
    needs_login: bool
    fatal: Fatal | None
    last_error: LastError | None
    outbox: dict[str, int]
    seq: int


def health_of(name: str, platform: str, state: State, seq: int) -> Health:
    """Read an account's health off its state."""
    session, link = state.session, state.connection
    fatal, trouble = None, state.trouble
    if link.phase is Link.FATAL:
        fatal = Fatal(link.fatal_code, link.fatal_reason, retryable=True)
    error = None
    if trouble is not None:
        error = LastError(trouble.at_ms, trouble.where, trouble.code, trouble.text)
    return Health(
        name=name,
        platform=platform,
        account_id=state.account_id,
        phases={"session": session.phase, "connection": link.phase},
        since_ms={"session": session.since_ms, "connection": link.since_ms},
        last_alive_ms=link.alive_ms,
        needs_login=session.needs_login,
        fatal=fatal,
        last_error=error,
        outbox=_count(state.outbox),
        seq=seq,
    )


def _count(outbox: Outbox) -> dict[str, int]:
    """Count unfinished parts; only the first of a peer's queue can be under way."""
    counts = dict.fromkeys(("queued", "waiting", "parked", "unconfirmed", "unknown"), 0)
    for orders in outbox.queues.values():
        for order in orders:
            for part in order.parts:
                sent = part.phase is PartPhase.SENDING
                counts["queued" if sent else part.phase] += 1
    return counts
