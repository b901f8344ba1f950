"""Sabotages of the QQ reducer: its token, its socket, its quotas."""

from msgspec.structs import replace
from sabotage import (
    Sabotage,
    Turn,
    added,
    altered,
    dropped,
    forgetful,
    twice,
    twisted,
    under,
    without,
)

from holdfast.core import connection, qq_socket
from holdfast.core.commands import (
    ClearTimer,
    Command,
    FetchToken,
    Heartbeat,
    OpenSocket,
    Ping,
    Resume,
    SetTimer,
)
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq, Stage
from holdfast.core.qq_events import HeartbeatAsked, ReconnectAsked, SocketOpened
from holdfast.replay.explore import qq_moves, qq_orders, qq_scopes
from holdfast.replay.explore.qq_subject import subject
from holdfast.replay.explore.qq_world import Extent, QqWorld
from holdfast.replay.explore.scope import Environment, Scope


def small(extent: Extent, policy: Policy = qq_scopes.TICKS) -> Scope:
    """Return a scope that is explored in a moment."""
    begin = QqWorld(qq_scopes.BEGIN_MS, extent=extent)
    environment = Environment(begin, qq_moves.moves, qq_orders.obey)
    return Scope("small", "", (), subject(policy), environment, policy)


LINE, HEART, SESSION = "qq line", small(Extent(), qq_scopes.BEATING), "qq session"
SENDS = small(Extent(socket=False, messages_max=1, texts_max=1))
DAILY = small(
    Extent(socket=False, texts_max=1),
    replace(qq_scopes.TICKS, pushes=replace(qq_scopes.TICKS.pushes, c2c_per_day=1)),
)


def hasty(policy: Policy) -> Policy:
    gateway = replace(policy.gateway, identify_spacing_ms=0, identify_gap_ms=0)
    return replace(policy, gateway=gateway)


def talkative(policy: Policy) -> Policy:
    return replace(policy, replies=replace(policy.replies, c2c_max=3))


def pushy(policy: Policy) -> Policy:
    return replace(policy, pushes=replace(policy.pushes, c2c_per_day=3))


def ask_for_no_token(_before: Qq, _fact: Fact, after: Qq, told: list[Command]) -> Turn:
    if any(isinstance(c, FetchToken) for c in told):
        after = replace(after, token=replace(after.token, asked=False))
    return after, dropped(told, FetchToken)


def ask_for_no_token_to_send(
    before: Qq, fact: Fact, after: Qq, told: list[Command]
) -> Turn:
    if after.socket.stage is Stage.TOKEN or not after.outbox.queues:
        return after, told
    return ask_for_no_token(before, fact, after, told)


def beside(before: Qq, fact: Fact) -> list[Command]:
    epoch = before.connection.epoch
    current = isinstance(fact.event, ReconnectAsked) and fact.event.epoch == epoch
    return [OpenSocket(epoch + 1, "wss://one", 1)] if current else []


def early(before: Qq, _fact: Fact) -> list[Command]:
    return [Resume(before.connection.epoch, before.token.handle, "session-1", 0)]


def ping_on(before: Qq, _fact: Fact) -> list[Command]:
    return [Ping(before.connection.epoch + 1)]


QQ = [
    Sabotage(
        "a lost dial is not made again",
        "[1] the session may dial, but nothing dials or waits to",
        LINE,
        forgetful("connection", connection.RETRY, due_ms=0),
    ),
    Sabotage(
        "a dial asks for no token",
        "[1] a dial waits for a token that nobody asked for",
        LINE,
        twisted(ask_for_no_token),
    ),
    Sabotage(
        "a socket may stay silent",
        "[1] a socket waits for its greeting without a deadline",
        HEART,
        forgetful("socket", qq_socket.DEADLINE, deadline_ms=0),
    ),
    Sabotage(
        "the token is asked for two times",
        "[2] the token is asked for twice at once",
        LINE,
        twice(FetchToken),
    ),
    Sabotage(
        "two sockets are dialled", "[2] two dials at once", HEART, twice(OpenSocket)
    ),
    Sabotage(
        "the next socket is dialled too soon",
        "[2] a socket is dialled beside another",
        HEART,
        added(ReconnectAsked, beside),
    ),
    Sabotage(
        "a heart does not beat",
        "[2] a heartbeat without a greeted socket, or a socket without one",
        HEART,
        forgetful("socket", qq_socket.BEAT, beat_ms=0),
    ),
    Sabotage(
        "a heart is set and does not beat",
        "[2] a greeted socket has no heartbeat timer",
        HEART,
        without(SetTimer, qq_socket.BEAT),
    ),
    Sabotage(
        "a heart beats on",
        "[2] a heartbeat timer is set without a greeted socket",
        HEART,
        without(ClearTimer, qq_socket.BEAT),
    ),
    Sabotage(
        "heartbeats need no answer",
        "[2] heartbeats without a deadline for their answers",
        HEART,
        forgetful("socket", qq_socket.ACK, ack_ms=0),
    ),
    Sabotage(
        "a heartbeat outlives its socket",
        "[2] a frame is sent on a socket that is no more",
        HEART,
        altered(Heartbeat, lambda _, c: {"epoch": c.epoch - 1}),
    ),
    Sabotage(
        "a heartbeat goes nowhere",
        "[2] a heartbeat is sent without a socket",
        HEART,
        altered(Heartbeat, lambda _, c: {"epoch": c.epoch - 1}),
    ),
    Sabotage(
        "a ping goes nowhere",
        "[2] a ping is sent without a socket",
        HEART,
        added(HeartbeatAsked, ping_on),
    ),
    Sabotage(
        "a session is asked for before the greeting",
        "[2] a session is asked for without a greeted socket",
        HEART,
        added(SocketOpened, early),
    ),
    Sabotage(
        "sends ask for no token",
        "[3] a part may go, but there is no token and nobody asks for one",
        "qq denied",
        twisted(ask_for_no_token_to_send),
    ),
    Sabotage(
        "a heartbeat runs ahead",
        "[5] the peer is told a seq that is not recorded",
        HEART,
        altered(Heartbeat, lambda _, c: {"seq": (c.seq or 0) + 1}),
    ),
    Sabotage(
        "a resume runs ahead",
        "[5] the gateway is told of a dispatch that it never sent",
        HEART,
        altered(Resume, lambda _, c: {"seq": c.seq + 1}),
    ),
    Sabotage(
        "sessions are begun too fast",
        "[8] a session is begun before the quota allows it",
        SESSION,
        under(hasty),
        moves_max=14,
    ),
    Sabotage(
        "a message is answered once more",
        "[8] a message is answered too often",
        SENDS,
        under(talkative),
    ),
    Sabotage(
        "a peer is pushed to once more",
        "[8] a peer is pushed to too often",
        DAILY,
        under(pushy),
    ),
]
