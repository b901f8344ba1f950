"""What a Weixin account promises beyond `invariants`: its one poll and its cursor."""

from collections.abc import Iterator, Mapping, Sequence

from holdfast.core import connection, session
from holdfast.core.commands import Command, NotifyStart, Poll, Send
from holdfast.core.events import Fact, Started
from holdfast.core.invariants import CAPS, Cap, kept, waiting, within_caps
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin

RECOVERING = session.Phase.RECOVERING
WEIXIN_CAPS: Mapping[str, Cap] = {
    **CAPS,
    # The poll that waits for the next second has the same timer.
    connection.RETRY: lambda policy: max(
        CAPS[connection.RETRY](policy), policy.poll.interval_ms_min
    ),
}


def broken(
    before: Weixin,
    fact: Fact,
    after: Weixin,
    commands: Sequence[Command],
    policy: Policy,
) -> list[str]:
    """Name what this step breaks; an empty list is the promise kept."""
    found = [*kept(before, fact, after, commands, policy)]
    found += within_caps(fact, commands, policy, WEIXIN_CAPS)
    found += _alive(before, after, commands)
    polls = 0
    for command in commands:
        match command:
            case Poll():
                polls += 1
                found += _poll(before, fact, after, command)
            case Send():
                found += _budget(after, command, policy)
            case _:
                pass
    if polls > 1:
        found.append("[2] two polls at once")
    return found


def _alive(before: Weixin, after: Weixin, commands: Sequence[Command]) -> Iterator[str]:
    """[1] Something is under way or a timer is set. [3] Sending needs no poll."""
    if after.stopping or not after.seed:
        return
    link, login = after.connection, after.session
    if login.phase is session.Phase.ACTIVE and not (link.dialed_ms or link.due_ms):
        yield "[1] the session is active but nothing polls or waits to"
    entered = login.phase is RECOVERING and before.session.phase is not RECOVERING
    if entered and not any(isinstance(c, NotifyStart) for c in commands):
        yield "[1] the session recovers without a probe"
    if login.credential and waiting(after.outbox):
        yield "[3] a part may go, but is neither sent nor timed"


def _poll(before: Weixin, fact: Fact, after: Weixin, command: Poll) -> Iterator[str]:
    """[2] One poll at a time. [5] Its cursor is durable here first."""
    if command.epoch == before.connection.epoch and not isinstance(fact.event, Started):
        yield "[2] an epoch is polled twice"
    if command.cursor != after.cursor:
        yield "[5] the peer is told a cursor that is not recorded"


def _budget(after: Weixin, command: Send, policy: Policy) -> Iterator[str]:
    """[8] Budgets are never overspent: a part that is tried first has some left."""
    granted = after.outbox.peers.get(command.peer)
    budget = policy.delivery.budget
    if granted is None or not budget or not granted.inbound_ms:
        return
    queue = after.outbox.queues.get(command.peer)
    first = queue is not None and queue[0].parts[0].attempts == 1
    if granted.spent + first > budget:
        yield "[8] the budget of a peer is overspent"
