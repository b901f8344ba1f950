"""The simulated QQ platform: a pure model of token, REST and WebSocket gateway.

No clock, no randomness, no I/O: the caller says what time it is and carries out what
comes back. The same model serves virtual time, real sockets (`serve_qq.py`) and
exploration.

    peer = new_qq(at_ms=0)
    peer, reply = answer(peer, 0, request)          # token, gateway, sends
    peer, number = connect(peer, 0)                 # or a Reply: no handshake
    peer = hear(peer, 0, number, '{"op":2,...}')    # also `ping` and `leave`
    peer, outs = collect(peer)                      # frames, closes, ends: do them

Between calls, move time on with `tick` at `wake_ms`; all calls do it as well, so that
each may leave something to collect. Every `at_ms` is absolute, in milliseconds on the
caller's clock.
"""

from holdfast.replay.world.qq_control import (
    arm,
    close,
    drop_sessions,
    drop_tokens,
    event,
    heal,
    load,
    new_qq,
    say,
)
from holdfast.replay.world.qq_gateway import listen, open_socket
from holdfast.replay.world.qq_rest import greet, reply_to
from holdfast.replay.world.qq_state import Peer, collect
from holdfast.replay.world.qq_strike import is_listening
from holdfast.replay.world.qq_time import tick, wake_ms
from holdfast.replay.world.qq_wire import Left, Ping, Text
from holdfast.replay.world.wire import Reply, Request

__all__ = [
    "answer",
    "arm",
    "close",
    "collect",
    "connect",
    "drop_sessions",
    "drop_tokens",
    "event",
    "heal",
    "hear",
    "is_listening",
    "leave",
    "load",
    "new_qq",
    "ping",
    "say",
    "tick",
    "wake_ms",
]

HANDSHAKE = Request("GET", "/websocket/")


def answer(peer: Peer, at_ms: int, request: Request) -> tuple[Peer, Reply]:
    """Answer a request; send the reply after its delay, the way its transport says."""
    return reply_to(tick(peer, at_ms), at_ms, request)


def connect(
    peer: Peer, at_ms: int, request: Request = HANDSHAKE
) -> tuple[Peer, int | Reply]:
    """Grant a WebSocket handshake and return the socket's number, or a Reply instead.

    Ask `is_listening` first: while it is false, nobody could have come so far.
    """
    peer, refused = greet(tick(peer, at_ms), at_ms, request)
    if refused is not None:
        return peer, refused
    return open_socket(peer, at_ms)


def hear(peer: Peer, at_ms: int, number: int, text: str) -> Peer:
    """Take a text frame from a client."""
    return listen(tick(peer, at_ms), at_ms, number, Text(text))


def ping(peer: Peer, at_ms: int, number: int, data: bytes = b"") -> Peer:
    """Take a WebSocket ping from a client."""
    return listen(tick(peer, at_ms), at_ms, number, Ping(data))


def leave(
    peer: Peer, at_ms: int, number: int, code: int | None = None, reason: str = ""
) -> Peer:
    """Let a client close; code None: its connection ended without a close frame."""
    return listen(tick(peer, at_ms), at_ms, number, Left(code, reason))
