"""Identify and Resume: who may have a session, and how it goes on (sections 3 to 6)."""

from typing import Any

from msgspec.structs import replace

from holdfast.replay.world.qq_book import is_good_token, take_start
from holdfast.replay.world.qq_dispatch import deliver_held
from holdfast.replay.world.qq_faults import Identify, Resume
from holdfast.replay.world.qq_outs import emit, end, frame, hit, part, turn_down
from holdfast.replay.world.qq_settings import INTENTS_ALL, Refusal
from holdfast.replay.world.qq_state import (
    Buffered,
    Peer,
    Session,
    Socket,
    accuse,
    make,
    with_session,
    with_socket,
    without_session,
)
from holdfast.replay.world.qq_strike import strike_first
from holdfast.replay.world.qq_wire import DISPATCH, Cut, Frame
from holdfast.replay.world.wire import Json

PAIR = 2


def identify(peer: Peer, at_ms: int, socket: Socket, asked: Any) -> Peer:
    """Answer an Identify: READY with a new session, or what stands against it."""
    number = socket.number
    peer = replace(peer, counts=_more(peer, identifies=1))
    peer, allowed = take_start(peer, at_ms)
    peer, fault = strike_first(peer, at_ms, Identify)
    if fault is not None and fault.kind == "refuse":
        return hit(peer, at_ms, number, fault)
    objection = _objection(peer, at_ms, asked) if allowed else "op9_4903"
    if objection is not None:
        return turn_down(peer, at_ms, number, objection)
    shard, intents = _shard(asked["shard"]), asked["intents"]
    assert shard is not None, "an objection was raised otherwise"
    peer = _replace_session(peer, at_ms, socket, shard)
    peer, made = make(peer)
    session_id = f"7d3c0f52-1111-4e6b-9f00-{made:012d}"
    peer = with_session(peer, Session(session_id, shard, intents, number, s=1))
    ready = _ready(peer, session_id) | (fault.set if fault else {})
    peer = _confirm(peer, at_ms, number, session_id, fault)
    peer = replace(peer, counts=_more(peer, readies=1))
    peer = emit(peer, at_ms, _dispatch(number, 1, "READY", ready))
    return deliver_held(peer, at_ms)


def _objection(peer: Peer, at_ms: int, asked: Any) -> Refusal | None:
    """Return how an Identify is refused; None: nothing stands against it."""
    if not isinstance(asked, dict) or not isinstance(asked.get("token"), str):
        return "4002"
    if not is_good_token(peer, at_ms, asked["token"]):
        return peer.settings.wrong_token
    if _shard(asked.get("shard")) is None:
        return "4010"
    intents = asked.get("intents")
    if type(intents) is not int or not 0 <= intents <= INTENTS_ALL:
        return "4013"
    return peer.settings.ungranted if intents & ~peer.settings.granted else None


def resume(peer: Peer, at_ms: int, socket: Socket, asked: Any) -> Peer:
    """Answer a Resume: what was missed and RESUMED, or what stands against it."""
    number = socket.number
    peer = replace(peer, counts=_more(peer, resumes=1))
    peer, fault = strike_first(peer, at_ms, Resume)
    if not _is_resume(asked):
        return end(peer, at_ms, number, 4002)
    session = peer.sessions.get(asked["session_id"])
    if fault is not None and fault.kind == "refuse":
        return _break(peer, at_ms, socket, session, fault)
    if not is_good_token(peer, at_ms, asked["token"]):
        return turn_down(peer, at_ms, number, peer.settings.wrong_token)
    if session is None:
        return turn_down(peer, at_ms, number, peer.settings.stale_resume)
    seq = asked["seq"]
    if not session.forgotten_s <= seq <= session.s:
        peer = without_session(peer, session.session_id)
        return end(peer, at_ms, number, 4007)
    peer = _take_over(peer, at_ms, socket, session)
    session = replace(session, socket=number, s=session.s + 1)
    peer = with_session(peer, session)
    peer = _confirm(peer, at_ms, number, session.session_id, fault)
    peer = replace(peer, counts=_more(peer, resumed=1))
    for out in _replay(peer, session, seq, fault):
        peer = emit(peer, at_ms, out)
    return peer


