"""The QQ platform and an account's operator, as far as the account can tell.

The platform takes one secret, gives out access tokens and refuses old ones. Its gateway
remembers one session, which a resume goes on with.
"""

from msgspec import Struct

from holdfast.core.names import Name
from holdfast.replay.explore.world import World


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


class Extent(Struct, frozen=True):
    """How much of what can happen is explored together; all else stays away.

    `socket`: the gateway can be reached. `network`: calls fail or come too often.
    `denials`: access tokens are refused; `refusals`: the login and sessions are.
    `invalid`: sessions end. `files`: the login file goes missing. `humans` put another
    secret there. `stops`, `retries`: the host stops, or asks to retry. `messages_max`:
    so many messages come. `texts_max`: parts that the host gives at once, `parts_max`
    in one request.
    """

    socket: bool = True
    network: bool = False
    denials: bool = False
    refusals: bool = False
    invalid: bool = False
    files: bool = False
    humans: bool = False
    stops: bool = False
    retries: bool = False
    messages_max: int = 0
    texts_max: int = 0
    parts_max: int = 1


class QqWorld(World, frozen=True, gc=False):
    """What the platform, the disk and the user know.

    `taken`: the secret on disk is the right one; `read` is what the account was told
    last. `living` is the access token that is good, the `issued`th; `session` the one
    that can be resumed, the `begun`th; `s` its last dispatch. `heard` and `offered`
    number messages; `ended` are parts that came to their end lately.
    """

    extent: Extent = Extent()
    disk: str = "login-a"
    taken: bool = True
    read: str = ""
    issued: int = 0
    living: str = ""
    begun: int = 0
    session: str = ""
    s: int = 0
    socket: Socket | None = None
    heard: int = 0
    offered: int = 0
    ended: tuple[tuple[int, int], ...] = ()
