"""Events on their way to the sessions: numbered, kept for a Resume, and bent."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from holdfast.replay.world.qq_faults import Twist, Withhold
from holdfast.replay.world.qq_outs import emit
from holdfast.replay.world.qq_say import (
    NAMES,
    Dispatch,
    Event,
    Say,
    bit_of,
    compose,
    plain,
)
from holdfast.replay.world.qq_state import (
    Buffered,
    Chat,
    Later,
    Opener,
    Peer,
    Session,
    make,
    postpone,
    with_session,
)
from holdfast.replay.world.qq_strike import strike, strike_first
from holdfast.replay.world.qq_wire import Frame
from holdfast.replay.world.wire import Json

INTERACTIONS_MAX = 100
SHARD_SHIFT = 22
# {event: the one that a bot sees as well that may read everything}
OTHER_NAMES = {
    NAMES["group"]: NAMES["group_all"],
    NAMES["group_all"]: NAMES["group"],
    NAMES["channel"]: NAMES["channel_all"],
    NAMES["channel_all"]: NAMES["channel"],
}


def happen(peer: Peer, at_ms: int, plan: Say | Event | Dispatch) -> Peer:
    """Let something happen in a chat; every session that wants it hears of it."""
    if isinstance(plan, Dispatch):
        return _deliver(peer, at_ms, plan)
    if isinstance(plan, Event):
        peer, number = make(peer)
        return _begin(peer, at_ms, plain(plan, number))
    for nth in range(plan.times):
        peer, number = make(peer)
        peer = _begin(peer, at_ms, compose(plan, number, at_ms, nth=nth))
    return peer


def deliver_held(peer: Peer, at_ms: int) -> Peer:
    """Hand out what happened while no session was there to hear of it."""
    held, peer = peer.held, replace(peer, held=())
    for dispatch in held:
        peer = _deliver(peer, at_ms, dispatch)
    return peer


def _begin(peer: Peer, at_ms: int, dispatch: Dispatch) -> Peer:
    """Open the window for replies, then deliver."""
    if dispatch.chat:
        chat = peer.chats.get(dispatch.chat) or Chat()
        opener = Opener(dispatch.reply_to, at_ms)
        heard = (*chat.heard, opener)[-peer.settings.heard_max :]
        chat = replace(chat, heard=heard, last_inbound_ms=at_ms)
        peer = replace(peer, chats=peer.chats | {dispatch.chat: chat})
    if dispatch.name == "INTERACTION_CREATE":
        asked = peer.interactions | {str(dispatch.data.get("id", "")): False}
        newest = [*asked.items()][-INTERACTIONS_MAX:]
        peer = replace(peer, interactions=dict(newest))
    counts = replace(peer.counts, events=peer.counts.events + 1)
    peer = replace(peer, counts=counts, reply_to=dispatch.reply_to)
    return _deliver(peer, at_ms, dispatch)


def _deliver(peer: Peer, at_ms: int, dispatch: Dispatch) -> Peer:
    def concerns(fault: Withhold) -> bool:
        return fault.event in {None, dispatch.name}

    peer, withheld = strike_first(peer, at_ms, Withhold, concerns)
    if withheld is not None and withheld.lost:
        return peer
    wanted = [one.session_id for one in _listeners(peer, dispatch)]
    if not wanted and peer.settings.held_max:
        held = (*peer.held, dispatch)[-peer.settings.held_max :]
        return replace(peer, held=held)
    for session_id in wanted:
        session = peer.sessions[session_id]
        peer = _push(peer, at_ms, session, dispatch, withheld=withheld is not None)
    return peer


def _listeners(peer: Peer, dispatch: Dispatch) -> Iterator[Session]:
    """Return the sessions whose intents and shard this event belongs to."""
    bit = bit_of(dispatch.name)
    for session in peer.sessions.values():
        allowed = bit is None or session.intents >> bit & 1
        if allowed and _shard_of(dispatch.data, session.shard[1]) == session.shard[0]:
            yield session


def _shard_of(data: Json, shards: int) -> int:
    """Return the shard of an event; for group and private ones nothing is known."""
    guild = data.get("guild_id")
    known = shards > 1 and isinstance(guild, str) and guild.isdigit()
    return (int(guild) >> SHARD_SHIFT) % shards if known and guild else 0


def _push(
    peer: Peer, at_ms: int, session: Session, dispatch: Dispatch, *, withheld: bool
) -> Peer:
    """Give the event its number in this session, keep it and send it."""

    def concerns(twist: Twist) -> bool:
        copied = dispatch.copy and twist.kind in {"copy", "full"}
        return twist.event in {None, dispatch.name} and not copied

    peer, twists = strike(peer, at_ms, Twist, concerns)
    s, fields = session.s + 1, _envelope(dispatch)
    for twist in twists:
        s += twist.by if twist.kind == "skip" else 0
        if twist.kind == "fields":
            fields |= {"d": _bent(fields["d"], twist)}
    whole = _text(fields | {"s": s})
    peer = _keep(peer, replace(session, s=s), Buffered(s, whole))
    for twist in twists:
        peer = _follow(peer, at_ms, dispatch, twist)
    if session.socket is None or withheld:
        return peer
    return _send(peer, at_ms, Frame(session.socket, whole), fields | {"s": s}, twists)


def _send(
    peer: Peer, at_ms: int, out: Frame, fields: Json, twists: tuple[Twist, ...]
) -> Peer:
    """Send the frame of an event as the twists want it."""
    late_ms, times = 0, 1
    if twists:
        out = replace(out, text=_text(_misnumbered(fields, twists)))
    for twist in twists:
        match twist.kind:
            case "repeat":
                times += 1
            case "late":
                late_ms += twist.after_ms
            case "malformed":
                out = replace(out, text=out.text[: len(out.text) // 2])
            case "slow":
                out = replace(out, byte_ms=twist.byte_ms)
            case "huge":
                out = replace(out, text=out.text[:-1] + " " * twist.bytes + "}")
            case _:
                pass
    for _ in range(times):
        peer = emit(peer, at_ms, out, late_ms=late_ms)
    return peer


def _misnumbered(fields: Json, twists: tuple[Twist, ...]) -> Json:
    """Return the envelope with its number and its id as the twists want them."""
    kinds = {twist.kind for twist in twists}
    back = sum(twist.by for twist in twists if twist.kind == "back")
    absent = {name for name in ("id", "s") if f"no_{name}" in kinds}
    fields = fields | {"s": fields["s"] - back}
    return {name: fields[name] for name in fields if name not in absent}


def _follow(peer: Peer, at_ms: int, dispatch: Dispatch, twist: Twist) -> Peer:
    """Plan the second appearance of an event."""
    again = replace(dispatch, copy=True)
    if twist.kind == "full" and dispatch.name in OTHER_NAMES:
        name = OTHER_NAMES[dispatch.name]
        other = dispatch.event_id.replace(dispatch.name, name)
        again = replace(again, name=name, event_id=other)
    elif twist.kind != "copy":
        return peer
    return postpone(peer, Later(at_ms + twist.after_ms, again))


def _keep(peer: Peer, session: Session, buffered: Buffered) -> Peer:
    """Keep the event for a Resume, as long as there is room."""
    keep = peer.settings.buffer_max
    buffer = session.buffer.append(buffered, keep=keep)
    forgotten_s = session.forgotten_s
    if not len(buffer):
        forgotten_s = buffered.s
    elif len(buffer) <= len(session.buffer):  # A page went.
        forgotten_s = next(iter(buffer)).s - 1
    return with_session(peer, replace(session, buffer=buffer, forgotten_s=forgotten_s))


def _envelope(dispatch: Dispatch) -> Json:
    return {
        "op": 0,
        "s": 0,
        "t": dispatch.name,
        "id": dispatch.event_id,
        "d": dispatch.data,
    }


def _bent(data: Json, twist: Twist) -> Json:
    return {key: data[key] for key in data if key not in twist.drop} | twist.set


def _text(fields: Json) -> str:
    return msgspec.json.encode(fields).decode()
