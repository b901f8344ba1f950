"""What happens by the clock: plans, renewals, silences, and the faults that begin."""

from collections.abc import Iterator
from typing import TypeAlias

from msgspec.structs import replace

from holdfast.replay.world.qq_book import kill_tokens
from holdfast.replay.world.qq_dispatch import happen
from holdfast.replay.world.qq_faults import (
    Blow,
    Closing,
    Freeze,
    Noise,
    OnSocket,
    Outage,
    Quota,
    Silence,
    Token,
)
from holdfast.replay.world.qq_gateway import listen
from holdfast.replay.world.qq_outs import emit, end, frame, hit, part, perform
from holdfast.replay.world.qq_say import Dispatch, Event, Say
from holdfast.replay.world.qq_state import (
    Armed,
    Later,
    Peer,
    Socket,
    with_session,
    without_session,
)
from holdfast.replay.world.qq_strike import (
    befallings,
    beginnings,
    count,
    endings,
)
from holdfast.replay.world.qq_wire import Cut, Frame, Left, Mute, Ping, Text

NOISES = {
    "heartbeat": '{"op":1,"d":null}',
    "opcode": '{"op":77,"d":{}}',
    "malformed": '{"op":0,"s":',
}

# What is due: when, which kind (in the order they happen within a millisecond), which.
Due: TypeAlias = tuple[int, int, int, int | str]
PLAN, BEGINNING, BEFALLING, RENEWAL, DROP, EXPIRY = range(6)


def tick(peer: Peer, at_ms: int) -> Peer:
    """Let everything happen that is due by now, each at its own time."""
    while (due := min(_dues(peer), default=None)) is not None and due[0] <= at_ms:
        peer = _happen(peer, due)
    return peer


def wake_ms(peer: Peer, at_ms: int) -> int | None:
    """Return when to call `tick` next; None: nothing is planned."""
    ahead = [due[0] for due in _dues(peer)]
    return min((*ahead, *endings(peer, at_ms)), default=None)


def _dues(peer: Peer) -> Iterator[Due]:
    """Return all that will happen if nobody does anything."""
    for index, later in enumerate(peer.later):
        yield later.due_ms, PLAN, index, 0
    if peer.armed:
        for due_ms, index in beginnings(peer):
            yield due_ms, BEGINNING, index, 0
        for due_ms, index, number in befallings(peer):
            yield due_ms, BEFALLING, index, number
    for number, socket in peer.sockets.items():
        life_ms = None if socket.leaving else peer.settings.recycle_ms
        if socket.ready_ms is not None and life_ms is not None:
            yield socket.ready_ms + life_ms, RENEWAL, number, 0
        alive_ms = max(socket.beat_ms, peer.frozen_ms)
        yield alive_ms + peer.settings.heartbeat_silence_ms, DROP, number, 0
    for session_id, session in peer.sessions.items():
        if session.socket is None:
            yield session.lost_ms + peer.settings.resume_ms, EXPIRY, 0, session_id


def _happen(peer: Peer, due: Due) -> Peer:
    due_ms, kind, index, which = due
    match kind:
        case 0:
            later = peer.later[index]
            left = (*peer.later[:index], *peer.later[index + 1 :])
            return _carry_out(replace(peer, later=left), due_ms, later)
        case 1:
            return _begin(peer, due_ms, index)
        case 2:
            return _befall(peer, due_ms, index, int(which))
        case 3:
            counts = replace(peer.counts, recycles=peer.counts.recycles + 1)
            gap_ms = peer.settings.recycle_gap_ms
            blow = Blow(first="op7", close=4009, after_ms=gap_ms)
            return hit(replace(peer, counts=counts), due_ms, index, blow)
        case 4:
            return _drop(peer, due_ms, peer.sockets[index])
        case _:
            return without_session(peer, str(which))


