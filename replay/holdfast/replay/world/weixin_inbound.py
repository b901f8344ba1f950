"""What users say to the bot, and the odd forms in which it may reach the client.

Absent, empty, zero and fresh are four different things on this wire (F12, F13). A field
left unset is made fresh by the peer; None leaves it out; all else goes out as given.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from holdfast.replay.world.wire import Json

USER = "o9cq80ExampleUser0000000001@im.wechat"

# Above 2^53 and close together: readers that use doubles see one id (section 6).
FIRST_ID = 7_500_000_000_000_000_000


class Copy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A second appearance of a message, `after_ms` after the first (F11, S3, S4).

    `ids` speaks of `message_id`, `client_id` and `seq` together. `context` of the
    context token. `changes` are further fields, set as given; None takes one away.
    """

    after_ms: int = 0
    ids: Literal["same", "fresh", "absent"] = "same"
    context: Literal["same", "fresh", "absent"] = "same"
    ref_msg: Json | None = None
    changes: dict[str, Any] = {}


class Inbound(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message of a user. `items` in place of `text` sends any item list, raw.

    `times` says it so often, each with its own ids; ``{n}`` in the text is then the
    count from 0. A `message_type` other than 1 is nothing a user said: it neither opens
    the window nor refills the budget (S8-S10).
    """

    text: str = "hello"
    from_user: str = USER
    items: list[Any] | None = None
    message_id: int | str | UnsetType | None = UNSET
    client_id: str | UnsetType | None = UNSET
    seq: int | UnsetType | None = UNSET
    create_time_ms: int | UnsetType | None = UNSET
    context_token: str | UnsetType | None = UNSET
    ref_msg: Json | None = None
    message_type: int = 1
    message_state: int = 2
    extra: dict[str, Any] = {}
    times: int = 1


class Say(Inbound, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A timed message of a script: said `after_ms` after the start, then copied."""

    after_ms: int = 0
    copies: tuple[Copy, ...] = ()


class Message(Struct, frozen=True):
    """A message in the peer's queue: when it came, and what a poll hands out."""

    at_ms: int
    user: str
    wire: Json


class Fresh(Struct, frozen=True):
    """The values the peer makes up for one message, by its running number."""

    number: int
    at_ms: int
    create_time_ms: int  # By the peer's own clock, which a fault may have put wrong.

    @property
    def message_id(self) -> int:
        """An id that only fits 64 bits."""
        return FIRST_ID + self.number

    @property
    def client_id(self) -> str:
        """An id that the user's phone chose."""
        return f"phone-{self.number}"

    @property
    def context_token(self) -> str:
        """A token that no other message has (S7)."""
        return f"context-{self.number}"


def compose(inbound: Inbound, fresh: Fresh, *, bot_id: str, nth: int) -> Message:
    """Return the message as polls will hand it out (section 6)."""
    item: Json = {
        "type": 1,
        "text_item": {"text": inbound.text.replace("{n}", str(nth))},
    }
    items = [item] if inbound.items is None else list(inbound.items)
    wire = {
        "seq": _choose(inbound.seq, fresh.number),
        "message_id": _choose(inbound.message_id, fresh.message_id),
        "from_user_id": inbound.from_user,
        "to_user_id": bot_id,
        "client_id": _choose(inbound.client_id, fresh.client_id),
        "create_time_ms": _choose(inbound.create_time_ms, fresh.create_time_ms),
        "message_type": inbound.message_type,
        "message_state": inbound.message_state,
        "context_token": _choose(inbound.context_token, fresh.context_token),
        "item_list": _quote(items, inbound.ref_msg),
    }
    present = {name: value for name, value in wire.items() if value is not None}
    return Message(fresh.at_ms, inbound.from_user, present | inbound.extra)


def copy_of(message: Message, copy: Copy, fresh: Fresh) -> Message:
    """Return the same logical message in its other form (S4)."""
    changes: Json = dict(copy.changes)
    match copy.ids:
        case "fresh":
            changes |= {"message_id": fresh.message_id, "seq": fresh.number}
            changes |= {"client_id": fresh.client_id}
        case "absent":
            changes |= {"message_id": None, "seq": None, "client_id": None}
    match copy.context:
        case "fresh":
            changes["context_token"] = fresh.context_token
        case "absent":
            changes["context_token"] = None
    if copy.ref_msg is not None:
        changes["item_list"] = _quote(message.wire["item_list"], copy.ref_msg)
    wire = message.wire | changes
    present = {name: value for name, value in wire.items() if value is not None}
    return Message(fresh.at_ms, message.user, present)


def _choose(given: Any | UnsetType, fresh: Any) -> Any:
    return fresh if given is UNSET else given


def _quote(items: list[Any], ref_msg: Json | None) -> list[Any]:
    """Put the quoted message into the first item, where clients look for it."""
    if ref_msg is None or not items:
        return items
    return [items[0] | {"ref_msg": ref_msg}, *items[1:]]
