"""Invariants: what must hold after every step on any platform, whatever the peer does.

`kept` looks at one step and names each promise it breaks; design numbers in brackets
are those of ARCHITECTURE.md's list. A platform adds what only its transport promises
(`weixin_invariants`, `qq_invariants`). They run in tests, in `holdfast replay` and in
the running service, where a broken promise stops the account: the journal then holds
the fact that led there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from holdfast.core import connection, inbox, pacing, session
from holdfast.core.account import Account
from holdfast.core.commands import (
    Command,
    Escalate,
    Offer,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import Fact, MessageReceived
from holdfast.core.outbox import Outbox, Phase
from holdfast.core.policy import Policy
from holdfast.core.recent import since_ms

Cap = Callable[[Policy], int]
"""Takes the policy; returns the longest wait that it allows a timer."""

# Of the timers that all platforms have.
CAPS: Mapping[str, Cap] = {
    session.RETRY: lambda policy: max(
        policy.session.backoff_ms_max, policy.session.slow_probe_ms
    ),
    connection.RETRY: lambda policy: max(
        policy.connection.backoff_ms_max, policy.connection.fatal_retry_ms
    ),
    pacing.NEXT: lambda policy: pacing.longest_ms(policy.delivery),
}


def kept(
    before: Account,
    fact: Fact,
    after: Account,
    commands: Sequence[Command],
    policy: Policy,
) -> Iterator[str]:
    """Name what this step breaks of the promises of all platforms.

    The timers are held against the platform's own caps with `within_caps`.
    """
    yield from _alive(after)
    yield from _told(before, after, commands)
    sends = offers = 0
    for command in commands:
        match command:
            case Send():
                sends += 1
                yield from _send(fact, after, command, policy)
            case Offer():
                offers += 1
                yield from _offer(fact, after, command)
            case _:
                pass
    if sends > 1:
        yield "[2] two parts are sent at once"
    if offers > 1:
        yield "[4] a message is offered twice"


def within_caps(
    fact: Fact, commands: Sequence[Command], policy: Policy, caps: Mapping[str, Cap]
) -> Iterator[str]:
    """[8] No timer reaches beyond the policy's longest wait for it."""
    for command in commands:
        if not isinstance(command, SetTimer):
            continue
        if command.due_ms - fact.at_ms > caps[command.name](policy):
            yield f"[8] the timer {command.name} waits longer than its cap"


def _alive(after: Account) -> Iterator[str]:
    """[1] Something is under way or a timer is set. [3] Sending needs no transport."""
    if after.stopping or not after.seed:
        return
    if after.session.phase is session.Phase.BACKOFF and not after.session.due_ms:
        yield "[1] the session waits without a timer"
    link = after.connection
    if link.phase is connection.Phase.FATAL and not link.due_ms:
        yield "[1] fatal without a slow timer"


def waiting(outbox: Outbox) -> bool:
    """Say whether a part may go but is neither sent nor timed."""
    if outbox.sending is not None or outbox.due_ms:
        return False
    return any(
        orders[0].parts[0].phase is not Phase.PARKED
        for orders in outbox.queues.values()
    )


def _told(
    before: Account, after: Account, commands: Sequence[Command]
) -> Iterator[str]:
    """[7] Whatever gives up says so."""
    fatal = connection.Phase.FATAL
    dead = after.connection.phase is fatal and before.connection.phase is not fatal
    asks = after.session.needs_login and not before.session.needs_login
    if (dead or asks) and not any(isinstance(c, Escalate) for c in commands):
        yield "[7] gave up without telling anybody"
    gone = before.outbox.parts - after.outbox.parts
    if gone > sum(isinstance(command, Report) for command in commands):
        yield "[7] a part left the outbox without a report"


def _send(fact: Fact, after: Account, command: Send, policy: Policy) -> Iterator[str]:
    """[2] One send at a time. [6] No token after it was forgotten."""
    sending = after.outbox.sending
    place = command.delivery, command.part, command.peer
    if sending is None or (sending.delivery, sending.part, sending.peer) != place:
        yield "[2] a part is sent that is not the one under way"
    horizon_ms = fact.at_ms - policy.delivery.forgotten_ms
    if since_ms(after.outbox.forgotten, command.context) > horizon_ms:
        yield "[6] a forgotten context token is used"


def _offer(fact: Fact, after: Account, command: Offer) -> Iterator[str]:
    """[4] A message is offered by the fact that brought it, and never after done."""
    if not isinstance(fact.event, MessageReceived) or command.message != fact.seq:
        yield "[4] a message is offered by a fact that brought none"
    for consumer in after.inbox.consumers.values():
        if inbox.is_done(consumer, command.message):
            yield "[4] a message is offered after it was done"
