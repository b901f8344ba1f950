"""What users say to the bot, and every other event: the dispatches of section 8.

A field left unset is made fresh by the platform; `drop` leaves fields out; `extra`
puts fields in as given.
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from holdfast.replay.world.qq_settings import Scene
from holdfast.replay.world.qq_wire import stamp
from holdfast.replay.world.wire import Json

USER = "0A1B2C3D4E5F60718293A4B5C6D7E8F9"
GROUP = "F00DF00DF00DF00DF00DF00DF00DF00D"
MEMBER = "BEEF0000BEEF0000BEEF0000BEEF0000"
CHANNEL = "100010"
GUILD = "18700000000000001"
DM_GUILD = "99100000000000002"
AUTHOR = "42000000000000001"

# group_all and channel_all need not name the bot.
Place: TypeAlias = Literal["c2c", "group", "group_all", "channel", "channel_all", "dm"]

NAMES: dict[Place, str] = {
    "c2c": "C2C_MESSAGE_CREATE",
    "group": "GROUP_AT_MESSAGE_CREATE",
    "group_all": "GROUP_MESSAGE_CREATE",
    "channel": "AT_MESSAGE_CREATE",
    "channel_all": "MESSAGE_CREATE",
    "dm": "DIRECT_MESSAGE_CREATE",
}
SCENES: dict[Place, Scene] = {
    "c2c": "c2c",
    "group": "group",
    "group_all": "group",
    "channel": "channel",
    "channel_all": "channel",
    "dm": "dm",
}
CHATS: dict[Scene, str] = {
    "c2c": USER,
    "group": GROUP,
    "channel": CHANNEL,
    "dm": DM_GUILD,
}

# {intent bit: the events that it lets through, by the beginning of their names}, in
# the order in which they are looked up (section 5).
INTENTS: dict[int, tuple[str, ...]] = {
    30: ("AT_MESSAGE_CREATE", "PUBLIC_MESSAGE_DELETE"),
    29: ("AUDIO_START", "AUDIO_FINISH", "AUDIO_ON_MIC", "AUDIO_OFF_MIC"),
    28: ("FORUM_",),
    27: ("MESSAGE_AUDIT_",),
    26: ("INTERACTION_CREATE",),
    24: ("GROUP_MEMBER_", "GROUP_JOIN_REQUEST"),
    25: ("C2C_", "FRIEND_", "GROUP_", "SUBSCRIBE_MESSAGE_STATUS"),
    18: ("OPEN_FORUM_",),
    19: ("AUDIO_OR_LIVE_",),
    23: ("ENTER_AIO",),
    12: ("DIRECT_MESSAGE_",),
    10: ("MESSAGE_REACTION_",),
    9: ("MESSAGE_CREATE", "MESSAGE_DELETE"),
    1: ("GUILD_MEMBER_",),
    0: ("GUILD_", "CHANNEL_"),
}


class Say(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="say"):
    """A message of a user, `after_ms` after the start when it stands in a script.

    `chat` is the user, group, channel or DM guild that it is said in; None takes the
    usual one of the place. `times` says it so often, each with its own ids; ``{n}`` in
    the text is then the count from 0.
    """

    place: Place = "c2c"
    text: str = "hello"
    chat: str | None = None
    author: str | None = None
    guild: str = GUILD
    message_id: str | None = None
    attachments: tuple[Json, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    times: int = 1
    after_ms: int = 0


class Event(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="event"):
    """Any event, raw: its name and its `d`. `event_id` is the outer id.

    Without `event_id` the platform makes one. An event that names a user or a group may
    be replied to by that id.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    event_id: str | None = None
    after_ms: int = 0


class Dispatch(Struct, frozen=True, tag="dispatch"):
    """An event on its way to the sessions; `chat` and `reply_to` say what it opens.

    `reply_to` is the id under which replies to it count; empty when there are none. A
    `copy` is one that comes again or under another name.
    """

    name: str
    event_id: str
    data: Json
    chat: str = ""
    reply_to: str = ""
    copy: bool = False


def bit_of(name: str) -> int | None:
    """Return the intent that lets this event through; None: all sessions get it."""
    for bit, beginnings in INTENTS.items():
        if name.startswith(beginnings):
            return bit
    return None


def compose(said: Say, number: int, at_ms: int, *, nth: int) -> Dispatch:
    """Return the event that a user's message makes."""
    scene = SCENES[said.place]
    target = said.chat or CHATS[scene]
    text = said.text.replace("{n}", str(nth))
    private = scene in {"c2c", "group"}
    made = f"ROBOT1.0_Ex4mple.IN-{number:06}_a!" if private else f"0812ee{number:06x}"
    message_id = said.message_id or made
    basics: Json = {"id": message_id, "content": text, "timestamp": stamp(at_ms)}
    body = _private if private else _public
    data = basics | body(said, target, number)
    if said.attachments:
        data["attachments"] = list(said.attachments)
    data = {name: data[name] for name in data if name not in said.drop} | said.extra
    name = NAMES[said.place]
    event_id = f"{name}:ex{number:08x}"
    return Dispatch(name, event_id, data, f"{scene}:{target}", message_id)


def plain(event: Event, number: int) -> Dispatch:
    """Return the dispatch of any other event."""
    event_id = event.event_id or f"{event.name}:ex{number:08x}"
    data = event.data
    user = data.get("openid") or data.get("user_openid")
    group = data.get("group_openid")
    if isinstance(group, str):
        return Dispatch(event.name, event_id, data, f"group:{group}", event_id)
    if isinstance(user, str):
        return Dispatch(event.name, event_id, data, f"c2c:{user}", event_id)
    return Dispatch(event.name, event_id, data)


def _private(said: Say, target: str, number: int) -> Json:
    """Return the fields of private and group messages (section 8.2)."""
    scene: Json = {"source": "default", "ext": [f"msg_idx=REFIDX_ex{number:08}=="]}
    fields: Json = {"message_type": 0, "message_scene": scene}
    if said.place == "c2c":
        author = said.author or target
        whose: Json = {"id": author, "user_openid": author, "union_openid": ""}
        return fields | {"author": whose | {"username": "", "bot": False}}
    author = said.author or MEMBER
    whose = {"id": author, "member_openid": author, "member_role": "member"}
    groups = {"group_id": target, "group_openid": target}
    return fields | groups | {"author": whose | {"username": "Ann", "bot": False}}


def _public(said: Say, target: str, number: int) -> Json:
    """Return the fields of channel and direct messages (section 8.2)."""
    author: Json = {"id": said.author or AUTHOR, "username": "bob", "avatar": ""}
    joined: Json = {"joined_at": "2025-04-12T16:34:42+08:00"}
    fields: Json = {"author": author | {"bot": False}, "member": joined}
    fields |= {"seq": number, "seq_in_channel": str(number)}
    if said.place == "dm":
        direct = {"direct_message": True, "src_guild_id": said.guild}
        return fields | direct | {"guild_id": target, "channel_id": "200010"}
    return fields | {"guild_id": said.guild, "channel_id": target}
