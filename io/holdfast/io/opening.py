"""Opening: the JSON of peers, field by field and never as a whole.

One field of a wrong type must not cost what stands beside it. Numbers are taken as text
where they are ids, exact at any size.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

ERRMSG_MAX = 300
# Digits of a number we take as one; longer ones are nonsense and costly to convert.
INT_MAX = 18
# Longer than any id seen, short enough for a journal.
ID_MAX = 128
# A thousand long messages have fewer pieces; millions of empty ones would take a
# hundred times the memory of their bytes.
PIECES_MAX = 500_000
# Shorter texts are words of every language, not quotes of ours.
HIDDEN_MIN = 4
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


def open_answer(body: bytes) -> Opened:
    """Open a body whatever its content type says (2); an empty one has no fields."""
    body = body.removeprefix(BOM).strip(JSON_WHITESPACE)
    if not body:
        return Opened({})
    if body.count(b",") > PIECES_MAX:
        return Opened({}, "it has too many pieces")
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


def inner_of(fields: Fields, name: str) -> Fields:
    """Return the fields of an object within an object; empty when it is none."""
    raw = fields.get(name)
    return fields_of(raw) if raw is not None else {}


def masked(words: str, hide: Iterable[str]) -> str:
    """Return a peer's words, cut, without the values that must not come back to us."""
    words = words.encode("utf-8", "replace").decode()
    for value in hide:
        if len(value) >= HIDDEN_MIN:
            words = words.replace(value, "…")
    return words[:ERRMSG_MAX]


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


def name_of(fields: Fields, name: str) -> str:
    """Return a text that names somebody; what is longer than any id names nobody."""
    text = text_of(fields, name)
    return text if len(text) <= ID_MAX else ""


def text_of_any(fields: Fields, name: str) -> str:
    """Return a text, or the JSON of anything else but null, exactly as it stands."""
    value = _opened_value(fields, name)
    if value is None or isinstance(value, str):
        return value or ""
    return bytes(fields[name]).decode("utf-8", "replace")


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
