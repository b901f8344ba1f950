"""Invariants: what must hold after every step, whatever the peer does.

`broken` looks at one step and names each promise it breaks; design numbers in
brackets are those of ARCHITECTURE.md's list. It runs in tests, in `holdfast replay`
and in the running service, where a broken promise stops the account: the journal then
holds the fact that led there.
"""

from collections.abc import Iterator, Sequence

from holdfast.core import connection, pacing, session
from holdfast.core.commands import (
    Command,
    Escalate,
    Offer,
    Poll,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import Fact, MessageReceived, Started
from holdfast.core.outbox import Phase
from holdfast.core.policy import Policy
from holdfast.core.recent import since_ms
from holdfast.core.weixin_account import Weixin


def broken(
    before: Weixin,
    fact: Fact,
    after: Weixin,
    commands: Sequence[Command],
    policy: Policy,
) -> list[str]:
    """Name what this step breaks; an empty list is the promise kept."""
    found = [*_alive(after), *_told(before, after, commands)]
    for command in commands:
        match command:
            case Poll():
                found += _one_poll(before, fact, after, command, commands)
            case Send():
                found += _send(fact, after, command, policy)
            case SetTimer():
                found += _within_caps(fact, command, policy)
            case Offer() if not isinstance(fact.event, MessageReceived):
                found.append("[4] a message is offered by a fact that brought none")
            case _:
                pass
    return found


def _alive(after: Weixin) -> Iterator[str]:
    """[1] Something is under way or a timer is set. [3] Sending needs no poll."""
    if after.stopping or not after.seed:
        return
    link, login = after.connection, after.session
    if login.phase is session.Phase.BACKOFF and not login.due_ms:
        yield "[1] the session waits without a timer"
    if login.phase is session.Phase.ACTIVE and not (link.dialed_ms or link.due_ms):
        yield "[1] the session is active but nothing polls or waits to"
    if link.phase is connection.Phase.FATAL and not link.due_ms:
        yield "[1] fatal without a slow timer"
    box = after.outbox
    if not login.credential or box.sending is not None or box.due_ms:
        return
    for orders in box.queues.values():
        if orders[0].parts[0].phase is not Phase.PARKED:
            yield "[3] a part may go, but is neither sent nor timed"


def _told(before: Weixin, after: Weixin, commands: Sequence[Command]) -> Iterator[str]:
    """[7] Whatever gives up says so."""
    fatal = connection.Phase.FATAL
    dead = after.connection.phase is fatal and before.connection.phase is not fatal
    asks = after.session.needs_login and not before.session.needs_login
    if (dead or asks) and not any(isinstance(c, Escalate) for c in commands):
        yield "[7] gave up without telling anybody"
    gone = before.outbox.parts - after.outbox.parts
    if gone > sum(isinstance(command, Report) for command in commands):
        yield "[7] a part left the outbox without a report"


def _one_poll(
    before: Weixin,
    fact: Fact,
    after: Weixin,
    command: Poll,
    commands: Sequence[Command],
) -> Iterator[str]:
    """[2] One poll at a time. [5] Its cursor is durable here first."""
    if sum(isinstance(other, Poll) for other in commands) > 1:
        yield "[2] two polls at once"
    if command.epoch == before.connection.epoch and not isinstance(fact.event, Started):
        yield "[2] an epoch is polled twice"
    if command.cursor != after.cursor:
        yield "[5] the peer is told a cursor that is not recorded"


def _send(fact: Fact, after: Weixin, command: Send, policy: Policy) -> Iterator[str]:
    """[2] One send at a time. [6] No token after it was forgotten. [8] Budgets."""
    sending = after.outbox.sending
    if sending is None or sending.part != command.part:
        yield "[2] a part is sent that is not the one under way"
    horizon_ms = fact.at_ms - policy.delivery.forgotten_ms
    if since_ms(after.outbox.forgotten, command.context) > horizon_ms:
        yield "[6] a forgotten context token is used"
    granted = after.outbox.peers.get(command.peer)
    budget = policy.delivery.budget
    if granted and budget and granted.spent > budget:
        yield "[8] the budget of a peer is overspent"


def _within_caps(fact: Fact, timer: SetTimer, policy: Policy) -> Iterator[str]:
    """[8] No timer reaches beyond the policy's longest wait for it."""
    login, link = policy.session, policy.connection
    cap_ms = {
        session.RETRY: max(login.backoff_ms_max, login.slow_probe_ms),
        connection.RETRY: max(
            link.backoff_ms_max, link.fatal_retry_ms, policy.poll.interval_ms_min
        ),
        pacing.NEXT: pacing.longest_ms(policy.delivery),
    }
    if timer.due_ms - fact.at_ms > cap_ms[timer.name]:
        yield f"[8] the timer {timer.name} waits longer than its cap"
