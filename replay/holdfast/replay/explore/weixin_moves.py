"""What may happen next to a Weixin account: by its peer, user, host and operator."""

from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from holdfast.core.commands import (
    NotifyStart,
    NotifyStop,
    Poll,
    ReloadCredentials,
    Send,
)
from holdfast.core.events import (
    CredentialsLoaded,
    Event,
    MessageDone,
    MessageReceived,
    NotifyAnswered,
    NotifyFailed,
    PollAnswered,
    PollFailed,
    RetryRequested,
    SendAnswered,
    SendFailed,
)
from holdfast.replay.explore.account import (
    CALLS_MAX,
    LOGINS,
    login_noticed,
    login_reloaded,
    moves_of_host,
    started,
)
from holdfast.replay.explore.weixin_world import Mood, WeixinWorld
from holdfast.replay.explore.world import (
    Actor,
    Call,
    Move,
    answered,
    moves_of_time,
)

PEER_ID = "alice"

Moves = Iterator[Move]


def moves(world: WeixinWorld, held: int) -> list[Move]:
    """Return all that may happen next; the account holds so many unfinished parts."""
    if not world.running:
        return [started(world, late=None)]
    found = [*moves_of_time(world)]
    probing = world.extent.prompt and _is_probing(world)
    for call in world.calls:
        if not (probing and isinstance(call.command, Poll)):
            found += _ANSWERS[type(call.command)](world, call)
    found += _late_poll(world)
    if not world.stopping:
        found += _host(world, held)
    found += _human(world)
    found.append(started(world, late=None))
    return found


def _is_probing(world: WeixinWorld) -> bool:
    probes = (NotifyStart, ReloadCredentials)
    return any(isinstance(call.command, probes) for call in world.calls)


def _host(world: WeixinWorld, held: int) -> Moves:
    extent = world.extent
    if len(world.calls) < CALLS_MAX and not extent.prompt:
        yield Move(Actor.HOST, "the host asks to retry", (RetryRequested(),), world)
    if extent.consumers and world.heard_seq:
        done = (MessageDone("agent", world.heard_seq, world.heard_seq),)
        yield Move(Actor.HOST, "a consumer is done with the last message", done, world)
    yield from moves_of_host(world, extent, held, PEER_ID)


def _human(world: WeixinWorld) -> Moves:
    extent = world.extent
    if not extent.humans:
        return
    yield from login_noticed(world, extent, _read)
    if world.mood is Mood.LIVE or (extent.prompt and _is_probing(world)):
        return
    login = LOGINS[world.accepts]
    after = replace(world, accepts=login, disk=login, mood=Mood.LIVE, living=())
    if extent.other_bot:
        after = replace(after, bot="bot-2" if world.bot == "bot-1" else "bot-1")
        read = _read(after)
        what = "somebody logs another bot in"
        yield Move(Actor.HUMAN, what, read.events, read.world)
    else:
        yield Move(Actor.HUMAN, "somebody logs in again", (), after)


def _read(world: WeixinWorld) -> Move:
    """Read the login file."""
    what = "the login is read"
    loaded = CredentialsLoaded(world.disk, world.bot)
    return Move(Actor.DISK, what, (loaded,), replace(world, read=world.disk), good=True)


def _reload(world: WeixinWorld, call: Call) -> Moves:
    return login_reloaded(world, world.extent, call, _read)


def _poll(world: WeixinWorld, call: Call) -> Moves:
    poll = call.command
    assert isinstance(poll, Poll)
    after, epoch = answered(world, call), poll.epoch
    if world.mood is Mood.LIVE and poll.credential == world.accepts:
        cursor = poll.cursor or "cursor-1"
        good = PollAnswered(epoch, cursor=cursor)
        yield Move(Actor.PEER, "the poll brings nothing", (good,), after, good=True)
        moved = "cursor-2" if cursor == "cursor-1" else "cursor-1"
        for what, message, heard in _messages(after, epoch):
            events = message, PollAnswered(epoch, cursor=moved, messages=1)
            yield Move(Actor.PEER, f"the poll brings {what}", events, heard)
        for mood in world.extent.moods:
            refused = (PollAnswered(epoch, errcode=-14),)
            lost = replace(after, mood=mood)
            yield Move(Actor.PEER, f"the login is {mood}: -14", refused, lost)
    else:
        refused = (PollAnswered(epoch, ret=-14, errmsg="session timeout"),)
        yield Move(Actor.PEER, "the poll is refused: -14", refused, after, good=True)
    if world.extent.network:
        for what, event in _odd_polls(epoch):
            yield Move(Actor.NETWORK, f"the poll: {what}", (event,), after)


def _odd_polls(epoch: int) -> Iterator[tuple[str, Event]]:
    yield "no answer in time", PollFailed(epoch, "timeout")
    yield "connection reset", PollFailed(epoch, "reset")
    yield "a certificate that does not fit", PollFailed(epoch, "tls")
    yield "an error that nobody knows", PollAnswered(epoch, ret=-1)
    yield "HTTP 502", PollAnswered(epoch, status=502)
    yield "HTTP 404", PollAnswered(epoch, status=404)
    yield "no JSON", PollAnswered(epoch, malformed="not JSON")


