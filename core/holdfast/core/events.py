"""Facts: what happened, raw and in the past tense. The only input of the reducers.

A fact holds what the peer, the disk or the host gave us, unread: what it *means* is
judged anew at every replay (`weixin_rules`). Secrets, cursors and message bodies are
not here but in the vault; a fact holds their handles, keyed digests of which equal
values give equal ones, and `""` stands for absent. What only a gateway with a socket
can tell is in `qq_events`.

All times are milliseconds of the owner's non-decreasing wall clock.
"""

from msgspec import Struct

from holdfast.core.policy import Policy
from holdfast.core.qq_events import GatewayEvent
from holdfast.core.recorded import (
    AccountId,
    MessageId,
    PeerId,
    PeerWords,
    Recorded,
)


class Started(Recorded, frozen=True, tag="started"):
    """A process took this account over.

    `seed` feeds delays and ids from here on. `policy` is given when it is the first or
    differs from the last process's: whoever folds these facts uses it from here on.
    """

    seed: int
    version: str = ""
    policy: Policy | None = None


class StopRequested(Recorded, frozen=True, tag="stop_requested"):
    """The host wants to stop: nothing new is begun, what is under way may finish."""

    reason: str = ""


class TimerFired(Recorded, frozen=True, tag="timer_fired"):
    """A timer ran out; `due_ms` tells it from a later timer of the same name."""

    name: str
    due_ms: int


class RetryRequested(Recorded, frozen=True, tag="retry_requested"):
    """The host asks to leave a fatal or waiting phase now."""


class CredentialsLoaded(Recorded, frozen=True, tag="credentials_loaded"):
    """The login was read, on command or because its source changed."""

    credential: str
    account_id: AccountId = ""


class CredentialsMissing(Recorded, frozen=True, tag="credentials_missing"):
    """No login could be read; `reason` says why, without naming a path."""

    reason: str = ""


class NotifyAnswered(Recorded, frozen=True, tag="notify_answered"):
    """The peer answered `notifystart` or `notifystop` (`call`) for a login."""

    call: str
    status: int = 200
    ret: int | None = None
    errcode: int | None = None
    errmsg: PeerWords = ""
    malformed: str = ""
    credential: str = ""


class NotifyFailed(Recorded, frozen=True, tag="notify_failed"):
    """No answer to `notifystart` or `notifystop`; `kind` as in `PollFailed`."""

    call: str
    kind: str
    reason: str = ""
    credential: str = ""


class PollAnswered(Recorded, frozen=True, tag="poll_answered"):
    """The peer answered a long poll; its messages are the facts just before this one.

    `ret` and `errcode` are mostly absent on success. `malformed` says why a body could
    not be read; the body itself is then kept under the handle `body`. `hint_ms` is the
    peer's wish for the next hold.
    """

    epoch: int
    status: int = 200
    ret: int | None = None
    errcode: int | None = None
    errmsg: PeerWords = ""
    malformed: str = ""
    cursor: str = ""
    body: str = ""
    hint_ms: int | None = None
    messages: int = 0


class PollFailed(Recorded, frozen=True, tag="poll_failed"):
    """No answer to a long poll.

    `kind` is one of timeout, connect, dns, tls, reset, protocol, too_large.
    """

    epoch: int
    kind: str
    reason: str = ""


class MessageReceived(Recorded, frozen=True, tag="message_received"):
    """One inbound message, recorded before the answer that brought it.

    `message_id` is the peer's own, exact, or empty. The `by_…` handles are digests of
    (sender, value), one per way of knowing the message again; which of them counts is
    a reading rule. `quotes` says whether it quotes another message, `by_content` leaves
    the quote out. `origin` is the wire's message type (1 user, 2 bot). `peer` is whom
    to answer, `sender` who wrote when that is somebody else; `epoch` and `s` are the
    place in the transport that brought it, where there is one.
    """

    peer: PeerId
    body: str
    message_id: MessageId = ""
    kind: str = "text"
    origin: int = 1
    context: str = ""
    sent_ms: int = 0
    by_id: str = ""
    by_client: str = ""
    by_wire_seq: str = ""
    by_items: str = ""
    by_content: str = ""
    quotes: bool = False
    epoch: int = 0
    s: int = 0
    sender: PeerId = ""
    by_index: str = ""


class MessageDone(Recorded, frozen=True, tag="message_done"):
    """A consumer finished the message recorded as `message`, and all up to `through`.

    Both are journal seqs; they differ when messages are finished out of order.
    """

    consumer: str
    message: int
    through: int


class PartRequest(Recorded, frozen=True):
    """One part to send: the handle of its text and its length in code points."""

    body: str
    length: int = 0


class SendRequested(Recorded, frozen=True, tag="send_requested"):
    """The host asked for a delivery; its id is the seq of this fact.

    The same `key` (a digest of the host's) within a day means the same delivery.
    `reply_to` is the context of the message to answer; empty: of the newest.
    """

    peer: PeerId
    parts: tuple[PartRequest, ...]
    key: str = ""
    reply_to: str = ""


class SendAnswered(Recorded, frozen=True, tag="send_answered"):
    """The peer answered the send of one part; without a message id, perhaps in vain.

    iLink speaks in `ret` and `errcode`, QQ in `code` and `err_code`; `trace` is QQ's
    own id of the call, for its support.
    """

    delivery: int
    part: int
    status: int = 200
    ret: int | None = None
    errcode: int | None = None
    errmsg: PeerWords = ""
    malformed: str = ""
    message_id: MessageId = ""
    code: int | None = None
    err_code: int | None = None
    trace: str = ""


class SendFailed(Recorded, frozen=True, tag="send_failed"):
    """No answer to the send of one part.

    `left` is false only when certainly no byte of the request reached the peer.
    """

    delivery: int
    part: int
    kind: str
    left: bool = True
    reason: str = ""


Event = (
    Started
    | StopRequested
    | RetryRequested
    | TimerFired
    | CredentialsLoaded
    | CredentialsMissing
    | NotifyAnswered
    | NotifyFailed
    | PollAnswered
    | PollFailed
    | MessageReceived
    | MessageDone
    | SendRequested
    | SendAnswered
    | SendFailed
    | GatewayEvent
)


class Fact(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An event as the journal knows it: its place and its time."""

    seq: int
    at_ms: int
    event: Event
