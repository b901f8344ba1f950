"""The gateway: what clients say on their sockets, and what the platform answers."""

from typing import Any

from msgspec.structs import replace

from holdfast.replay.world.qq_faults import Acks, Hello
from holdfast.replay.world.qq_login import identify, resume
from holdfast.replay.world.qq_outs import ACKED, emit, end, frame, part
from holdfast.replay.world.qq_state import (
    Later,
    Logged,
    Peer,
    Socket,
    accuse,
    postpone,
    with_socket,
    write,
)
from holdfast.replay.world.qq_strike import strike_first
from holdfast.replay.world.qq_wire import (
    HEARTBEAT,
    HELLO,
    IDENTIFY,
    RESUME,
    Close,
    Frame,
    Heard,
    Left,
    Ping,
    Pong,
    Text,
)
from holdfast.replay.world.wire import read_object


def open_socket(peer: Peer, at_ms: int) -> tuple[Peer, int]:
    """Take a connection and say Hello."""
    number = peer.counts.connections + 1
    counts = replace(peer.counts, connections=number)
    peer = replace(peer, counts=counts)
    peer = write(peer, Logged(at_ms, "open", number))
    peer, fault = strike_first(peer, at_ms, Hello)
    kind = fault.kind if fault else ""
    if kind == "silent":
        return with_socket(peer, Socket(number, at_ms, beat_ms=at_ms)), number
    late_ms = fault.late_ms if fault and kind == "late" else 0
    socket = Socket(number, at_ms, at_ms + late_ms, beat_ms=at_ms)
    interval_ms = peer.settings.heartbeat_interval_ms
    interval_ms = fault.interval_ms if fault and kind == "interval" else interval_ms
    body = {} if kind == "absent" else {"heartbeat_interval": interval_ms}
    out = frame(number, {"op": HELLO, "d": body})
    return emit(with_socket(peer, socket), at_ms, out, late_ms=late_ms), number


def listen(peer: Peer, at_ms: int, number: int, heard: Heard) -> Peer:
    """Let the platform hear something; a half-open socket hears its end alone."""
    socket = peer.sockets.get(number)
    if socket is None:
        return peer
    if isinstance(heard, Left):
        return _leave(peer, at_ms, socket, heard)
    if socket.mute:
        return peer
    if at_ms < peer.frozen_ms:
        return postpone(peer, Later(peer.frozen_ms, heard, number))
    if isinstance(heard, Ping):
        counts = replace(peer.counts, pings=peer.counts.pings + 1)
        return emit(replace(peer, counts=counts), at_ms, Pong(number, heard.data))
    return _read(peer, at_ms, socket, heard)


def _leave(peer: Peer, at_ms: int, socket: Socket, heard: Left) -> Peer:
    """Let a client go: answer its close frame, or take note of the end."""
    if heard.code is None or socket.mute:
        peer = write(peer, Logged(at_ms, "end", socket.number, "left"))
        return part(peer, at_ms, socket.number)
    close = Close(socket.number, heard.code, heard.reason)
    peer = write(peer, Logged(at_ms, "heard", socket.number, "close", heard.reason))
    return part(emit(peer, at_ms, close), at_ms, socket.number)


def _read(peer: Peer, at_ms: int, socket: Socket, heard: Text) -> Peer:
    """Read one frame of the client."""
    fields = read_object(heard.text)
    op = fields.get("op") if fields else None
    if peer.settings.log_max:
        line = Logged(at_ms, "heard", socket.number, f"op {op}", heard.text)
        peer = write(peer, line)
    if fields is None or type(op) is not int:
        return end(peer, at_ms, socket.number, 4002)
    greeted = socket.told_ms is not None and socket.told_ms <= at_ms
    if not greeted and peer.settings.strict.hello_first:
        peer = accuse(peer, f"socket {socket.number}: op {op} before Hello")
    asked = fields.get("d")
    if op == HEARTBEAT:
        return _beat(peer, at_ms, socket, asked)
    if op not in {IDENTIFY, RESUME}:
        return end(peer, at_ms, socket.number, 4001)
    if socket.session_id in peer.sessions:
        return end(peer, at_ms, socket.number, 4005)
    answer = identify if op == IDENTIFY else resume
    return answer(peer, at_ms, socket, asked)


def _beat(peer: Peer, at_ms: int, socket: Socket, seq: Any) -> Peer:
    """Acknowledge a heartbeat."""
    number, strict = socket.number, peer.settings.strict
    counts = replace(peer.counts, heartbeats=peer.counts.heartbeats + 1)
    peer = replace(peer, counts=counts)
    confirmed = socket.ready_ms is not None and socket.ready_ms <= at_ms
    if not confirmed and strict.beat_confirmed:
        peer = accuse(peer, f"socket {number}: a heartbeat before READY or RESUMED")
    if not socket.session_id:
        return end(peer, at_ms, number, 4003)
    if seq is not None and type(seq) is not int:
        return end(peer, at_ms, number, 4002)
    session = peer.sessions.get(socket.session_id)
    if session is not None and seq is not None and seq > session.s and strict.beat_seq:
        peer = accuse(peer, f"socket {number}: a heartbeat names s {seq}, not sent yet")
    peer = with_socket(peer, replace(socket, beat_ms=at_ms))
    peer, fault = strike_first(peer, at_ms, Acks)
    if fault is not None and fault.late_ms is None:
        return peer
    late_ms = fault.late_ms if fault and fault.late_ms else 0
    return emit(peer, at_ms, Frame(number, ACKED), late_ms=late_ms)
