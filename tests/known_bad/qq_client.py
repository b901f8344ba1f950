"""A small QQ bot, and the bugs that such bots had (docs/qq-bot.md, 6 and 7)."""

from collections.abc import Hashable, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core import connection, qq_socket
from holdfast.core.commands import (
    ClearTimer,
    CloseSocket,
    Command,
    FetchGateway,
    FetchToken,
    Heartbeat,
    Identify,
    OpenSocket,
    ReloadCredentials,
    Resume,
    SetTimer,
)
from holdfast.core.events import CredentialsLoaded, Fact, Started, TimerFired
from holdfast.core.names import Name
from holdfast.core.policy import Policy
from holdfast.core.qq_events import (
    DialFailed,
    DispatchReceived,
    GatewayAnswered,
    GatewayFailed,
    HeartbeatAsked,
    HelloReceived,
    ReadyReceived,
    ReconnectAsked,
    ResumedReceived,
    SessionInvalidated,
    SocketClosed,
    SocketOpened,
    TokenAnswered,
    TokenFailed,
)
from holdfast.replay.explore.qq_world import QqWorld, Stage
from holdfast.replay.explore.scope import Subject
from holdfast.replay.explore.world import Call, timers_key

RETRY, BEAT, DEADLINE = connection.RETRY, qq_socket.BEAT, qq_socket.DEADLINE
TRIES_MAX = 2
# Neither a renewal nor too many payloads end a session.
KEPT = (None, 4008, 4009)
TOKEN_REFUSED = 4004
Stepped = tuple["Client", list[Command]]


class Bug(Name):
    """What is wrong with a client, and nothing else is; told in `ABOUT`."""

    ENDED_LOOP = "the_listen_loop_ended_in_silence"
    ONE_HEART = "the_heartbeat_was_not_set_again"
    GONE_SESSION = "a_gone_session_was_resumed_for_ever"
    TWO_SOCKETS = "a_second_socket_was_dialled_beside_the_first"


ABOUT = {
    Bug.ENDED_LOOP: "The loop that listens returns after some failed dials. Whoever"
    " awaits it takes that for a regular end, and the bot is shown as online.",
    Bug.ONE_HEART: "The heartbeats begin with the first greeting of the process, and"
    " end with its socket. Later ones get none, and the gateway drops them.",
    Bug.GONE_SESSION: "The bot keeps its session whatever the gateway says about it,"
    " and asks to resume it each time.",
    Bug.TWO_SOCKETS: "The bot obeys op 7 at once and dials while its old socket is"
    " still open: the late close of that one then ends the new session.",
}


class Client(Struct, frozen=True, gc=False):
    """What the bot remembers; `online` is what it tells people."""

    epoch: int = 0
    login: str = ""
    token: str = ""
    url: str = ""
    session: str = ""
    s: int = 0
    tries: int = 0
    online: bool = False
    beating: bool = False


def client(bug: Bug | None) -> Subject:
    """Return the bot with this bug, or the honest one."""

    def step(state: Client, fact: Fact, policy: Policy) -> Stepped:
        epoch = getattr(fact.event, "epoch", state.epoch)
        if epoch != state.epoch:
            return state, []
        return _move(state, fact, policy, bug)

    return Subject(
        platform="qq",
        start=Client(),
        step=step,
        broken=_broken,
        key=_key,
        held=_held,
        healthy=_healthy,
        told=_told,
        phases=_phases,
    )


def _move(  # noqa: PLR0911 - one case for each fact.
    state: Client, fact: Fact, policy: Policy, bug: Bug | None
) -> Stepped:
    timeout_ms = policy.gateway.call_timeout_ms
    match fact.event:
        case Started():
            return Client(epoch=state.epoch), [ReloadCredentials()]
        case CredentialsLoaded(credential=login):
            return replace(state, login=login), [FetchToken(login, timeout_ms)]
        case TokenAnswered(token=token) if token:
            fetch = FetchGateway(state.epoch, token, timeout_ms)
            return replace(state, token=token), [fetch]
        case GatewayAnswered(url=url) if url:
            return _dial(replace(state, url=url), policy)
        case TokenAnswered() | TokenFailed() | GatewayAnswered() | GatewayFailed():
            return state, [_later(fact, policy)]
        case TimerFired(name=connection.RETRY):
            if state.url:
                return _dial(state, policy)
            return state, [FetchToken(state.login, timeout_ms)]
        case DialFailed():
            tries = min(state.tries + 1, TRIES_MAX + 1)
            if bug is Bug.ENDED_LOOP and state.online and tries > TRIES_MAX:
                return state, []
            return replace(state, tries=tries), [_later(fact, policy)]
        case _:
            return _live(state, fact, policy, bug)


def _later(fact: Fact, policy: Policy) -> Command:
    return SetTimer(RETRY, fact.at_ms + policy.connection.backoff_ms_first)


