"""The QQ platform and an account's operator, as far as the account can tell.

The platform takes one secret, gives out access tokens and refuses old ones. Its gateway
remembers one session, which a resume goes on with.
"""

from msgspec import Struct

from holdfast.core.names import Name
from holdfast.replay.explore.account import AccountExtent, AccountWorld


class Stage(Name):
    """How far the gateway has come with a socket."""

    DIALING = "dialing"
    GREETING = "greeting"
    WAITING = "waiting"  # It greeted.
    IDENTIFYING = "identifying"
    RESUMING = "resuming"
    READY = "ready"


class Socket(Struct, frozen=True, gc=False):
    """The gateway's end of the socket.

    `token` and `session` are what it was shown; `beats` and `pings` are unanswered.
    """

    epoch: int
    stage: Stage = Stage.DIALING
    token: str = ""
    session: str = ""
    beats: bool = False
    pings: bool = False
    closing: bool = False
    refused: bool = False


class Extent(AccountExtent, frozen=True):
    """What can happen on QQ beside it; all else stays away.

    `socket`: the gateway can be reached. `network`: calls fail or come too often.
    `denials`: access tokens are refused; `refusals`: the login and sessions are.
    `invalid`: sessions end. `retries`: the host asks to retry. `messages_max`: so many
    messages come.
    """

    socket: bool = True
    network: bool = False
    denials: bool = False
    refusals: bool = False
    invalid: bool = False
    retries: bool = False
    messages_max: int = 0


class QqWorld(AccountWorld, frozen=True, gc=False):
    """What the platform and the user know.

    `taken`: the secret on disk is the right one. `living` is the access token that is
    good, the `issued`th; `session` the one that can be resumed, the `begun`th; `s` its
    last dispatch. `heard` and `offered` number messages.
    """

    extent: Extent = Extent()
    taken: bool = True
    issued: int = 0
    living: str = ""
    begun: int = 0
    session: str = ""
    s: int = 0
    socket: Socket | None = None
    heard: int = 0
    offered: int = 0
