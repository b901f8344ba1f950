"""What a QQ account promises beyond `invariants`: one socket, its heartbeat, its quota.

Design numbers in brackets are those of ARCHITECTURE.md's list.
"""

from collections.abc import Iterator, Mapping, Sequence

from holdfast.core import connection, pacing, session
from holdfast.core.commands import (
    Command,
    FetchGateway,
    FetchToken,
    Heartbeat,
    Identify,
    OpenSocket,
    Resume,
    Send,
)
from holdfast.core.events import Event, Fact, Started
from holdfast.core.grants import DAY_MS
from holdfast.core.invariants import CAPS, Cap, kept, waiting, within_caps
from holdfast.core.policy import Policy
from holdfast.core.qq_account import NONE, RENEW, Qq, Stage, identify_ms
from holdfast.core.qq_events import DialFailed, SocketClosed, TokenAnswered, TokenFailed
from holdfast.core.qq_rules import LIFE_S_MAX, RESET_MS_MAX
from holdfast.core.qq_send_rules import terms_of
from holdfast.core.qq_socket import ACK, BEAT, DEADLINE, PING

GREETED = (Stage.IDENTIFYING, Stage.RESUMING, Stage.READY)
# What a socket ends with, or the process that had it.
ENDS = (DialFailed, SocketClosed, Started)
TRYING = (session.Phase.ACTIVE, session.Phase.RECOVERING)


def _beat_ms(policy: Policy) -> int:
    return max(policy.gateway.heartbeat_ms_max, policy.gateway.heartbeat_ms)


def _push_ms(policy: Policy) -> int:
    """Return the longest wait for a push: its gap, or the next day."""
    pushes = policy.pushes
    gaps = (
        pushes.c2c_gap_ms,
        pushes.group_gap_ms,
        pushes.guild_gap_ms,
        pushes.dm_gap_ms,
    )
    return max(DAY_MS, *gaps)


QQ_CAPS: Mapping[str, Cap] = {
    **CAPS,
    pacing.NEXT: lambda policy: max(CAPS[pacing.NEXT](policy), _push_ms(policy)),
    # A quota is waited for until the peer counts anew, or the burst is whole again.
    session.RETRY: lambda policy: max(
        CAPS[session.RETRY](policy),
        RESET_MS_MAX,
        policy.gateway.busy_ms,
        policy.gateway.identify_burst * policy.gateway.identify_gap_ms,
        policy.gateway.identify_spacing_ms,
    ),
    connection.RETRY: lambda policy: max(
        CAPS[connection.RETRY](policy), policy.gateway.busy_ms
    ),
    RENEW: lambda policy: max(
        LIFE_S_MAX * 1_000,
        policy.token.life_ms,
        policy.token.renew_ms_max,
        policy.gateway.busy_ms,
        policy.connection.fatal_retry_ms,
    ),
    DEADLINE: lambda policy: max(
        policy.gateway.hello_timeout_ms,
        policy.gateway.ready_timeout_ms,
        policy.gateway.close_grace_ms,
    ),
    BEAT: _beat_ms,
    ACK: lambda policy: _beat_ms(policy) * policy.connection.ack_intervals_max,
    PING: lambda policy: policy.connection.ping_ms,
}


def broken(
    before: Qq,
    fact: Fact,
    after: Qq,
    commands: Sequence[Command],
    policy: Policy,
) -> list[str]:
    """Name what this step breaks; an empty list is the promise kept."""
    found = [*kept(before, fact, after, commands, policy)]
    found += within_caps(fact, commands, policy, QQ_CAPS)
    found += _alive(after)
    found += _heart(after)
    dials = 0
    for command in commands:
        match command:
            case FetchGateway() | OpenSocket():
                dials += 1
                found += _dial(before, fact.event)
            case FetchToken() if before.token.asked and not isinstance(
                fact.event, TokenAnswered | TokenFailed
            ):
                found.append("[2] the token is asked for twice at once")
            case Identify():
                found += _identify(before, fact, policy)
            case Heartbeat(epoch, seq) | Resume(epoch, _, _, seq):
                if epoch != after.connection.epoch:
                    found.append("[2] a frame is sent on a socket that is no more")
                if (seq or 0) > after.resumption.seq:
                    found.append("[5] the peer is told a seq that is not recorded")
            case Send():
                found += _budget(after, command, policy)
            case _:
                pass
    if dials > 1:
        found.append("[2] two dials at once")
    return found


def _alive(after: Qq) -> Iterator[str]:
    """[1] Something is under way or a timer is set. [3] Sending needs no socket."""
    if after.stopping or not after.seed:
        return
    link, stage = after.connection, after.socket.stage
    if after.session.phase in TRYING and stage is NONE and not link.due_ms:
        yield "[1] the session may dial, but nothing dials or waits to"
    if stage is Stage.TOKEN and not (after.token.asked or after.token.due_ms):
        yield "[1] a dial waits for a token that nobody asked for"
    if stage is Stage.OPEN and not (after.socket.deadline_ms or after.socket.closing):
        yield "[1] a socket waits for its greeting without a deadline"
    token = after.token
    stuck = not token.asked and not token.due_ms and after.session.credential
    if waiting(after.outbox) and not token.handle and stuck:
        yield "[3] a part may go, but there is no token and nobody asks for one"


def _heart(after: Qq) -> Iterator[str]:
    """[2] A heartbeat is due exactly while a greeted socket is open."""
    socket = after.socket
    greeted = socket.stage in GREETED and not socket.closing and socket.parting is None
    if greeted != bool(socket.beat_ms):
        yield "[2] a heartbeat without a greeted socket, or a socket without one"
    if socket.stage is Stage.READY and greeted and not socket.ack_ms:
        yield "[2] heartbeats without a deadline for their answers"


def _dial(before: Qq, event: Event) -> Iterator[str]:
    """[2] One socket at a time: the last one's end comes before the next dial."""
    open_before = before.socket.stage not in (NONE, Stage.TOKEN, Stage.ADDRESS)
    if open_before and not isinstance(event, ENDS):
        yield "[2] a socket is dialled beside another"


def _identify(before: Qq, fact: Fact, policy: Policy) -> Iterator[str]:
    """[8] The quota of identifies is never overspent."""
    if identify_ms(before.gateway, fact.at_ms, policy.gateway) > fact.at_ms:
        yield "[8] a session is begun before the quota allows it"


def _budget(after: Qq, command: Send, policy: Policy) -> Iterator[str]:
    """[8] Answers and pushes stay within what the platform allows."""
    terms = terms_of(command.peer, policy)
    if command.context and terms.replies_max and command.number > terms.replies_max:
        yield "[8] a message is answered too often"
    peer = after.outbox.peers.get(command.peer)
    limited = not command.context and peer and terms.pushes_max
    if limited and peer and peer.pushes > terms.pushes_max:
        yield "[8] a peer is pushed to too often"