def _late_poll(world: WeixinWorld) -> Moves:
    """Yield the answer of a poll that was replaced: it may be on its way already."""
    late = world.late
    if late is None:
        return
    after = replace(world, late=None)
    answer = PollAnswered(late.epoch, cursor="cursor-9", errcode=-14)
    yield Move(Actor.PEER, "a replaced poll answers -14", (answer,), after)
    for what, message, heard in _messages(after, late.epoch):
        events = message, PollAnswered(late.epoch, cursor="cursor-9", messages=1)
        yield Move(Actor.PEER, f"a replaced poll brings {what}", events, heard)


def _messages(
    world: WeixinWorld, epoch: int
) -> Iterator[tuple[str, Event, WeixinWorld]]:
    """Yield what the user may have written: something new, or a copy of the last."""
    if not world.extent.messages:
        return
    last = world.message
    number = 1 + int(last[0].removeprefix("m-")) if last is not None else 1
    fresh = f"m-{number}", f"token-{number}"
    living = tuple({**dict.fromkeys(world.living), fresh[1]: None})
    after = replace(world, message=fresh, living=living)
    yield "a message", _message(*fresh, epoch), after
    if last is not None:
        yield "a copy of the last message", _message(*last, epoch), world


def _message(known: str, token: str, epoch: int) -> Event:
    return MessageReceived(PEER_ID, "body", by_id=known, context=token, epoch=epoch)


def _notify(world: WeixinWorld, call: Call) -> Moves:
    asked = call.command
    assert isinstance(asked, NotifyStart | NotifyStop)
    after = answered(world, call)
    name = "start" if isinstance(asked, NotifyStart) else "stop"
    login = asked.credential
    known = login == world.accepts
    refused = NotifyAnswered(name, ret=-14, credential=login)
    taken = NotifyAnswered(name, credential=login)
    if known and world.mood is not Mood.REVOKED:
        revived = replace(after, mood=Mood.LIVE)
        yield Move(Actor.PEER, f"notify{name} is taken", (taken,), revived, good=True)
    elif known:
        what = f"notify{name} is taken, though the login is revoked"
        yield Move(Actor.PEER, what, (taken,), after)
    if not known or world.mood is not Mood.LIVE:
        what = f"notify{name} is refused: -14"
        good = not known or world.mood is Mood.REVOKED
        yield Move(Actor.PEER, what, (refused,), after, good=good)
    if world.extent.network or world.extent.odd:
        failed = NotifyFailed(name, "timeout", credential=login)
        yield Move(Actor.NETWORK, f"notify{name} is unanswered", (failed,), after)
        unread = NotifyAnswered(name, malformed="not JSON", credential=login)
        yield Move(Actor.NETWORK, f"notify{name}: no JSON", (unread,), after)
        odd = NotifyAnswered(name, status=500, credential=login)
        yield Move(Actor.NETWORK, f"notify{name}: HTTP 500", (odd,), after)


def _send(world: WeixinWorld, call: Call) -> Moves:
    send = call.command
    assert isinstance(send, Send)
    after, place = answered(world, call), (send.delivery, send.part)
    token, good = send.context, send.credential == world.accepts
    good = good and world.mood is Mood.LIVE
    if good and (not token or token in world.living):
        yield _told(
            after, SendAnswered(*place, message_id="out-1"), "accepted", good=True
        )
        yield _told(after, SendAnswered(*place), "accepted without an id")
        yield _told(after, SendAnswered(*place, ret=-3), "a caller's mistake: -3")
        if not token:
            yield _told(after, SendAnswered(*place, ret=-2), "a throttle: -2")
    if token:
        left = tuple(other for other in world.living if other != token)
        dead = replace(after, living=left)
        was_dead = token not in world.living or not good
        refused = SendAnswered(*place, ret=-2)
        yield _told(dead, refused, "the token is dead: -2", good=was_dead)
        yield _told(dead, SendAnswered(*place, errcode=-14), "the token is dead: -14")
    elif not good:
        refused = SendAnswered(*place, ret=-14)
        yield _told(after, refused, "the login is refused: -14", good=True)
    else:
        for mood in world.extent.moods:
            lost = replace(after, mood=mood)
            refused = SendAnswered(*place, ret=-14)
            yield _told(lost, refused, f"the login is {mood}: -14")
    if world.extent.odd and not token:
        refused = SendAnswered(*place, ret=-14)
        yield _told(after, refused, "refused, though polls are taken: -14")
    for what, event in (
        ("no answer", SendFailed(*place, "timeout")),
        ("not reached", SendFailed(*place, "connect", left=False)),
        ("HTTP 429", SendAnswered(*place, status=429)),
        ("HTTP 500", SendAnswered(*place, status=500)),
        ("no JSON", SendAnswered(*place, malformed="not JSON")),
    ):
        yield Move(Actor.NETWORK, f"the send: {what}", (event,), after)


def _told(world: WeixinWorld, event: Event, what: str, *, good: bool = False) -> Move:
    return Move(Actor.PEER, f"the send: {what}", (event,), world, good)


_ANSWERS: Mapping[type, Callable[[WeixinWorld, Call], Moves]] = {
    Poll: _poll,
    NotifyStart: _notify,
    NotifyStop: _notify,
    ReloadCredentials: _reload,
    Send: _send,
}
