"""Commands: what the shell must do. Nothing else touches the network, disk or clock.

The shell runs the commands of one fact in the order given, after that fact is durable.
Every command that asks the peer or the disk something is answered by exactly one fact,
also when nothing came of it; that is what keeps an account from going silent.
"""

from holdfast.core.recorded import PeerId, PeerWords, Recorded


class SetTimer(Recorded, frozen=True, tag="set_timer"):
    """Report `TimerFired` at `due_ms`; replaces the timer of the same name at once."""

    name: str
    due_ms: int


class ClearTimer(Recorded, frozen=True, tag="clear_timer"):
    """Drop the timer of this name, if it is set."""

    name: str


class ReloadCredentials(Recorded, frozen=True, tag="reload_credentials"):
    """Read the login again: `CredentialsLoaded` or `CredentialsMissing` answers."""


class NotifyStart(Recorded, frozen=True, tag="notify_start"):
    """Tell the peer that we are here, within `timeout_ms`; doubles as login probe."""

    credential: str
    timeout_ms: int


class NotifyStop(Recorded, frozen=True, tag="notify_stop"):
    """Tell the peer that we go, within `timeout_ms`."""

    credential: str
    timeout_ms: int


class Poll(Recorded, frozen=True, tag="poll"):
    """Long-poll for messages after `cursor`; replaces a poll that is under way.

    `timeout_ms` covers the whole exchange, connect to last byte of the body.
    """

    epoch: int
    credential: str
    cursor: str = ""
    timeout_ms: int = 0


class FetchToken(Recorded, frozen=True, tag="fetch_token"):
    """Ask for an access token: `TokenAnswered` or `TokenFailed` answers."""

    credential: str
    timeout_ms: int


class FetchGateway(Recorded, frozen=True, tag="fetch_gateway"):
    """Ask where the gateway is: `GatewayAnswered` or `GatewayFailed` answers."""

    epoch: int
    token: str
    timeout_ms: int


class OpenSocket(Recorded, frozen=True, tag="open_socket"):
    """Dial: `DialFailed`, or `SocketOpened` and at its end `SocketClosed` answer."""

    epoch: int
    url: str
    timeout_ms: int


class Identify(Recorded, frozen=True, tag="identify"):
    """Begin a new session on this epoch's socket."""

    epoch: int
    token: str
    intents: int
    shard: tuple[int, int]


class Resume(Recorded, frozen=True, tag="resume"):
    """Go on with a session, after the last dispatch that is recorded here."""

    epoch: int
    token: str
    session: str
    seq: int


class Heartbeat(Recorded, frozen=True, tag="heartbeat"):
    """Send a heartbeat; `seq` None before the first dispatch."""

    epoch: int
    seq: int | None = None


class Ping(Recorded, frozen=True, tag="ping"):
    """Ping the socket's far end: `PongReceived` answers, if anybody is there."""

    epoch: int


class CloseSocket(Recorded, frozen=True, tag="close_socket"):
    """Close this epoch's socket at once: `SocketClosed` answers."""

    epoch: int


class Send(Recorded, frozen=True, tag="send"):
    """Send one part. `client_id` is the same for every try of this part.

    `number` counts the answers under one `context`, where the platform counts them, and
    is the same for every try too; `epoch` is that of the transport beside it.
    """

    delivery: int
    part: int
    peer: PeerId
    body: str
    client_id: str
    credential: str
    context: str = ""
    timeout_ms: int = 0
    number: int = 0
    epoch: int = 0


class Forget(Recorded, frozen=True, tag="forget"):
    """Destroy the vault's value of this handle; it must never come back."""

    handle: str


class Offer(Recorded, frozen=True, tag="offer"):
    """Offer the message recorded as `message` to every consumer."""

    message: int


class Report(Recorded, frozen=True, tag="report"):
    """Tell the sender where a part stands; `error` is the peer's own words."""

    delivery: int
    part: int
    state: str
    attempts: int = 0
    peer_id: str = ""
    error: PeerWords = ""


class Escalate(Recorded, frozen=True, tag="escalate"):
    """Tell a human or the host. `retryable`: we go on trying by ourselves."""

    code: str
    reason: PeerWords = ""
    retryable: bool = True


Command = (
    SetTimer
    | ClearTimer
    | ReloadCredentials
    | NotifyStart
    | NotifyStop
    | Poll
    | FetchToken
    | FetchGateway
    | OpenSocket
    | Identify
    | Resume
    | Heartbeat
    | Ping
    | CloseSocket
    | Send
    | Forget
    | Offer
    | Report
    | Escalate
)
