"""All that the simulated QQ platform remembers, and the few moves everybody needs.

The state is one frozen struct and everything in it is a value: functions return a new
`Peer` and leave the old one as it was. What is to be done on the sockets waits in
`Peer.outs` until `collect`.
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from holdfast.replay.world.faults import Clocked
from holdfast.replay.world.qq_faults import AnyFault
from holdfast.replay.world.qq_say import Dispatch, Event, Say
from holdfast.replay.world.qq_settings import Settings
from holdfast.replay.world.qq_wire import Heard, Out
from holdfast.replay.world.tape import Tape
from holdfast.replay.world.wire import Json

VIOLATIONS_MAX = 1_000


class Issued(Struct, frozen=True):
    """An access token and its life; `dead` when a fault ended it early."""

    token: str
    from_ms: int
    until_ms: int
    dead: bool = False

    def is_good(self, at_ms: int) -> bool:
        """Return whether the token is honoured."""
        return not self.dead and at_ms < self.until_ms


class Buffered(Struct, frozen=True):
    """An event of a session, as its frame was or will be."""

    s: int
    text: str


class Session(Struct, frozen=True):
    """A gateway session: one shard's events, numbered from READY on.

    `socket` None: nobody is connected since `lost_ms`. `forgotten_s` is the highest `s`
    that the buffer no longer holds.
    """

    session_id: str
    shard: tuple[int, int]
    intents: int
    socket: int | None
    s: int = 0
    buffer: Tape[Buffered] = Tape()
    forgotten_s: int = 0
    lost_ms: int = 0


class Socket(Struct, frozen=True):
    """A WebSocket connection. `ready_ms` None: not confirmed by READY or RESUMED yet.

    `told_ms` is when Hello went out, None without one. With `leaving` the client was
    told to go. Nothing is sent before `quiet_ms`. A `mute` one is half-open.
    """

    number: int
    opened_ms: int
    told_ms: int | None = None
    session_id: str = ""
    ready_ms: int | None = None
    beat_ms: int = 0
    quiet_ms: int = 0
    leaving: bool = False
    mute: bool = False


class Opener(Struct, frozen=True):
    """An inbound id that may be replied to: how often it was, with which `msg_seq`."""

    reply_to: str
    at_ms: int
    replies: int = 0
    seqs: tuple[int, ...] = ()


class Mine(Struct, frozen=True):
    """A message of the bot, as long as it may be recalled."""

    message_id: str
    at_ms: int


class Chat(Struct, frozen=True):
    """What the platform keeps about one chat: ids to reply to, messages of the bot."""

    heard: tuple[Opener, ...] = ()
    mine: tuple[Mine, ...] = ()
    proactive_ms: tuple[int, ...] = ()  # Of the last 24 h.
    last_inbound_ms: int | None = None


class Shown(Struct, frozen=True):
    """A message in a chat, as people see it."""

    at_ms: int
    message_id: str
    text: str
    body: dict[str, Any]
    reply_to: str = ""


class Armed(Clocked[AnyFault], frozen=True):
    """A fault on the clock, with the running sockets that it has looked at."""

    sockets: tuple[int, ...] = ()


Plan: TypeAlias = Say | Event | Dispatch | Out | Heard


class Later(Struct, frozen=True):
    """Something that will happen: an event, something on a socket, heard or said.

    `socket` says on which one something is heard.
    """

    due_ms: int
    plan: Plan
    socket: int = 0


class Logged(Struct, frozen=True):
    """One line of the diary.

    `name` is the endpoint of a request, the op of a frame, the way of an end; `target`
    is the chat or the id that a request is about. `text` is a frame, `body` the fields
    of a request; `status` and `answer` are what was answered, or the code of an end.
    `faults` are the types of those that struck, `transport` is how the answer broke.
    """

    at_ms: int
    what: Literal["request", "open", "heard", "told", "end"]
    socket: int = 0
    name: str = ""
    text: str = ""
    target: str = ""
    body: Json | None = None
    status: int = 0
    answer: str = ""
    headers: dict[str, str] = {}
    faults: tuple[str, ...] = ()
    transport: str = ""


class Counts(Struct, frozen=True):
    """How often things happened; never reset."""

    requests: int = 0
    connections: int = 0
    identifies: int = 0
    resumes: int = 0
    readies: int = 0
    resumed: int = 0
    heartbeats: int = 0
    pings: int = 0
    events: int = 0
    tokens: int = 0
    sends: int = 0
    recycles: int = 0
    drops: int = 0  # For want of heartbeats.
    violations: int = 0


class Peer(Struct, frozen=True):
    """The simulated platform: one app, its sockets, sessions, chats, faults, diary.

    For tests: `log` is all that was asked, heard and told, `shown` what each chat saw
    (also when the answer was lost), `violations` every breach in plain words.
    """

    settings: Settings
    start_ms: int
    made: int = 0  # Ids, tokens and sessions made so far.
    counts: Counts = Counts()
    tokens: tuple[Issued, ...] = ()
    gateway_ms: tuple[int, ...] = ()  # Calls of the last minute.
    identified_ms: tuple[int, ...] = ()  # Within the span of `concurrency`.
    quota_left: int = 0
    quota_reset_ms: int = 0
    sockets: dict[int, Socket] = {}
    sessions: dict[str, Session] = {}
    chats: dict[str, Chat] = {}
    proactive_ms: tuple[int, ...] = ()  # Of the last minute, of the whole bot.
    interactions: dict[str, bool] = {}  # {id: answered}
    shown: dict[str, Tape[Shown]] = {}
    recalled: tuple[str, ...] = ()
    held: tuple[Dispatch, ...] = ()
    reply_to: str = ""  # The id under which the newest event can be replied to.
    lost_ms: int | None = None  # When a confirmed socket last came to its end.
    frozen_ms: int = 0  # Until then nothing is heard or said.
    armed: tuple[Armed, ...] = ()
    later: tuple[Later, ...] = ()
    outs: tuple[Out, ...] = ()
    log: Tape[Logged] = Tape()
    violations: tuple[str, ...] = ()


def collect(peer: Peer) -> tuple[Peer, tuple[Out, ...]]:
    """Take what is to be done on the sockets now, in order."""
    return (replace(peer, outs=()), peer.outs) if peer.outs else (peer, ())


def with_socket(peer: Peer, socket: Socket) -> Peer:
    """Return the peer with this socket in place."""
    return replace(peer, sockets=peer.sockets | {socket.number: socket})


def with_session(peer: Peer, session: Session) -> Peer:
    """Return the peer with this session in place."""
    return replace(peer, sessions=peer.sessions | {session.session_id: session})


def without_session(peer: Peer, session_id: str) -> Peer:
    """Return the peer without this session: it cannot be resumed."""
    sessions = {k: v for k, v in peer.sessions.items() if k != session_id}
    return replace(peer, sessions=sessions)


def write(peer: Peer, entry: Logged) -> Peer:
    """Put a line into the diary."""
    keep = peer.settings.log_max
    return replace(peer, log=peer.log.append(entry, keep=keep)) if keep else peer


def accuse(peer: Peer, words: str) -> Peer:
    """Write down a breach; after the first thousand they are only counted."""
    counts = replace(peer.counts, violations=peer.counts.violations + 1)
    violations = peer.violations
    if len(violations) < VIOLATIONS_MAX:
        violations = (*violations, words)
    return replace(peer, counts=counts, violations=violations)


def make(peer: Peer) -> tuple[Peer, int]:
    """Take the next running number for ids and tokens."""
    return replace(peer, made=peer.made + 1), peer.made + 1


def postpone(peer: Peer, later: Later) -> Peer:
    """Plan something; what is due at the same time happens in the order planned."""
    return replace(peer, later=(*peer.later, later))
