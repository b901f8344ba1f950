"""Every number and habit of the simulated QQ platform that a test may want to change.

The defaults are the healthy model of the protocol sheet (section 16). Units are the
last part of a name.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Scene: TypeAlias = Literal["c2c", "group", "channel", "dm"]

# How a Resume or an Identify is turned down: op 9 and a close code, or the end of the
# stream without a code.
Refusal: TypeAlias = Literal[
    "op9",
    "op9_4903",
    "op9_cut",
    "cut",
    "4002",
    "4004",
    "4006",
    "4007",
    "4010",
    "4013",
    "4014",
    "4902",
]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """What is written down in `Peer.violations` although the platform may bear it."""

    hello_first: bool = True  # Nothing is sent before Hello.
    beat_confirmed: bool = True  # No heartbeat before READY or RESUMED.
    beat_seq: bool = True  # A heartbeat names an `s` that was sent, or null.
    one_socket: bool = True  # The old socket of a shard is closed before a new one.
    quota: bool = True
    concurrency: bool = True

    @classmethod
    def off(cls) -> "Strict":
        """Return the platform that writes nothing down."""
        return cls(**dict.fromkeys(cls.__struct_fields__, False))


class Passive(Struct, frozen=True, forbid_unknown_fields=True):
    """Replies to an inbound message: how long, how many, and the codes of refusal."""

    window_ms: int
    replies_max: int | None
    late: int  # Code of a reply after the window.
    spent: int = 40034128
    unknown: int = 40034024


class Proactive(Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that answer nothing: what is allowed; None is no limit."""

    allowed: bool = True
    per_second: int | None = None  # Of the whole bot.
    per_minute: int | None = None  # Of the whole bot.
    chat_minute: int | None = None
    chat_day: int | None = None
    refused: int = 40034105
    spent: int = 22009


# Section 12. A late reply in a group is refused as an expired id (section 13).
PASSIVE: dict[Scene, Passive] = {
    "c2c": Passive(HOUR_MS, 4, 40034128),
    "group": Passive(5 * MINUTE_MS, 5, 40034005),
    "channel": Passive(5 * MINUTE_MS, None, 304027, unknown=304026),
    "dm": Passive(5 * MINUTE_MS, None, 304027, unknown=304026),
}
PROACTIVE: dict[Scene, Proactive] = {
    "c2c": Proactive(per_second=5, per_minute=30, chat_minute=20, chat_day=1_000),
    "group": Proactive(per_minute=30, chat_minute=20, chat_day=1_000),
    "channel": Proactive(chat_day=20),
    "dm": Proactive(chat_day=2),
}


# The bits that section 5 lists.
INTENT_BITS = (0, 1, 9, 10, 12, 18, 19, 23, 24, 25, 26, 27, 28, 29, 30)
INTENTS_ALL = sum(1 << bit for bit in INTENT_BITS)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the platform behaves when nothing is broken."""

    app_id: str = "102000001"
    secret: str = "EXAMPLESECRET"  # noqa: S105 - invented, like every id here.
    bot_id: str = "1177000000000000001"
    address: str = "ws://127.0.0.1/websocket/"  # The server puts its own here.

    token_life_ms: int = 2 * HOUR_MS
    token_renewal_ms: int = MINUTE_MS  # Before its end a new one is issued.
    token_refusal: int | None = 11244  # None: HTTP 401 without a code.

    shards: int = 1
    quota: int = 1_000  # Identifies in 24 h.
    concurrency: int = 1  # Identifies in 5 s.
    gateway_calls_max: int | None = 30  # In a minute; more get 100017.

    granted: int = INTENTS_ALL
    ungranted: Refusal = "4014"
    wrong_token: Refusal = "4004"  # noqa: S105 - a close code
    stale_resume: Refusal = "op9"

    heartbeat_interval_ms: int = 41_250  # As in production (section 4).
    heartbeat_silence_ms: int = 75_000  # Then the server drops the connection.
    recycle_ms: int | None = 1_800_000  # op 7 and 4009; None: never.
    recycle_gap_ms: int = 0  # Between the two.
    resume_ms: int = HOUR_MS  # How long a session without socket lives; not known.
    buffer_max: int = 1_000  # Events kept per session for a Resume.
    held_max: int = 0  # Events kept for a shard without session, for its next READY.

    passive: dict[Scene, Passive] = {}  # Where it is not as in PASSIVE.
    proactive: dict[Scene, Proactive] = {}  # Where it is not as in PROACTIVE.
    typing_counts: bool = True  # Typing uses up a passive reply (section 10).
    channel_needs_socket: bool = True  # 304018
    recall_ms: int = 2 * MINUTE_MS
    text_max: int | None = None  # Not documented.
    heard_max: int = 100  # Inbound ids remembered per chat.

    strict: Strict = Strict()
    log_max: int = 10_000  # Requests and frames kept in the log, the newest.