def _replay(
    peer: Peer, session: Session, seq: int, fault: Resume | None
) -> list[Frame]:
    """Return what was missed, then the confirmation; faults change the order."""
    assert session.socket is not None, "it has just been bound"
    number = session.socket
    frames = [Frame(number, text) for text in _missed(session, seq, fault)]
    last = _confirmation(peer, number, session, fault)
    early = fault is not None and fault.kind == "early"
    return [last, *frames] if early else [*frames, last]


def _missed(session: Session, seq: int, fault: Resume | None) -> list[str]:
    """Return the frames after `seq`, in the order in which they are replayed."""
    kind, by = (fault.kind, fault.by) if fault else ("", 0)
    since = seq - by if kind == "again" else seq
    missed: list[Buffered] = []
    for buffered in reversed(session.buffer):
        if buffered.s <= since:
            break
        missed.append(buffered)
    if kind != "shuffle":
        missed.reverse()
    return [buffered.text for buffered in missed[by if kind == "gap" else 0 :]]


def _confirmation(
    peer: Peer, number: int, session: Session, fault: Resume | None
) -> Frame:
    if fault is not None and fault.kind == "ready":
        ready = _ready(peer, session.session_id)
        return _dispatch(number, session.s, "READY", ready)
    as_object = fault is not None and fault.kind == "object"
    return _dispatch(number, session.s, "RESUMED", {} if as_object else "")


def _confirm(
    peer: Peer,
    at_ms: int,
    number: int,
    session_id: str,
    fault: Identify | Resume | None,
) -> Peer:
    """Bind the socket to its session; all that follows comes late if READY does."""
    late = fault is not None and fault.kind == "late"
    ready_ms = at_ms + (fault.late_ms if fault and late else 0)
    socket = replace(
        peer.sockets[number],
        session_id=session_id,
        ready_ms=ready_ms,
        beat_ms=ready_ms,
        quiet_ms=ready_ms,
    )
    return with_socket(peer, socket)


def _replace_session(
    peer: Peer, at_ms: int, socket: Socket, shard: tuple[int, int]
) -> Peer:
    """Drop the shard's earlier session, and the socket that still carries it."""
    for session in [*peer.sessions.values()]:
        if session.shard == shard:
            peer = _take_over(peer, at_ms, socket, session)
            peer = without_session(peer, session.session_id)
    return peer


def _take_over(peer: Peer, at_ms: int, socket: Socket, session: Session) -> Peer:
    """End the old connection of a session; what the platform does then is not known."""
    old = peer.sockets.get(session.socket or 0)
    if old is None or old.number == socket.number or old.leaving:
        return peer
    if old.mute:
        return part(peer, at_ms, old.number)
    if peer.settings.strict.one_socket:
        words = f"socket {socket.number}: socket {old.number} of its shard is open"
        peer = accuse(peer, words)
    return emit(peer, at_ms, Cut(old.number))


def _break(
    peer: Peer, at_ms: int, socket: Socket, session: Session | None, fault: Resume
) -> Peer:
    """Refuse a Resume; a refusal of the session itself ends it for good."""
    if session is not None:
        bound = replace(socket, session_id=session.session_id)
        peer = with_socket(peer, bound)
    peer = hit(peer, at_ms, socket.number, fault)
    left = peer.sockets.get(socket.number)
    return peer if left is None else with_socket(peer, replace(left, session_id=""))


def _is_resume(asked: Any) -> bool:
    if not isinstance(asked, dict):
        return False
    named = isinstance(asked.get("token"), str)
    named = named and isinstance(asked.get("session_id"), str)
    return named and type(asked.get("seq")) is int


def _shard(given: Any) -> tuple[int, int] | None:
    """Return the shard pair; None when it is none."""
    if not isinstance(given, list) or len(given) != PAIR:
        return None
    index, count = given
    if type(index) is not int or type(count) is not int or not 0 <= index < count:
        return None
    return index, count


def _ready(peer: Peer, session_id: str) -> Json:
    return {
        "version": 1,
        "session_id": session_id,
        "user": {"id": peer.settings.bot_id, "username": "demo", "bot": True},
        "shard": list(peer.sessions[session_id].shard),
    }


def _dispatch(number: int, s: int, name: str, data: Any) -> Frame:
    return frame(number, {"op": DISPATCH, "s": s, "t": name, "d": data})


def _more(peer: Peer, **added: int) -> Any:
    now = {name: getattr(peer.counts, name) + more for name, more in added.items()}
    return replace(peer.counts, **now)
