"""What goes over the wire to iLink and how its answers are opened.

The peer's JSON is opened field by field and never as a whole: one field of a wrong
type must not cost the messages beside it (a poll's messages are handed out once, S1).
Numbers are taken as text where they are ids, exact at any size.
"""

import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

# The client whose wire behaviour this one follows (section 2.1); the peer may look.
CHANNEL_VERSION = (2, 4, 9)
APP_ID = "bot"
ERRMSG_MAX = 300
# Digits of a number we take as one; longer ones are nonsense and costly to convert.
INT_MAX = 18
BOM = b"\xef\xbb\xbf"
JSON_WHITESPACE = b" \t\r\n"

Fields = Mapping[str, Raw]
_fields = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_value = msgspec.json.Decoder()


class Opened(Struct, frozen=True):
    """An answer's fields; `malformed` says why there are none."""

    fields: Fields
    malformed: str = ""


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


def open_answer(body: bytes) -> Opened:
    """Open a body whatever its content type says (2); an empty one has no fields."""
    body = body.removeprefix(BOM).strip(JSON_WHITESPACE)
    if not body:
        return Opened({})
    try:
        return Opened(_fields.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Opened({}, f"{error}"[:ERRMSG_MAX])


def list_of(fields: Fields, name: str) -> list[Raw]:
    """Return the elements of a list field, unread; empty when it is none."""
    raw = fields.get(name)
    try:
        return _list.decode(raw) if raw is not None else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def fields_of(raw: Raw) -> Fields:
    """Return the fields of an object, unread; empty when it is none."""
    try:
        return _fields.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def int_of(fields: Fields, name: str) -> int | None:
    """Return a whole number, also one written as text; None when it is neither."""
    text = id_of(fields, name, zero="0")
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(text) <= INT_MAX else None


def id_of(fields: Fields, name: str, zero: str = "") -> str:
    """Return an id as text, exact; absent, null and 0 are `zero`."""
    raw = fields.get(name)
    if raw is None:
        return ""
    text = bytes(raw).decode("utf-8", "replace")
    if text.startswith('"'):
        text = text_of(fields, name)
    if text in {"null", ""}:
        return ""
    return zero if text == "0" else text


def text_of(fields: Fields, name: str) -> str:
    """Return a text field; anything else comes as its JSON, null as nothing."""
    raw = fields.get(name)
    if raw is None:
        return ""
    try:
        value = _value.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if value is None:
        return ""
    return value if isinstance(value, str) else bytes(raw).decode("utf-8", "replace")


def errmsg_of(fields: Fields) -> str:
    """Return the peer's own words, cut to a length that a journal can bear."""
    text = text_of(fields, "errmsg") or text_of(fields, "msg")
    return text[:ERRMSG_MAX]
