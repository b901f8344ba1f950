"""Private: finds the ids of people in any value of core, through its type.

A field of core is private when its type says so (`PeerId` and the like in
`holdfast.core.events`) or `MARKED` does; every other text must be listed as safe. A
text that is neither is an `UnmarkedError`, so a new field cannot leak by being new.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import inspect
from msgspec.structs import replace

Rename = Callable[[str, str], str]
"""Takes the kind of an id and the id; returns what stands for it."""

Walk = Callable[[Any, Rename], Any]

WORDS = "words"

# What core does not mark, though it carries ids or the words of strangers.
MARKED: Mapping[str, str] = {
    "Connection.fatal_reason": WORDS,
    "DialFailed.reason": WORDS,
    "FrameUnread.malformed": WORDS,
    "GatewayAnswered.malformed": WORDS,
    "GatewayFailed.reason": WORDS,
    "TokenAnswered.malformed": WORDS,
    "TokenFailed.reason": WORDS,
    "CredentialsMissing.reason": "place",  # A path may hold a person's name.
    "NotifyAnswered.malformed": WORDS,
    "NotifyFailed.reason": WORDS,
    "PollAnswered.malformed": WORDS,
    "PollFailed.reason": WORDS,
    "Report.peer_id": "message",
    "SendAnswered.malformed": WORDS,
    "SendFailed.reason": WORDS,
    "StopRequested.reason": WORDS,
}

# {struct: fields}: handles (keyed digests), versions, and names that core or the host's
# programmer chose.
SAFE_FIELDS = {
    "ClearTimer": "name",
    "Connection": "fatal_code",
    "CredentialsLoaded": "credential",
    "DialFailed": "kind",
    "DispatchReceived": "name body context",
    "Escalate": "code",
    "FetchGateway": "token",
    "FetchToken": "credential",
    "Forget": "handle",
    "FrameUnread": "body",
    "Gateway": "url",
    "GatewayAnswered": "url trace",
    "GatewayFailed": "kind",
    "Identify": "token",
    "Inbox": "consumers",
    "MessageDone": "consumer",
    "MessageReceived": "body kind context by_id by_client by_wire_seq by_items"
    " by_content by_index",
    "NotifyAnswered": "call credential",
    "NotifyFailed": "call kind credential",
    "NotifyStart": "credential",
    "NotifyStop": "credential",
    "Keys": "young old",
    "OpenSocket": "url",
    "Part": "body client_id context",
    "PartRequest": "body",
    "Answerable": "context",
    "Order": "reply_to",
    "Peer": "context",
    "Poll": "credential cursor",
    "PollAnswered": "cursor body",
    "PollFailed": "kind",
    "ReadyReceived": "session",
    "Recent": "young old",
    "Report": "state",
    "Resume": "token session",
    "Resumption": "session",
    "Send": "body client_id credential context",
    "SendAnswered": "trace",
    "SendFailed": "kind",
    "SendRequested": "key reply_to",
    "Sending": "context",
    "Session": "credential",
    "SetTimer": "name",
    "SocketClosed": "kind",
    "Started": "version",
    "TimerFired": "name",
    "Token": "handle refused",
    "TokenAnswered": "credential token expires_in trace",
    "TokenFailed": "credential kind",
    "Trouble": "where code",
    "Weixin": "cursor",
}
SAFE = frozenset(
    f"{struct}.{field}"
    for struct, fields in SAFE_FIELDS.items()
    for field in fields.split()
)


class UnmarkedError(Exception):
    """A text field that is neither marked private nor listed as safe."""


class Renamer:
    """Replaces every private id in values of one type; call it with such a value."""

    def __init__(self, kind: Any, rename: Rename) -> None:
        """Look through the type; raise `UnmarkedError` for a text nobody judged."""
        self._walk = _walk(inspect.type_info(kind), "")
        self._rename = rename

    def __call__(self, value: Any) -> Any:
        """Return the value with its ids renamed."""
        return value if self._walk is None else self._walk(value, self._rename)


def _walk(kind: inspect.Type, place: str) -> Walk | None:
    """Return what renames values of this type, None when they hold no id."""
    walk: Walk | None = None
    match kind:
        case inspect.Metadata(type=inspect.StrType(), extra={"private": str(what)}):
            walk = _leaf(what)
        case inspect.Metadata(type=inner):
            walk = _walk(inner, place)
        case inspect.StrType() if place in MARKED:
            walk = _leaf(MARKED[place])
        case inspect.StrType() if place not in SAFE:
            raise UnmarkedError(f"{place} is neither private nor safe")
        case inspect.StructType():
            walk = _struct(kind)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            walk = _items(_walk(item, place))
        case inspect.DictType(key_type=key, value_type=value):
            walk = _entries(_walk(key, place), _walk(value, place))
        case inspect.UnionType(types=types):
            walk = _union(types, place)
        case _:
            assert not isinstance(kind, inspect.AnyType | inspect.RawType), place
    return walk


def _leaf(what: str) -> Walk:
    return lambda value, rename: rename(what, value) if value else value


def _struct(kind: inspect.StructType) -> Walk | None:
    name = kind.cls.__name__
    walks = {
        field.name: walk
        for field in kind.fields
        if (walk := _walk(field.type, f"{name}.{field.name}")) is not None
    }

    def walk_struct(value: Any, rename: Rename) -> Any:
        # What holds no id stays the same object: a default is left out by identity.
        changed = {}
        for name, walk in walks.items():
            old = getattr(value, name)
            new = walk(old, rename)
            if new is not old:
                changed[name] = new
        return replace(value, **changed) if changed else value

    return walk_struct if walks else None


def _items(item: Walk | None) -> Walk | None:
    if item is None:
        return None
    return lambda value, rename: type(value)([item(one, rename) for one in value])


def _entries(key: Walk | None, value: Walk | None) -> Walk | None:
    """Rename keys and values; the order of a mapping is part of it and stays."""
    if key is None and value is None:
        return None

    def walk_entries(entries: Any, rename: Rename) -> Any:
        if not entries:
            return entries
        return {
            (key(name, rename) if key else name): (value(one, rename) if value else one)
            for name, one in entries.items()
        }

    return walk_entries


def _union(types: tuple[inspect.Type, ...], place: str) -> Walk | None:
    """Choose by class; `None` and numbers pass."""
    walks: dict[type, Walk] = {}
    for kind in types:
        walk = _walk(kind, place)
        if walk is not None:
            assert isinstance(kind, inspect.StructType), f"{place}: a union of texts"
            walks[kind.cls] = walk

    def walk_union(value: Any, rename: Rename) -> Any:
        walk = walks.get(type(value))
        return value if walk is None else walk(value, rename)

    return walk_union if walks else None