def _carry_out(peer: Peer, due_ms: int, later: Later) -> Peer:
    """Let a planned thing happen."""
    match later.plan:
        case Say() | Event() | Dispatch():
            return happen(peer, due_ms, later.plan)
        case Text() | Ping() | Left():
            return listen(peer, due_ms, later.socket, later.plan)
        case out:
            return emit(peer, due_ms, out)


def _drop(peer: Peer, due_ms: int, socket: Socket) -> Peer:
    """End a connection whose client gave no sign of life; it is told nothing."""
    counts = replace(peer.counts, drops=peer.counts.drops + 1)
    peer = replace(peer, counts=counts)
    if socket.mute:
        return part(peer, due_ms, socket.number)
    return perform(peer, due_ms, Cut(socket.number), socket)


def _begin(peer: Peer, due_ms: int, index: int) -> Peer:
    """Let a fault of the clock begin."""
    armed = peer.armed[index]
    peer = _with_armed(peer, index, replace(armed, struck=1))
    match armed.fault:
        case Outage(lose_sessions=lost):
            return _go_down(peer, due_ms, lost=lost)
        case Freeze():
            frozen_ms = max(peer.frozen_ms, armed.to_ms or due_ms)
            return replace(peer, frozen_ms=frozen_ms)
        case Quota(left=left, reset_after_ms=reset_ms):
            reset_ms += due_ms
            return replace(peer, quota_left=left, quota_reset_ms=reset_ms)
        case Token(kind="dies", closing=closing):
            return _kill(peer, due_ms, closing=closing)
        case _:
            return peer


def _go_down(peer: Peer, due_ms: int, *, lost: bool) -> Peer:
    """Reset every connection."""
    for number, socket in [*peer.sockets.items()]:
        peer = perform(peer, due_ms, Cut(number, reset=True), socket)
    later = tuple(
        one for one in peer.later if isinstance(one.plan, Say | Event | Dispatch)
    )
    peer = replace(peer, later=later)
    return replace(peer, sessions={}) if lost else peer


def _kill(peer: Peer, due_ms: int, *, closing: bool) -> Peer:
    peer = kill_tokens(peer)
    for number in [*peer.sockets] if closing else []:
        peer = end(peer, due_ms, number, 4004)
    return peer


def _befall(peer: Peer, due_ms: int, index: int, number: int) -> Peer:
    """Let a fault look at a running connection, and strike when it is its turn."""
    armed = peer.armed[index]
    seen = tuple(one for one in armed.sockets if one in peer.sockets)
    after = replace(count(armed), sockets=(*seen, number))
    peer = _with_armed(peer, index, after)
    if after.struck == armed.struck:
        return peer
    fault = armed.fault
    assert isinstance(fault, OnSocket), "only such faults come here"
    match fault:
        case Closing():
            return hit(peer, due_ms, number, fault)
        case Silence():
            return emit(peer, due_ms, Mute(number))
        case Noise():
            return _make_noise(peer, due_ms, number, fault)


def _make_noise(peer: Peer, due_ms: int, number: int, fault: Noise) -> Peer:
    if fault.kind in NOISES:
        return emit(peer, due_ms, Frame(number, NOISES[fault.kind]))
    if fault.kind == "raw":
        return emit(peer, due_ms, Frame(number, fault.text))
    session = peer.sessions.get(peer.sockets[number].session_id)
    if session is None:
        return peer
    session = replace(session, s=session.s + 1)
    text = "x" * fault.bytes if fault.kind == "huge" else ""
    body = {"op": 0, "s": session.s, "t": "UNHEARD_OF_CREATE", "id": "UNHEARD_OF:1"}
    peer = with_session(peer, session)
    return emit(peer, due_ms, frame(number, body | {"d": {"text": text}}))


def _with_armed(peer: Peer, index: int, armed: Armed) -> Peer:
    return replace(peer, armed=(*peer.armed[:index], armed, *peer.armed[index + 1 :]))
