"""Account: what bot logins of all platforms remember, and the moves they share.

A platform adds what only it knows, reads its facts (its rules), and turns the verdicts
into these moves. The four machines are here; how a login is probed and a transport is
dialled is not.
"""

from collections.abc import Iterator
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import delivery, inbox, release
from holdfast.core.commands import Command
from holdfast.core.connection import Connection
from holdfast.core.events import (
    Fact,
    MessageDone,
    MessageReceived,
    SendAnswered,
    SendFailed,
    SendRequested,
)
from holdfast.core.inbox import Inbox, Traces
from holdfast.core.outbox import Outbox, Outcome, Scene
from holdfast.core.policy import Policy
from holdfast.core.recorded import AccountId, PeerWords
from holdfast.core.session import Session


class Trouble(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The last thing that went wrong, in the peer's or the network's own words."""

    at_ms: int
    where: str
    code: str
    text: PeerWords


class Account(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """What is remembered about one account of any platform."""

    seed: int = 0
    stopping: bool = False
    account_id: AccountId = ""
    session: Session = Session()
    connection: Connection = Connection()
    outbox: Outbox = Outbox()
    inbox: Inbox = Inbox()
    trouble: Trouble | None = None


A = TypeVar("A", bound=Account)


def handles_in(outbox: Outbox) -> Iterator[str]:
    """Yield the vault handles that the outbox may still need."""
    for peer in outbox.peers.values():
        yield peer.context
        for earlier in peer.earlier:
            yield earlier.context
    for orders in outbox.queues.values():
        for order in orders:
            yield order.reply_to
            for part in order.parts:
                yield part.body
                yield part.context


def done_through(state: Account) -> int:
    """Return up to which message every consumer is done; 0 while there is none."""
    reached = [consumer.through for consumer in state.inbox.consumers.values()]
    return min(reached, default=0)


def first_unsent(state: Account, seq: int) -> int:
    """Return the fact of the oldest unfinished delivery, or the one after `seq`."""
    asked = [order.id for queue in state.outbox.queues.values() for order in queue]
    return min([seq + 1, *asked])


def move_connection(
    state: A, trigger: transport.Trigger, cause: transport.Cause, policy: Policy
) -> tuple[A, list[Command]]:
    """Move the connection; the caller dials when that is due."""
    link, commands = transport.step(
        state.connection, trigger, cause, state.seed, policy.connection
    )
    return replace(state, connection=link), commands


def pump(state: A, now: Scene) -> tuple[A, list[Command]]:
    """Let the outbox send what may go now."""
    outbox = state.outbox
    if state.stopping or outbox.sending is not None or not outbox.queues:
        return state, []
    outbox, commands = delivery.pump(outbox, now)
    return replace(state, outbox=outbox), commands


def delivery_due(state: A, now: Scene) -> tuple[A, list[Command]]:
    """Let the outbox send what waited for its timer, which has run out."""
    outbox = replace(state.outbox, due_ms=0)
    if state.stopping:
        return replace(state, outbox=outbox), []
    outbox, commands = delivery.pump(outbox, now)
    return replace(state, outbox=outbox), commands


def receive(
    state: A, event: MessageReceived, seq: int, traces: Traces, now: Scene
) -> tuple[A, list[Command]]:
    """Offer a message once; what it allows to be sent goes out."""
    box, phase, offered = inbox.receive(
        state.inbox, seq, now.at_ms, traces, now.inbox_policy
    )
    repeated = phase is inbox.REPEATED
    outbox, heard = release.hear(state.outbox, event, now, repeated=repeated)
    if not outbox.queues:
        return replace(state, inbox=box, outbox=outbox), offered
    if not state.stopping:
        outbox, sent = delivery.pump(outbox, now)
        heard += sent
    return replace(state, inbox=box, outbox=outbox), offered + heard


def finish(state: A, event: MessageDone, seq: int) -> A:
    """Note how far a consumer is; with what has not come yet nobody can be done."""
    if event.message >= seq:
        return state
    through = event.through if event.through < seq else seq - 1
    box = inbox.finish(state.inbox, event.consumer, event.message, through)
    return replace(state, inbox=box)


def request(
    state: A, event: SendRequested, seq: int, now: Scene
) -> tuple[A, list[Command]]:
    """Queue a delivery, and send what may go."""
    outbox, commands = delivery.request(
        state.outbox, seq, event, now, at_once=not state.stopping
    )
    return replace(state, outbox=outbox), commands


def conclude(
    state: A, event: SendAnswered | SendFailed, outcome: Outcome, now: Scene
) -> tuple[A, list[Command]]:
    """Take what became of a part; unchanged when nobody waits for it."""
    number, part = event.delivery, event.part
    outbox, commands = delivery.answer(state.outbox, number, part, outcome, now)
    if outbox is state.outbox:
        return state, []
    if outbox.queues and not state.stopping:
        outbox, sent = delivery.pump(outbox, now)
        commands += sent
    return replace(state, outbox=outbox), commands


def complain(state: A, fact: Fact, where: str, what: str, text: str) -> A:
    """Remember the last trouble, for health."""
    return replace(state, trouble=Trouble(fact.at_ms, where, what, text))
