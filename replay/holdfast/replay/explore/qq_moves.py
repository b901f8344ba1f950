"""What may happen next to a QQ account: by the platform, its user, host and operator.

What comes over the socket is in `qq_gateway`.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from holdfast.core.commands import (
    CloseSocket,
    FetchGateway,
    FetchToken,
    OpenSocket,
    ReloadCredentials,
    Send,
)
from holdfast.core.events import (
    CredentialsLoaded,
    Event,
    MessageReceived,
    RetryRequested,
    SendAnswered,
    SendFailed,
)
from holdfast.core.qq_events import (
    GatewayAnswered,
    GatewayFailed,
    TokenAnswered,
    TokenFailed,
)
from holdfast.replay.explore import qq_gateway
from holdfast.replay.explore.account import (
    CALLS_MAX,
    LOGINS,
    login_noticed,
    login_reloaded,
    moves_of_host,
    started,
)
from holdfast.replay.explore.qq_gateway import Moves
from holdfast.replay.explore.qq_world import QqWorld
from holdfast.replay.explore.world import (
    Actor,
    Call,
    Move,
    answered,
    moves_of_time,
)

PEER_ID = "c2c:alice"
# One code of each kind of fault (docs/qq-bot.md, 13).
FAULTS = {
    "a human is needed": 11253,
    "too often": 22009,
    "what it answers is gone": 40034005,
    "the number was used": 40054005,
    "the peer does not want it": 40034101,
    "the content is refused": 40034006,
    "a passing trouble": 50055001,
    "no socket": 304018,
    "held for audit": 304023,
}


def moves(world: QqWorld, held: int) -> list[Move]:
    """Return all that may happen next; the account holds so many unfinished parts."""
    if not world.running:
        return [started(world, socket=None)]
    found = [*moves_of_time(world)]
    for call in world.calls:
        found += _ANSWERS[type(call.command)](world, call)
    found += qq_gateway.frames(world)
    found += _user(world)
    if not world.stopping:
        found += _host(world, held)
    found += _human(world)
    found.append(started(world, socket=None))
    return found


def _host(world: QqWorld, held: int) -> Moves:
    extent = world.extent
    if extent.retries and len(world.calls) < CALLS_MAX:
        yield Move(Actor.HOST, "the host asks to retry", (RetryRequested(),), world)
    yield from moves_of_host(world, extent, held, PEER_ID)


def _human(world: QqWorld) -> Moves:
    extent = world.extent
    if not extent.humans:
        return
    yield from login_noticed(world, extent, _read)
    if not world.taken:
        login = LOGINS[world.disk]
        after = replace(world, disk=login, taken=True)
        yield Move(Actor.HUMAN, "somebody puts the right secret there", (), after)


def _read(world: QqWorld) -> Move:
    loaded = CredentialsLoaded(world.disk, "app-1")
    after = replace(world, read=world.disk)
    return Move(Actor.DISK, "the login is read", (loaded,), after, good=True)


def _reload(world: QqWorld, call: Call) -> Moves:
    return login_reloaded(world, world.extent, call, _read)


def _token(world: QqWorld, call: Call) -> Moves:
    asked = call.command
    assert isinstance(asked, FetchToken)
    after, login = answered(world, call), asked.credential
    if world.taken and login == world.disk:
        # A token that was not refused is handed out again.
        number = world.issued + (not world.living)
        token = f"access-{number}"
        given = replace(after, issued=number, living=token)
        good = TokenAnswered(login, token=token)
        yield Move(Actor.PEER, "an access token comes", (good,), given, good=True)
        if world.living and world.extent.denials:
            # It was refused, yet the platform believes that it is good.
            again = TokenAnswered(login, token=world.living)
            yield Move(Actor.PEER, "the same access token comes", (again,), after)
    if world.extent.refusals or not world.taken or login != world.disk:
        bad = TokenAnswered(login, code=100016, message="invalid secret")
        refused = replace(after, taken=world.taken and login != world.disk)
        ill = not world.taken or login != world.disk
        yield Move(Actor.PEER, "the secret is refused", (bad,), refused, good=ill)
    if world.extent.network:
        busy = TokenAnswered(login, code=100001, message="busy")
        yield Move(Actor.PEER, "the token call is too often", (busy,), after)
        failed = TokenFailed(login, "timeout")
        yield Move(Actor.NETWORK, "the token call is unanswered", (failed,), after)


def _gateway(world: QqWorld, call: Call) -> Moves:
    asked = call.command
    assert isinstance(asked, FetchGateway)
    after, epoch = answered(world, call), asked.epoch
    if not world.extent.socket:
        failed = GatewayFailed(epoch, "connect")
        what = "the gateway cannot be reached"
        yield Move(Actor.NETWORK, what, (failed,), after, good=True)
        return
    if asked.token == world.living:
        good = GatewayAnswered(epoch, url="wss://one", max_concurrency=1)
        yield Move(Actor.PEER, "the gateway's address comes", (good,), after, good=True)
    if world.extent.denials or asked.token != world.living:
        denied = GatewayAnswered(epoch, status=401, code=11244, message="denied")
        lost = replace(after, living="")
        what, dead = "the gateway call: token refused", asked.token != world.living
        yield Move(Actor.PEER, what, (denied,), lost, good=dead)
    if world.extent.network:
        spent = GatewayAnswered(epoch, url="wss://one", remaining=0, reset_after_ms=2)
        yield Move(Actor.PEER, "no session may begin for now", (spent,), after)
        busy = GatewayAnswered(epoch, status=400, code=100017)
        yield Move(Actor.PEER, "the gateway call is too often", (busy,), after)
        failed = GatewayFailed(epoch, "timeout")
        yield Move(Actor.NETWORK, "the gateway call is unanswered", (failed,), after)
    if world.extent.refusals:
        bad = GatewayAnswered(epoch, status=400, code=11253)
        yield Move(Actor.PEER, "the gateway call: a human is needed", (bad,), after)


def _user(world: QqWorld) -> Moves:
    """Yield a message that comes late, after its socket went."""
    number = world.heard + 1
    heard = replace(world, heard=number)
    fresh = MessageReceived(PEER_ID, "b", by_id=f"m-{number}", context=f"r-{number}")
    if number <= world.extent.messages_max:
        yield Move(Actor.PEER, "a message comes", (fresh,), heard)
    if world.heard:
        known = f"m-{world.heard}"
        copy = MessageReceived(PEER_ID, "b", by_id=known, context=f"r-{world.heard}")
        yield Move(Actor.PEER, "a copy of the last message comes", (copy,), world)


def _send(world: QqWorld, call: Call) -> Moves:
    send = call.command
    assert isinstance(send, Send)
    after, place = answered(world, call), (send.delivery, send.part)
    if send.credential == world.living:
        yield _told(
            after, "accepted", SendAnswered(*place, message_id="out"), good=True
        )
        yield _told(after, "accepted without an id", SendAnswered(*place))
        for what, code in FAULTS.items():
            refused = SendAnswered(*place, status=400, code=code)
            yield _told(after, what, refused)
    if world.extent.denials or send.credential != world.living:
        denied = SendAnswered(*place, status=401, code=11244)
        dead, good = replace(after, living=""), send.credential != world.living
        yield _told(dead, "the token is refused", denied, good=good)
    for what, event in (
        ("no answer", SendFailed(*place, "timeout")),
        ("not reached", SendFailed(*place, "connect", left=False)),
        ("HTTP 500", SendAnswered(*place, status=500)),
    ):
        yield Move(Actor.NETWORK, f"the send: {what}", (event,), after)


def _told(world: QqWorld, what: str, event: Event, *, good: bool = False) -> Move:
    return Move(Actor.PEER, f"the send: {what}", (event,), world, good)


_ANSWERS: Mapping[type, Callable[[QqWorld, Call], Moves]] = {
    ReloadCredentials: _reload,
    FetchToken: _token,
    FetchGateway: _gateway,
    OpenSocket: qq_gateway.dialled,
    CloseSocket: qq_gateway.closed,
    Send: _send,
}