def _dial(state: Client, policy: Policy) -> Stepped:
    epoch = state.epoch + 1
    dial = OpenSocket(epoch, state.url, policy.gateway.dial_timeout_ms)
    return replace(state, epoch=epoch), [dial]


def _live(state: Client, fact: Fact, policy: Policy, bug: Bug | None) -> Stepped:
    """Take what a socket brings from its greeting to its end."""
    epoch, at_ms, gateway = state.epoch, fact.at_ms, policy.gateway
    match fact.event:
        case SocketOpened():
            return state, [SetTimer(DEADLINE, at_ms + gateway.hello_timeout_ms)]
        case HelloReceived():
            return _greet(state, fact, policy, bug)
        case TimerFired(name=qq_socket.BEAT):
            beat = SetTimer(BEAT, at_ms + gateway.heartbeat_ms)
            return state, [Heartbeat(epoch, state.s), beat]
        case HeartbeatAsked():
            return state, [Heartbeat(epoch, state.s)]
        case SocketClosed(code=code):
            return _closed(state, code, fact, policy, bug)
        case _:
            return _session(state, fact, policy, bug)


def _session(  # noqa: PLR0911 - one case for each fact.
    state: Client, fact: Fact, policy: Policy, bug: Bug | None
) -> Stepped:
    """Take what the gateway says about the session, or fails to say in time."""
    online, hang_up = replace(state, online=True, tries=0), CloseSocket(state.epoch)
    match fact.event:
        case ReadyReceived(session=session, s=s):
            return replace(online, session=session, s=s or 0), [ClearTimer(DEADLINE)]
        case ResumedReceived():
            return online, [ClearTimer(DEADLINE)]
        case DispatchReceived(s=int(s)):
            return replace(state, s=s), []
        case ReconnectAsked() if bug is Bug.TWO_SOCKETS:
            dialling, dial = _dial(state, policy)
            return dialling, [ClearTimer(BEAT), hang_up, *dial]
        case TimerFired(name=qq_socket.DEADLINE) | SessionInvalidated(resumable=False):
            return _without_session(state, bug), [hang_up]
        case SessionInvalidated() | ReconnectAsked():
            return state, [hang_up]
        case _:
            return state, []


def _greet(state: Client, fact: Fact, policy: Policy, bug: Bug | None) -> Stepped:
    gateway, epoch, token = policy.gateway, state.epoch, state.token
    beat: Command = SetTimer(BEAT, fact.at_ms + gateway.heartbeat_ms)
    beats = [beat]
    if bug is Bug.ONE_HEART and state.beating:
        beats = []
    state = replace(state, beating=True)
    if state.session:
        return state, [*beats, Resume(epoch, token, state.session, state.s)]
    shard = gateway.shard, gateway.shards
    return state, [*beats, Identify(epoch, token, gateway.intents, shard)]


def _closed(
    state: Client, code: int | None, fact: Fact, policy: Policy, bug: Bug | None
) -> Stepped:
    first = not state.tries
    if code not in KEPT:
        state = _without_session(state, bug)
    if code == TOKEN_REFUSED:
        state = replace(state, url="")
    if bug is not Bug.ENDED_LOOP:
        state = replace(state, online=False)
    still: list[Command] = [ClearTimer(BEAT), ClearTimer(DEADLINE)]
    state = replace(state, tries=max(state.tries, 1))
    if not first or not state.url:
        return state, [*still, _later(fact, policy)]
    state, dial = _dial(state, policy)
    return state, [*still, *dial]


def _without_session(state: Client, bug: Bug | None) -> Client:
    if bug is Bug.GONE_SESSION:
        return state
    return replace(state, session="", s=0)


def _phases(state: Client) -> str:
    return "online" if state.online else "offline"


def _held(_state: Client) -> int:
    return 0


def _told(_state: Client, _world: QqWorld) -> bool:
    """Tell nobody: there is no human to wait for in these surroundings."""
    return False


def _broken(*_: Any) -> Iterable[str]:
    """Promise nothing of its own: the gateway sees what is wrong."""
    return ()


def _healthy(_state: Client, world: QqWorld) -> bool:
    """Say whether the gateway has a session with us: what the client believes does
    not count."""
    socket = world.socket
    return socket is not None and socket.stage is Stage.READY and not socket.closing


def _key(state: Client, world: QqWorld) -> Hashable:
    def call_key(call: Call) -> Any:
        return type(call.command).__name__, call.deadline_ms - world.now_ms

    socket = world.socket
    there = socket and (
        socket.stage,
        socket.token == world.living,
        socket.session == world.session,
        (socket.beats, socket.closing, socket.refused),
        socket.epoch == state.epoch,
    )
    return (
        (state.login, state.token == world.living, state.url),
        (state.session != "", state.session == world.session, world.s - state.s),
        (state.tries, state.online, state.beating),
        timers_key(world),
        sorted(map(call_key, world.calls)),
        (world.running, world.read, world.living != "", world.session != "", there),
    )
