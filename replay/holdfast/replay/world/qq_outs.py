"""What the platform does on its sockets, and what becomes of a socket by it.

Everything goes through `emit`, which lets nothing out of a half-open socket, and
nothing out before its time.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from holdfast.replay.world.qq_faults import Blow
from holdfast.replay.world.qq_settings import Refusal
from holdfast.replay.world.qq_state import (
    Later,
    Logged,
    Peer,
    Socket,
    postpone,
    with_session,
    with_socket,
    without_session,
    write,
)
from holdfast.replay.world.qq_wire import NO_FRAME, Close, Cut, Frame, Mute, Out, Pong
from holdfast.replay.world.wire import Json

ACKED = '{"op":11}'
FIRSTS = {
    "op7": '{"op":7}',
    "op9_false": '{"op":9,"d":false}',
    "op9_true": '{"op":9,"d":true}',
}
TORN = '{"op":0,"s":1,"t":"READY","d":{"torn":true}}'
REASONS: Mapping[int, str] = {
    4001: "invalid opcode",
    4002: "invalid payload",
    4003: "not authenticated",
    4004: "authentication failed",
    4005: "already authenticated",
    4006: "session invalid",
    4007: "seq invalid",
    4008: "payloads too fast",
    4009: "Session timed out",
    4010: "invalid shard",
    4013: "invalid intents",
    4014: "disallowed intents",
    4902: "reset by resume",
    4903: "create session error",
    4914: "bot offline",
    4915: "bot banned",
}
INTERNAL = range(4900, 4914)
REFUSALS: Mapping[Refusal, Blow] = {
    "op9": Blow(first="op9_false"),
    "op9_4903": Blow(first="op9_false", close=4903),
    "op9_cut": Blow(first="op9_false", close=NO_FRAME),
    "cut": Blow(close=NO_FRAME),
}


def frame(number: int, fields: Json) -> Frame:
    """Return the frame of these fields."""
    return Frame(number, msgspec.json.encode(fields).decode())


def emit(peer: Peer, at_ms: int, out: Out, *, late_ms: int = 0) -> Peer:
    """Do something on a socket, when it may; on one that is no more, nothing."""
    socket = peer.sockets.get(out.socket)
    if socket is None or socket.mute:
        return peer
    due_ms = max(at_ms + late_ms, socket.quiet_ms, peer.frozen_ms)
    if due_ms > at_ms:
        return postpone(peer, Later(due_ms, out))
    return perform(peer, at_ms, out, socket)


def perform(peer: Peer, at_ms: int, out: Out, socket: Socket) -> Peer:
    """Do it now, and draw the consequences."""
    peer = replace(peer, outs=(*peer.outs, out))
    match out:
        case Frame():
            told = Logged(at_ms, "told", out.socket, text=out.text)
            return write(peer, told) if peer.settings.log_max else peer
        case Pong():
            return peer
        case Mute():
            return with_socket(peer, replace(socket, mute=True))
        case Close():
            peer = write(
                peer,
                Logged(at_ms, "end", out.socket, "close", out.reason, status=out.code),
            )
            return part(peer, at_ms, out.socket)
        case Cut():
            how = "reset" if out.reset else "cut"
            peer = write(peer, Logged(at_ms, "end", out.socket, how))
            return part(peer, at_ms, out.socket)


def part(peer: Peer, at_ms: int, number: int) -> Peer:
    """Forget a socket; its session waits for a Resume."""
    socket = peer.sockets.get(number)
    if socket is None:
        return peer
    sockets = {k: v for k, v in peer.sockets.items() if k != number}
    lost_ms = peer.lost_ms if socket.ready_ms is None else at_ms
    peer = replace(peer, sockets=sockets, lost_ms=lost_ms)
    session = peer.sessions.get(socket.session_id)
    if session is None or session.socket != number:
        return peer
    return with_session(peer, replace(session, socket=None, lost_ms=at_ms))


def hit(peer: Peer, at_ms: int, number: int, blow: Blow) -> Peer:
    """Let a blow fall on a socket: its frame, then its end."""
    socket = peer.sockets.get(number)
    if socket is None:
        return peer
    if ends_session(blow):
        peer = without_session(peer, socket.session_id)
    if blow.first == "op7" or blow.close is not None:
        peer = with_socket(peer, replace(socket, leaving=True))
    if blow.first != "none":
        peer = emit(peer, at_ms, Frame(number, FIRSTS[blow.first]))
    if blow.close is None:
        return peer
    return emit(peer, at_ms, end_of(number, blow), late_ms=blow.after_ms)


def end_of(number: int, blow: Blow) -> Out:
    """Return the end that a blow makes of a connection."""
    if blow.close == NO_FRAME or blow.close is None:
        return Cut(number, blow.reset, TORN if blow.torn else "")
    return Close(number, blow.close, blow.reason or REASONS.get(blow.close, ""))


def ends_session(blow: Blow) -> bool:
    """Return whether no Resume is possible after this (section 6)."""
    over = blow.close in {4006, 4007} or blow.close in INTERNAL
    return over or blow.first == "op9_false"


def turn_down(peer: Peer, at_ms: int, number: int, refusal: Refusal) -> Peer:
    """Refuse what was asked on a socket, in the way that the settings chose."""
    blow = REFUSALS.get(refusal) or Blow(close=int(refusal))
    return hit(peer, at_ms, number, blow)


def end(peer: Peer, at_ms: int, number: int, code: int) -> Peer:
    """Close a socket with a code."""
    return hit(peer, at_ms, number, Blow(close=code))
