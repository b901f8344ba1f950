"""Faults as data: what goes wrong, at which calls, when, and what heals it.

A fault is one struct. Its type says what happens; the fields that all types share say
when. A script is a JSON document, armed as a whole when the peer starts::

    {"faults": [{"type": "code", "at": "getupdates", "errcode": -14, "count": 1,
                 "errmsg": "session timeout", "from_ms": 60000}],
     "says": [{"after_ms": 1000, "text": "hello"}]}

The F numbers are those of the protocol sheet's fault catalogue (section 19).
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from holdfast.replay.world.faults import Timed, read_script
from holdfast.replay.world.weixin_inbound import Say
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.weixin_wire import Endpoint
from holdfast.replay.world.wire import How


class Fault(Timed, frozen=True, kw_only=True):
    """A fault of calls: which ones it concerns. The subclasses say what it does.

    It concerns the calls that match `at`, `user` and `context`; with `until_token` a
    new login heals it. `carrying` limits it to polls whose answer carries messages.
    `context` looks at the context token of a call: `old` means one issued before the
    fault began, or never.
    """

    at: Endpoint | Literal["all"] = "all"
    user: str | None = None
    context: Literal["any", "old", "present", "absent"] = "any"
    carrying: bool = False
    until_token: bool = False


class Breaking(Fault, frozen=True, kw_only=True):
    """A fault that takes the place of the answer.

    It strikes when the request arrives, and the peer does nothing of what was asked;
    with `acted` the peer does it first, and only the answer is spoilt (F21, S2). With
    `cuts_hold` and no `skip` it also ends a poll that is held when it begins (F1).
    """

    acted: bool = False
    cuts_hold: bool = False


class Code(Breaking, frozen=True, kw_only=True, tag="code"):
    """The peer answers with a code. Fields that are None are left out (F1 F2 F15 F20).

    With `acted` the code is added to the true answer: messages and code in one (F2).
    """

    ret: int | None = None
    errcode: int | None = None
    errmsg: str | None = None
    msg: str | None = None


class HttpStatus(Breaking, frozen=True, kw_only=True, tag="http_status"):
    """The edge answers with a status and a page, `after_ms` after the request (F5)."""

    status: int
    after_ms: int = 0
    body: str = "<html><body>error</body></html>"
    headers: dict[str, str] = field(default_factory=dict)


class Garbage(Breaking, frozen=True, kw_only=True, tag="garbage"):
    """HTTP 200 with a body that is not the object it should be (F6, F19)."""

    kind: Literal[
        "html",
        "empty",
        "object",
        "null",
        "array",
        "truncated",
        "duplicate_keys",
        "bom",
    ]


class Wire(Breaking, frozen=True, kw_only=True, tag="wire"):
    """The bytes go wrong on their way (F4, F7, F21); `refuse` also closes the door.

    `for_ms` ends a stall, or how long a refusing peer refuses (None: until healed by
    `heal`).
    """

    how: How
    for_ms: int | None = None
    interval_ms: int = 1_000


class Fields(Fault, frozen=True, kw_only=True, tag="fields"):
    """Single fields of the true answer are set, dropped or made strings.

    A wild `longpolling_timeout_ms` (F8), an absent cursor or `msgs` (F9), a send
    without `message_id` (F19), a `getconfig` without `ret` (F22).
    """

    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    stringify: tuple[str, ...] = ()


class Cursor(Fault, frozen=True, kw_only=True, tag="cursor"):
    """The cursor is the one of the request, 100 kB long, or new although idle (F9)."""

    kind: Literal["unchanged", "huge", "fresh"]


class Padding(Fault, frozen=True, kw_only=True, tag="padding"):
    """The answer is this many bytes longer than it need be (F14)."""

    bytes: int


class Late(Fault, frozen=True, kw_only=True, tag="late"):
    """The peer acts in time, and its answer comes late (F3, F21).

    Either `delay_ms` after it acted, or when the request is `age_ms` old.
    """

    delay_ms: int = 0
    age_ms: int | None = None


class Freeze(Fault, frozen=True, kw_only=True, tag="freeze"):
    """Answers made between `from_ms` and `to_ms` are written at `to_ms` (F28)."""

    def __post_init__(self) -> None:
        """Refuse a freeze without end; that is `wire` with `never_answer`."""
        super().__post_init__()
        if self.to_ms is None:
            message = "a freeze needs to_ms"
            raise ValueError(message)


class Suppress(Fault, frozen=True, kw_only=True, tag="suppress"):
    """Sends are accepted and not shown (F19): never, or all at once `until_ms`.

    The answer lacks `message_id` unless `keep_id`. `until_ms` counts like `from_ms`.
    """

    keep_id: bool = False
    until_ms: int | None = None


class NoHold(Fault, frozen=True, kw_only=True, tag="no_hold"):
    """Polls are answered at once, empty or not (F8)."""


class Withhold(Fault, frozen=True, kw_only=True, tag="withhold"):
    """Polls stay empty in spite of messages; `stolen`: another took them (F14)."""

    stolen: bool = False


class Outage(Fault, frozen=True, kw_only=True, tag="outage"):
    """From `from_ms` to `to_ms` nothing listens, and open connections are reset (F28).

    With `lose_state` the peer comes back without queue, chats and context tokens.
    """

    lose_state: bool = False

    def __post_init__(self) -> None:
        """Refuse a count; only time, a new token or `heal` ends an outage."""
        super().__post_init__()
        if self.count is not None:
            message = "an outage ends at to_ms, not after a count"
            raise ValueError(message)


class ClockJump(Fault, frozen=True, kw_only=True, tag="clock_jump"):
    """The times that the peer writes into messages are off by this much (F28)."""

    by_ms: int


AnyFault: TypeAlias = (
    Code
    | HttpStatus
    | Garbage
    | Wire
    | Fields
    | Cursor
    | Padding
    | Late
    | Freeze
    | Suppress
    | NoHold
    | Withhold
    | Outage
    | ClockJump
)


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong, what users say, and under which settings; times from the start.

    `settings` None leaves the choice to whoever starts the peer.
    """

    faults: tuple[AnyFault, ...] = ()
    says: tuple[Say, ...] = ()
    settings: Settings | None = None


def decode_script(document: bytes | str) -> Script:
    """Read a fault script. Raise `ScriptError` for what is not one."""
    return read_script(document, Script)
