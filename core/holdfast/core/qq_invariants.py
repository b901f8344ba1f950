"""What a QQ account promises beyond `invariants`: one socket, its heartbeat, its quota.

Design numbers in brackets are those of ARCHITECTURE.md's list.
"""

from collections.abc import Iterator, Sequence

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
from holdfast.core.events import Fact
from holdfast.core.invariants import caps_ms, kept, waiting, within_caps
from holdfast.core.policy import Policy
from holdfast.core.qq_account import NONE, RENEW, Qq, Stage, identify_ms
from holdfast.core.qq_events import TokenAnswered, TokenFailed
from holdfast.core.qq_rules import LIFE_S_MAX, RESET_MS_MAX
from holdfast.core.qq_send_rules import terms_of
from holdfast.core.qq_socket import ACK, BEAT, DEADLINE, PING

GREETED = (Stage.IDENTIFYING, Stage.RESUMING, Stage.READY)
TRYING = (session.Phase.ACTIVE, session.Phase.RECOVERING)


def broken(
    before: Qq,
    fact: Fact,
    after: Qq,
    commands: Sequence[Command],
    policy: Policy,
) -> list[str]:
    """Name what this step breaks; an empty list is the promise kept."""
    found = [*kept(before, fact, after, commands, policy)]
    found += within_caps(fact, commands, _caps_ms(policy))
    found += _alive(after)
    found += _heart(after)
    dials = 0
    for command in commands:
        match command:
            case FetchGateway() | OpenSocket():
                dials += 1
                found += _dial(before, after)
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


def _caps_ms(policy: Policy) -> dict[str, int]:
    caps, gateway, link = caps_ms(policy), policy.gateway, policy.connection
    intervals = link.ack_intervals_max
    slowest_ms = max(caps[session.RETRY], gateway.busy_ms, RESET_MS_MAX)
    burst_ms = gateway.identify_burst * gateway.identify_gap_ms
    beat_ms = max(gateway.heartbeat_ms_max, gateway.heartbeat_ms)
    push = policy.pushes
    gaps_ms = push.c2c_gap_ms, push.group_gap_ms, push.guild_gap_ms, push.dm_gap_ms
    return caps | {
        session.RETRY: max(slowest_ms, burst_ms, gateway.identify_spacing_ms),
        connection.RETRY: max(caps[connection.RETRY], gateway.busy_ms),
        pacing.NEXT: max(caps[pacing.NEXT], *gaps_ms),
        RENEW: max(
            LIFE_S_MAX * 1_000,
            policy.token.life_ms,
            policy.token.renew_ms_max,
            gateway.busy_ms,
            link.fatal_retry_ms,
        ),
        DEADLINE: max(
            gateway.hello_timeout_ms, gateway.ready_timeout_ms, gateway.close_grace_ms
        ),
        BEAT: beat_ms,
        ACK: beat_ms * intervals,
        PING: link.ping_ms,
    }


def _alive(after: Qq) -> Iterator[str]:
    """[1] Something is under way or a timer is set. [3] Sending needs no socket."""
    if after.stopping or not after.seed:
        return
    link, stage = after.connection, after.socket.stage
    if after.session.phase in TRYING and stage is NONE and not link.due_ms:
        yield "[1] the session may dial, but nothing dials or waits to"
    if stage is Stage.TOKEN and not after.token.asked:
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


def _dial(before: Qq, after: Qq) -> Iterator[str]:
    """[2] One socket at a time."""
    if before.socket.stage not in (NONE, Stage.TOKEN, Stage.ADDRESS):
        under_way = before.connection.epoch == after.connection.epoch
        if under_way:
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
