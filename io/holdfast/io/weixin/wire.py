"""What goes over the wire to iLink and how its answers are opened.

The peer's JSON is opened field by field and never as a whole: one field of a wrong
type must not cost the messages beside it (a poll's messages are handed out once, S1).
Numbers are taken as text where they are ids, exact at any size.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

# The client whose wire behaviour this one follows (section 2.1); the peer may look.
CHANNEL_VERSION = (2, 4, 9)
APP_ID = "bot"
ERRMSG_MAX = 300
# Digits of a number we take as one; longer ones are nonsense and costly to convert.
INT_MAX = 18
# Longer than any id seen, short enough for a journal.
ID_MAX = 128
# A thousand long messages have less; a million empty ones would fill the memory.
COMMAS_MAX = 500_000
# Shorter texts are words of every language, not quotes of ours.
HIDDEN_MIN = 4
BOM = b"\xef\xbb\xbf"
JSON_WHITESPACE = b" \t\r\n"

Fields = Mapping[str, Raw]
_fields = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_value = msgspec.json.Decoder()


class Said(Struct, frozen=True):
    """The codes and words of an answer; `malformed` says what could not be read."""

    ret: int | None
    errcode: int | None
    errmsg: str
    malformed: str


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
        return _salvaged(body) or Opened({}, f"{error}"[:ERRMSG_MAX])


def _salvaged(body: bytes) -> Opened | None:
    """Open what a strict reader refuses for half a character somewhere inside.

    It comes out as a question mark: the one message that holds it is odd, no other.
    """
    try:
        found = json.loads(body.decode())
        # Not escaped: msgspec refuses half a character in that form, too.
        texts = {k: json.dumps(v, ensure_ascii=False) for k, v in found.items()}
    except (AttributeError, ValueError, RecursionError):
        return None
    return Opened({k: Raw(v.encode("utf-8", "replace")) for k, v in texts.items()})


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


def messages_of(fields: Fields) -> list[Raw] | None:
    """Return a poll's messages, unread; None when there is something else instead.

    More than any peer hands out at once is something else, too.
    """
    raw = bytes(fields.get("msgs", Raw(b"null")))
    if raw == b"null":
        return []
    if raw.count(b",") > COMMAS_MAX:
        return None
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
    words = errmsg_of(fields)
    for value in hide:
        if len(value) >= HIDDEN_MIN:
            words = words.replace(value, "…")
    words = words[:ERRMSG_MAX]
    return Said(int_of(fields, "ret"), int_of(fields, "errcode"), words, malformed)


def int_of(fields: Fields, name: str) -> int | None:
    """Return a whole number, also one written as text; None when it is neither."""
    text = text_of_any(fields, name).strip()
    digits = text.removeprefix("-")
    whole = digits.isascii() and digits.isdigit() and len(text) <= INT_MAX
    return int(text) if whole else None


def id_of(fields: Fields, name: str) -> str:
    """Return an id as text, exact; absent, null, 0 and what is no id are nothing."""
    text = text_of_any(fields, name)
    simple = len(text) <= ID_MAX and not text.startswith(("{", "["))
    return text if simple and text != "0" else ""


def text_of(fields: Fields, name: str) -> str:
    """Return a text field; what is no text is nothing."""
    value = _opened_value(fields, name)
    return value if isinstance(value, str) else ""


def text_of_any(fields: Fields, name: str) -> str:
    """Return a text, or the JSON of anything else but null, exactly as it stands."""
    value = _opened_value(fields, name)
    if value is None or isinstance(value, str):
        return value or ""
    return bytes(fields[name]).decode("utf-8", "replace")


def errmsg_of(fields: Fields) -> str:
    """Return the peer's own words; only a text is taken for them."""
    return text_of(fields, "errmsg") or text_of(fields, "msg")


def _opened_value(fields: Fields, name: str) -> Any:
    raw = fields.get(name)
    try:
        value = None if raw is None else _value.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, str):
        # Half a character would be refused wherever the text goes next.
        return value.encode("utf-8", "replace").decode()
    return value
