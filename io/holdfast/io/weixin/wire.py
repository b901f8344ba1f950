"""What goes over the wire to iLink and how its answers are opened.

The peer's JSON is opened field by field (`opening`): a poll's messages are handed out
once (S1), so one field of a wrong type must not cost the messages beside it.
"""

import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from holdfast.io.opening import (
    ERRMSG_MAX,
    Fields,
    Opened,
    fields_of,
    id_of,
    int_of,
    list_of,
    masked,
    open_answer,
    text_of,
    text_of_any,
)

__all__ = [
    "ERRMSG_MAX",
    "Fields",
    "Opened",
    "Said",
    "encode",
    "errmsg_of",
    "fields_of",
    "headers",
    "id_of",
    "int_of",
    "list_of",
    "messages_of",
    "open_answer",
    "said",
    "text_message",
    "text_of",
    "text_of_any",
]

# The client whose wire behaviour this one follows (section 2.1); the peer may look.
CHANNEL_VERSION = (2, 4, 9)
APP_ID = "bot"

_list = msgspec.json.Decoder(list[Raw])


class Said(Struct, frozen=True):
    """The codes and words of an answer; `malformed` says what could not be read."""

    ret: int | None
    errcode: int | None
    errmsg: str
    malformed: str


def headers(token: str, route_tag: str = "") -> dict[str, str]:
    """Return the headers of an authenticated call; the uin is new for each (2.1)."""
    major, minor, patch = CHANNEL_VERSION
    uin = str(secrets.randbits(32)).encode()
    fixed = {
        "Content-Type": "application/json",
        "AuthorizationType": "ilink_bot_token",
        "X-WECHAT-UIN": b64encode(uin).decode(),
        "iLink-App-Id": APP_ID,
        "iLink-App-ClientVersion": str(major << 16 | minor << 8 | patch),
    }
    if token:
        fixed["Authorization"] = f"Bearer {token}"
    if route_tag:
        fixed["SKRouteTag"] = route_tag
    return fixed


def encode(fields: Mapping[str, Any], bot_agent: str) -> bytes:
    """Return a request body with the `base_info` that every call carries (2.2)."""
    version = ".".join(map(str, CHANNEL_VERSION))
    base_info = {"channel_version": version, "bot_agent": bot_agent}
    return msgspec.json.encode({**fields, "base_info": base_info})


def text_message(peer: str, text: str, client_id: str, context: str) -> dict[str, Any]:
    """Return the `msg` of a text send: one item, from nobody, finished (7)."""
    message: dict[str, Any] = {
        "from_user_id": "",
        "to_user_id": peer,
        "client_id": client_id,
        "message_type": 2,
        "message_state": 2,
    }
    if context:
        message["context_token"] = context
    message["item_list"] = [{"type": 1, "text_item": {"text": text}}]
    return message


def messages_of(fields: Fields) -> list[Raw] | None:
    """Return a poll's messages, unread; None when there is something else instead."""
    raw = bytes(fields.get("msgs", Raw(b"null")))
    if raw == b"null":
        return []
    try:
        return _list.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def said(opened: Opened, hide: Iterable[str] = ()) -> Said:
    """Return the peer's codes and words; a code that cannot be read is malformed.

    `hide` are values of this call that must not come back into a fact: a peer may
    quote them.
    """
    fields, malformed = opened.fields, opened.malformed
    for name in ("ret", "errcode"):
        if text_of_any(fields, name) and int_of(fields, name) is None:
            malformed = malformed or f"{name} is no whole number"
    words = masked(errmsg_of(fields), hide)
    return Said(int_of(fields, "ret"), int_of(fields, "errcode"), words, malformed)


def errmsg_of(fields: Fields) -> str:
    """Return the peer's own words; only a text is taken for them."""
    return text_of(fields, "errmsg") or text_of(fields, "msg")
