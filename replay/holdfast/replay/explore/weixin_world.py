"""The iLink peer, its user and its operator, as far as an account can tell them apart.

The peer takes one login. It may let it lapse (another `notifystart` revives it) or
revoke it (only a human's new login helps; docs/weixin-ilink.md, S13); it answers -14
then, or nothing. Context tokens are fresh with each message, and may die.
"""

from msgspec import Struct

from holdfast.core.commands import Poll
from holdfast.core.names import Name
from holdfast.replay.explore.world import World


class Mood(Name):
    """How the peer stands to the login that it gave last."""

    LIVE = "live"
    LAPSED = "lapsed"
    REVOKED = "revoked"


class Extent(Struct, frozen=True):
    """How much of what can happen is explored together; all else stays away.

    `network`: polls and probes fail, and are answered oddly. `files`: the login file
    goes missing. `moods`: how the peer may come to refuse the login. `humans` log in
    anew, `other_bot`: as another bot, which is noticed at once. `stops`: the host
    stops. `messages`: the user writes. `consumers` finish what was offered. `odd`: the
    peer contradicts itself, a send is refused under a login that polls take. `prompt`:
    a login is read and probed before a poll is answered, anybody logs in or the host
    asks to retry; what is otherwise late is explored elsewhere. `texts_max`: parts that
    the host gives at once; `parts_max`: in one request.
    """

    network: bool = False
    files: bool = False
    moods: tuple[Mood, ...] = (Mood.LAPSED, Mood.REVOKED)
    humans: bool = False
    stops: bool = False
    messages: bool = False
    other_bot: bool = False
    consumers: bool = False
    odd: bool = False
    prompt: bool = False
    texts_max: int = 0
    parts_max: int = 1


class WeixinWorld(World, frozen=True, gc=False):
    """What the peer, the disk and the user know.

    `accepts` is the login that the peer gave last, `disk` the one in the file, `read`
    the one the account was told last. `late` is a poll that another one replaced.
    `message` is the id of the last
    message and its token; `living` are tokens that the peer still takes.
    """

    extent: Extent = Extent()
    mood: Mood = Mood.LIVE
    accepts: str = "login-a"
    disk: str = "login-a"
    read: str = ""
    bot: str = "bot-1"
    late: Poll | None = None
    message: tuple[str, str] | None = None
    heard: int = 0
    heard_seq: int = 0
    living: tuple[str, ...] = ()
    ended: tuple[tuple[int, int], ...] = ()
