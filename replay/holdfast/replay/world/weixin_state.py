"""All that the simulated Weixin peer remembers, and the few moves everybody needs.

The state is one frozen struct and everything in it is a value: functions return a new
`Peer` and leave the old one as it was. It encodes to JSON, so a state can be kept,
compared and digested.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from holdfast.replay.world.faults import Clocked
from holdfast.replay.world.weixin_faults import AnyFault, ClockJump
from holdfast.replay.world.weixin_inbound import Copy, Fresh, Message, Say
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.weixin_wire import Call
from holdfast.replay.world.wire import Json


class Issue(Struct, frozen=True):
    """When a context token was issued: the clock's time and the running number."""

    at_ms: int
    made: int


class Chat(Struct, frozen=True):
    """What the peer keeps about one user: window, budget, issued tokens (S7-S10)."""

    last_inbound_ms: int | None = None
    sent: int = 0  # Accepted since the last inbound message.
    accepted_ms: tuple[int, ...] = ()  # Of the last 24 h.
    issued: dict[str, Issue] = {}  # {context token: when it was issued}
    short: bool = False  # A reply that lacked fields was already shown (F19).


class Shown(Struct, frozen=True):
    """A message on the user's phone. `at_ms` may lie ahead when it is shown late."""

    at_ms: int
    message_id: int
    client_id: str
    text: str
    item: Json


class Ticket(Struct, frozen=True):
    """A typing ticket: whose, and since when."""

    user: str
    at_ms: int


class Poll(Struct, frozen=True):
    """A held long poll: after which message it asks, and until when it is held.

    Messages before `passed` went to a parallel poll and do not end this one.
    """

    call: Call
    position: int
    until_ms: int
    passed: int = 0
    withheld: bool = False
    stolen: bool = False
    evicted: bool = False


class Armed(Clocked[AnyFault], frozen=True):
    """A fault on the clock.

    `made` and `calls` are the peer's counters at the time of arming: they tell before
    from after within one millisecond.
    """

    made: int = 0
    calls: int = 0


class Later(Struct, frozen=True):
    """Something that will be said: a message, or the copy of the one at `of`."""

    due_ms: int
    say: Say | None = None
    copy: Copy | None = None
    of: int = -1


class Logged(Struct, frozen=True):
    """One request and what became of it.

    `outcome` is held, answered, broken (by a transport fault), abandoned (the client
    left before the answer) or cut (an outage ended it).
    `faults` names the types of those that struck, `transport` how the answer broke.
    """

    number: int
    at_ms: int
    endpoint: str
    headers: dict[str, str]
    body: Any
    outcome: str = "held"
    answered_ms: int | None = None
    status: int | None = None
    answer: bytes = b""
    faults: tuple[str, ...] = ()
    transport: str | None = None


class Peer(Struct, frozen=True):
    """The simulated peer: one bot, its user chats, its faults, its diary.

    For tests: `log` is what the client asked, `shown` what each user saw (also when the
    reply was lost, F21), `violations` every breach of the protocol in plain words.
    """

    settings: Settings
    start_ms: int
    token: str
    bot_id: str
    generation: int = 0  # Older cursors are unknown to the peer.
    made: int = 0  # Ids, tokens and tickets made so far.
    calls: int = 0  # Requests so far; the log may have forgotten the oldest.
    inbound: tuple[Message, ...] = ()
    gone: int = 0  # Messages before this position are never handed out (again).
    waiting: tuple[Poll, ...] = ()
    chats: dict[str, Chat] = {}
    tickets: dict[str, Ticket] = {}
    shown: dict[str, tuple[Shown, ...]] = {}
    send_tries_ms: tuple[int, ...] = ()  # Within the burst span.
    penalty_until_ms: int = 0
    armed: tuple[Armed, ...] = ()
    later: tuple[Later, ...] = ()
    log: tuple[Logged, ...] = ()
    violations: tuple[str, ...] = ()


def chat_of(peer: Peer, user: str) -> Chat:
    """Return what is known of a user; an empty chat for an unknown one."""
    return peer.chats.get(user) or Chat()


def with_chat(peer: Peer, user: str, chat: Chat) -> Peer:
    """Return the peer with this chat in place."""
    return replace(peer, chats=peer.chats | {user: chat})


def make_fresh(peer: Peer, at_ms: int) -> tuple[Peer, Fresh]:
    """Take the next running number for ids and tokens."""
    number = peer.made + 1
    skew_ms = sum(
        armed.fault.by_ms
        for armed in peer.armed
        if isinstance(armed.fault, ClockJump) and armed.is_live(at_ms)
    )
    return replace(peer, made=number), Fresh(number, at_ms, at_ms + skew_ms)


def note(peer: Peer, number: int, **changes: Any) -> Peer:
    """Change the diary's entry of a call; one that was forgotten stays forgotten."""
    entry = entry_of(peer, number)
    if entry is None:
        return peer
    index = number - peer.log[0].number
    changed = replace(entry, **changes)
    return replace(peer, log=(*peer.log[:index], changed, *peer.log[index + 1 :]))


def entry_of(peer: Peer, number: int) -> Logged | None:
    """Return the diary's entry of a call; None when it was forgotten."""
    index = number - peer.log[0].number if peer.log else -1
    return peer.log[index] if 0 <= index < len(peer.log) else None
