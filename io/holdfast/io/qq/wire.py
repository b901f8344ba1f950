"""What goes over the wire to QQ, and how its answers and frames are opened.

Numbers in brackets are sections of docs/qq-bot.md. Nothing is judged here: a body of
status 200 with an error code in it, or a code that is no number, stays what it is.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from holdfast.io.http import Response
from holdfast.io.opening import (
    ID_MAX,
    Fields,
    Opened,
    id_of,
    int_of,
    masked,
    open_answer,
    text_of,
    text_of_any,
)
from holdfast.io.release import VERSION

TRACE_HEADER = "X-Tps-trace-ID"
USER_AGENT = f"Holdfast/{VERSION}"
# {kind of target: where its messages are posted (9)}
PATHS = {
    "c2c": "/v2/users/{}/messages",
    "group": "/v2/groups/{}/messages",
    "guild": "/channels/{}/messages",
    "dm": "/dms/{}/messages",
}
TARGETS = "c2c:, group:, guild: or dm: with an id, as in the `from_` of a message"
# Where several answers to one message are told apart by their number (10).
NUMBERED = ("c2c", "group")
TEXT = 0
# What stands in a header must fit into one.
_SAFE_TOKEN = re.compile(r"[!-~]{1,4096}")
# How a message without an id is called here; the peer knows nothing of it.
_OUR_ID = re.compile(r"body-[0-9a-f]{16}")

DISPATCH, HEARTBEAT, IDENTIFY, RESUME = 0, 1, 2, 6
RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 9, 10, 11

_encode = msgspec.json.encode
_context = msgspec.json.Decoder(dict[str, str])


class Said(Struct, frozen=True):
    """The codes and words of an answer; `malformed` says what could not be read."""

    code: int | None
    err_code: int | None
    message: str
    malformed: str
    trace: str


class Frame(Struct, frozen=True):
    """One frame of the gateway, unread: `d` is the bytes of its body, None if absent.

    `id` is that of an event, `raw` all of it; `malformed` says why it is no frame.
    """

    raw: bytes
    op: int | None = None
    d: Raw | None = None
    s: int | None = None
    t: str = ""
    id: str = ""
    malformed: str = ""


def headers(token: str, app_id: str) -> dict[str, str]:
    """Return the headers of an authenticated call (1)."""
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Authorization": authorization(token),
        "X-Union-Appid": app_id,
    }


def authorization(token: str) -> str:
    """Return how a token is shown, in calls and on the socket."""
    return f"QQBot {token}"


def token_request(app_id: str, secret: str) -> bytes:
    """Return the body that asks for an access token (2)."""
    return _encode({"appId": app_id, "clientSecret": secret})


def token_of(fields: Fields) -> str:
    """Return an access token; what would fit into no header is none."""
    token = text_of(fields, "access_token")
    return token if _SAFE_TOKEN.fullmatch(token) else ""


def said(response: Response, opened: Opened, hide: Iterable[str] = ()) -> Said:
    """Return the peer's codes and words, without the values of this call (9)."""
    fields, malformed = opened.fields, opened.malformed
    for name in ("code", "err_code"):
        if text_of_any(fields, name) and int_of(fields, name) is None:
            malformed = malformed or f"{name} is no whole number"
    hidden = tuple(hide)
    trace = id_of(fields, "trace_id") or response.trace
    return Said(
        code=int_of(fields, "code"),
        err_code=int_of(fields, "err_code"),
        message=masked(text_of(fields, "message"), hidden),
        malformed=malformed,
        trace=masked(trace, hidden)[:ID_MAX],
    )


def target_of(peer: str) -> tuple[str, str]:
    """Take a target apart: its kind and id, both empty when it is none."""
    kind, _, number = peer.partition(":")
    dots = number in (".", "..")  # No path can hold them, however they are written.
    fits = kind in PATHS and number and number.isprintable() and " " not in number
    return (kind, number) if fits and not dots else ("", "")


def is_target(peer: str) -> bool:
    """Tell whether messages can be sent there."""
    return target_of(peer) != ("", "")


def path_of(peer: str) -> str:
    """Return where messages for a target are posted; ids may hold any character."""
    kind, number = target_of(peer)
    assert kind, "a send was drafted for a target of this platform"
    return PATHS[kind].format(quote(number, safe=""))


def text_message(peer: str, text: str, context: bytes, number: int) -> bytes:
    """Return the body of a text send: `context` says what it answers (10)."""
    kind, _ = target_of(peer)
    answers = answered(context)
    message: dict[str, Any] = {"content": text, **answers}
    if kind in NUMBERED:
        message["msg_type"] = TEXT
        # Beside an event id it would count as a push.
        if number > 0 and "msg_id" in answers:
            message["msg_seq"] = number
    return _encode(message)


def reply_context(message_id: str) -> bytes:
    """Return the context of an answer to a message; none for one without an id."""
    if not message_id or _OUR_ID.fullmatch(message_id):
        return b""
    return _encode({"msg_id": message_id})


def event_context(event_id: str) -> bytes:
    """Return the context of an answer to an event."""
    return _encode({"event_id": event_id}) if event_id else b""


def answered(context: bytes) -> dict[str, str]:
    """Return what a context says: the id of a message or of an event, or nothing."""
    return _context.decode(context) if context else {}


def identify(token: str, intents: int, shard: tuple[int, int]) -> str:
    """Return the frame that begins a session (4)."""
    return _frame(
        IDENTIFY,
        {
            "token": authorization(token),
            "intents": intents,
            "shard": shard,
            "properties": {},
        },
    )


def resume(token: str, session: str, seq: int) -> str:
    """Return the frame that goes on with a session (4)."""
    shown = {"token": authorization(token), "session_id": session, "seq": seq}
    return _frame(RESUME, shown)


def heartbeat(seq: int | None) -> str:
    """Return a heartbeat; its body is null before the first dispatch (4)."""
    return _frame(HEARTBEAT, seq)


def _frame(op: int, d: Mapping[str, Any] | int | None) -> str:
    return _encode({"op": op, "d": d}).decode()


def open_frame(message: str | bytes) -> Frame:
    """Open a frame; only an object in a text frame is one."""
    if isinstance(message, bytes):
        return Frame(message, malformed="a binary frame")
    raw = message.encode()
    opened = open_answer(raw)
    fields = opened.fields
    if opened.malformed or not fields:
        return Frame(raw, malformed=opened.malformed or "an empty frame")
    if (op := int_of(fields, "op")) is None:
        return Frame(raw, malformed="op is no whole number")
    return Frame(
        raw=raw,
        op=op,
        d=fields.get("d"),
        s=int_of(fields, "s"),
        t=text_of(fields, "t")[:ID_MAX],
        id=id_of(fields, "id"),
    )
