"""Facts of a gateway: a token, an address, and a socket with its heartbeats.

Like all facts they are unread (`events`). `epoch` is the dial they belong to; numbers
in brackets are sections of docs/qq-bot.md. Of tokens, sessions and bodies there are
handles only, and `""` stands for absent.
"""

from holdfast.core.recorded import AccountId, PeerId, PeerWords, Recorded


class TokenAnswered(Recorded, frozen=True, tag="token_answered"):
    """The token call for a login was answered; failures too come with HTTP 200 (2).

    `expires_in` is the text of what the peer gave, in seconds.
    """

    credential: str
    status: int = 200
    code: int | None = None
    message: PeerWords = ""
    malformed: str = ""
    token: str = ""
    expires_in: str = ""
    trace: str = ""


class TokenFailed(Recorded, frozen=True, tag="token_failed"):
    """No answer to the token call; `kind` as in `PollFailed`."""

    credential: str
    kind: str
    reason: str = ""


class GatewayAnswered(Recorded, frozen=True, tag="gateway_answered"):
    """The call for the gateway's address was answered, with what is left to identify.

    `remaining` of `total` new sessions may begin until `reset_after_ms` from now,
    `max_concurrency` of them in 5 s (3).
    """

    epoch: int
    status: int = 200
    code: int | None = None
    err_code: int | None = None
    message: PeerWords = ""
    malformed: str = ""
    url: str = ""
    shards: int | None = None
    total: int | None = None
    remaining: int | None = None
    reset_after_ms: int | None = None
    max_concurrency: int | None = None
    trace: str = ""


class GatewayFailed(Recorded, frozen=True, tag="gateway_failed"):
    """No answer to the call for the gateway's address; `kind` as in `PollFailed`."""

    epoch: int
    kind: str
    reason: str = ""


class SocketOpened(Recorded, frozen=True, tag="socket_opened"):
    """The handshake of a socket is done; exactly one `SocketClosed` follows later."""

    epoch: int


class DialFailed(Recorded, frozen=True, tag="dial_failed"):
    """No socket came of a dial.

    `kind` is one of timeout, connect, dns, tls, reset, protocol, handshake; `status`
    is that of an HTTP answer in place of the handshake, as a captive portal gives it.
    """

    epoch: int
    kind: str
    status: int | None = None
    reason: PeerWords = ""


class HelloReceived(Recorded, frozen=True, tag="hello_received"):
    """The peer greeted (op 10) and said how often it wants a heartbeat."""

    epoch: int
    interval_ms: int | None = None


class ReadyReceived(Recorded, frozen=True, tag="ready_received"):
    """A new session began; `session` is the handle of its id."""

    epoch: int
    s: int | None = None
    session: str = ""
    user: AccountId = ""


class ResumedReceived(Recorded, frozen=True, tag="resumed_received"):
    """The session goes on, after all that was missed."""

    epoch: int
    s: int | None = None


class DispatchReceived(Recorded, frozen=True, tag="dispatch_received"):
    """An event that is no message; `name` is its `t`, `body` the handle of its frame.

    `context` allows an answer to `peer`, where the event allows one (10).
    """

    epoch: int
    s: int | None = None
    name: str = ""
    body: str = ""
    peer: PeerId = ""
    context: str = ""


class HeartbeatAcked(Recorded, frozen=True, tag="heartbeat_acked"):
    """The peer acknowledged a heartbeat (op 11)."""

    epoch: int


class HeartbeatAsked(Recorded, frozen=True, tag="heartbeat_asked"):
    """The peer sent op 1 itself: it wants a heartbeat now (4)."""

    epoch: int


class PongReceived(Recorded, frozen=True, tag="pong_received"):
    """The socket's far end answered a ping."""

    epoch: int


class ReconnectAsked(Recorded, frozen=True, tag="reconnect_asked"):
    """The peer wants the session to go on over another socket (op 7)."""

    epoch: int


class SessionInvalidated(Recorded, frozen=True, tag="session_invalidated"):
    """The peer refused a session (op 9); `resumable` as it said, None when not."""

    epoch: int
    resumable: bool | None = None


class FrameUnread(Recorded, frozen=True, tag="frame_unread"):
    """A frame that says nothing known: an unknown op, or why it could not be read."""

    epoch: int
    op: int | None = None
    malformed: str = ""
    body: str = ""


class SocketClosed(Recorded, frozen=True, tag="socket_closed"):
    """A socket came to its end; nothing of this epoch follows.

    `kind` tells how: `closed` by the peer's close frame with `code` and `reason`;
    without one `eof`, `reset`, `protocol` or `too_large`; `stalled` when a write of
    ours did not finish in time; `dropped` when we had been told to close it. `code` is
    None when the peer gave none.
    """

    epoch: int
    kind: str = "closed"
    code: int | None = None
    reason: PeerWords = ""


GatewayEvent = (
    TokenAnswered
    | TokenFailed
    | GatewayAnswered
    | GatewayFailed
    | SocketOpened
    | DialFailed
    | HelloReceived
    | ReadyReceived
    | ResumedReceived
    | DispatchReceived
    | HeartbeatAcked
    | HeartbeatAsked
    | PongReceived
    | ReconnectAsked
    | SessionInvalidated
    | FrameUnread
    | SocketClosed
)
