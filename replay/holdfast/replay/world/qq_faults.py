"""Faults of the QQ platform as data: what goes wrong, when, and what heals it.

A fault is one struct. Its type says what happens; the fields that all types share say
when (`faults.Timed`). A script is a JSON document, armed as a whole at the start::

    {"faults": [{"type": "closing", "close": 4009, "from_ms": 60000},
                {"type": "answer", "at": "token", "code": 100001, "to_ms": 300000}],
     "says": [{"after_ms": 1000, "text": "hello"}]}

The groups are those of the protocol sheet (section 16).
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from holdfast.replay.world.faults import Timed, read_script
from holdfast.replay.world.qq_say import Event, Say
from holdfast.replay.world.qq_settings import Settings
from holdfast.replay.world.qq_wire import Endpoint
from holdfast.replay.world.wire import How


class Answer(Timed, frozen=True, kw_only=True, tag="answer"):
    """An HTTP answer is another than it should be: token, gateway, handshake, sends.

    It takes the answer's place, and the platform does nothing of what was asked; with
    `acted` the platform does it first, and the true answer is bent: accepted although
    it looks refused. `at` "send" is all sends; `chat` limits it to one, as in
    "c2c:OPENID". `code` makes an error body, `body` any text, `set` and `drop` change
    single fields, `wire` breaks the connection, `delay_ms` is waited before.
    """

    at: Endpoint | Literal["all", "send"] = "all"
    chat: str | None = None
    acted: bool = False
    status: int | None = None
    code: int | None = None
    err_code: int | None = None
    message: str = "refused"
    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    wire: How | None = None
    for_ms: int | None = None
    interval_ms: int = 1_000
    delay_ms: int = 0


class Suppress(Timed, frozen=True, kw_only=True, tag="suppress"):
    """Sends are accepted and never shown; `loss_ms`: only so long after a lost socket.

    With `from_loss_ms` the window begins that long after the loss (section 7).
    """

    from_loss_ms: int = 0
    loss_ms: int | None = None


class Token(Timed, frozen=True, kw_only=True, tag="token"):
    """The token book goes wrong.

    `dies`: the tokens issued before `from_ms` are dead although not expired; REST calls
    are refused while the socket lives, or is closed with 4004 when `closing`.
    `sticky`: the same token is returned up to its very end.
    """

    kind: Literal["dies", "sticky"] = "dies"
    closing: bool = False


class Quota(Timed, frozen=True, kw_only=True, tag="quota"):
    """From `from_ms` this many Identifies are left, until the count resets."""

    left: int = 0
    reset_after_ms: int = 4 * 3_600_000


class Outage(Timed, frozen=True, kw_only=True, tag="outage"):
    """From `from_ms` to `to_ms` nothing listens, and open connections are reset.

    With `lose_sessions` no session of before can be resumed.
    """

    lose_sessions: bool = False

    def __post_init__(self) -> None:
        """Refuse a count; only time or `heal` ends an outage."""
        super().__post_init__()
        if self.count is not None:
            message = "an outage ends at to_ms, not after a count"
            raise ValueError(message)


class Freeze(Timed, frozen=True, kw_only=True, tag="freeze"):
    """Between `from_ms` and `to_ms` nothing is heard or said; then all of it at once.

    Connections stay up, and so do the deadlines of heartbeats.
    """

    def __post_init__(self) -> None:
        """Refuse a freeze without end; that is `silence`."""
        super().__post_init__()
        if self.to_ms is None:
            message = "a freeze needs to_ms"
            raise ValueError(message)


class Hello(Timed, frozen=True, kw_only=True, tag="hello"):
    """Hello is another than it should be.

    It names `interval_ms`, or lacks the field (`absent`), does not come (`silent`), or
    comes `late_ms` later (`late`).
    """

    kind: Literal["interval", "absent", "silent", "late"] = "interval"
    interval_ms: int = 0
    late_ms: int = 0


class Blow(Timed, frozen=True, kw_only=True):
    """What hits a connection: a frame first, then perhaps its end `after_ms` later.

    `close` 1005 is a close frame without a code, 1006 the end of the stream without a
    close frame, by RST with `reset`; `torn`: amid a frame. None: the socket stays open.
    """

    first: Literal["none", "op7", "op9_false", "op9_true"] = "none"
    close: int | None = None
    reason: str = ""
    after_ms: int = 0
    reset: bool = False
    torn: bool = False


class Identify(Blow, frozen=True, kw_only=True, tag="identify"):
    """Identify has another outcome than READY.

    `refuse`: the blow, or silence when it is empty. `late`: READY comes `late_ms`
    later. `bend`: READY with these fields, as ``{"shard": [0, 0]}``.
    """

    kind: Literal["refuse", "late", "bend"] = "refuse"
    late_ms: int = 0
    set: dict[str, Any] = field(default_factory=dict)


class Resume(Blow, frozen=True, kw_only=True, tag="resume"):
    """Resume has another outcome than the missed events and RESUMED.

    `refuse`: the blow, or silence when it is empty. `again`: `by` events are replayed
    that the client has. `shuffle`: the replay is backwards. `gap`: its first `by`
    events are left out. `early`: RESUMED comes before the replay. `ready`: READY in
    its place. `object`: RESUMED with an object. `late`: all of it `late_ms` later.
    """

    kind: Literal[
        "refuse", "again", "shuffle", "gap", "early", "ready", "object", "late"
    ] = "refuse"
    by: int = 1
    late_ms: int = 0


class Closing(Blow, frozen=True, kw_only=True, tag="closing"):
    """A running connection is hit: the first one that is confirmed at `from_ms`.

    With `up_ms` it must have been up for so long. One connection by default; each is
    hit once. op 7 and 4009 after a gap, either alone, any code, op 9, a bare end.
    """

    count: int | None = 1
    up_ms: int = 0


class Silence(Timed, frozen=True, kw_only=True, tag="silence"):
    """A running connection becomes half-open: it takes bytes and says nothing more.

    Which one, and when, is said as for `closing`.
    """

    count: int | None = 1
    up_ms: int = 0


class Noise(Timed, frozen=True, kw_only=True, tag="noise"):
    """A running connection is sent a frame that means nothing; when: as for `closing`.

    `heartbeat` is an op 1 of the server, `event` a dispatch of unknown name with the
    next `s`, `malformed` half a JSON object, `huge` a dispatch of `bytes`, `raw` is
    `text`.
    """

    kind: Literal["heartbeat", "opcode", "event", "malformed", "huge", "raw"]
    text: str = ""
    bytes: int = 1_000_000
    count: int | None = 1
    up_ms: int = 0


class Acks(Timed, frozen=True, kw_only=True, tag="acks"):
    """Heartbeats are acknowledged `late_ms` later; None: never. Events still come."""

    late_ms: int | None = None


class Withhold(Timed, frozen=True, kw_only=True, tag="withhold"):
    """Events do not come although heartbeats are acknowledged.

    They wait for the next Resume; with `lost` there never were any (as when a
    permission was withdrawn). `event` limits it to events of this name.
    """

    event: str | None = None
    lost: bool = False


class Twist(Timed, frozen=True, kw_only=True, tag="twist"):
    """A dispatch reaches the client in another form. `event` limits it to one name.

    `repeat`: the frame twice. `skip`: its `s` leaves `by` numbers out. `back`: its `s`
    is `by` lower. `copy`: the same event once more after `after_ms`, with the next `s`.
    `full`: a group event under the other name as well. `fields`: `set` and `drop` work
    on `d`. `late`: the frame comes `after_ms` later. `malformed`: half of the frame.
    `slow`: byte by byte. `no_id`, `no_s`: the outer field is absent. `huge`: a frame of
    `bytes`.
    """

    kind: Literal[
        "repeat",
        "skip",
        "back",
        "copy",
        "full",
        "fields",
        "late",
        "malformed",
        "slow",
        "no_id",
        "no_s",
        "huge",
    ]
    event: str | None = None
    by: int = 1
    after_ms: int = 0
    byte_ms: int = 100
    bytes: int = 1_000_000
    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


AnyFault: TypeAlias = (
    Answer
    | Suppress
    | Token
    | Quota
    | Outage
    | Freeze
    | Hello
    | Identify
    | Resume
    | Closing
    | Silence
    | Noise
    | Acks
    | Withhold
    | Twist
)

# Those that befall a running connection, by the clock.
OnSocket: TypeAlias = Closing | Silence | Noise


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong, what happens, under which settings; times from the start.

    `settings` None leaves the choice to whoever starts the platform.
    """

    faults: tuple[AnyFault, ...] = ()
    says: tuple[Say, ...] = ()
    events: tuple[Event, ...] = ()
    settings: Settings | None = None


def decode_script(document: bytes | str) -> Script:
    """Read a fault script. Raise `ScriptError` for what is not one."""
    return read_script(document, Script)
