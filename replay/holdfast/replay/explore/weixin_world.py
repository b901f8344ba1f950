"""The iLink peer, its user and its operator, as far as an account can tell them apart.

The peer takes one login. It may let it lapse (another `notifystart` revives it) or
revoke it (only a human's new login helps; docs/weixin-ilink.md, S13); it answers -14
then, or nothing. Context tokens are fresh with each message, and may die.
"""

from holdfast.core.commands import Poll
from holdfast.core.names import Name
from holdfast.replay.explore.account import AccountExtent, AccountWorld


class Mood(Name):
    """How the peer stands to the login that it gave last."""

    LIVE = "live"
    LAPSED = "lapsed"
    REVOKED = "revoked"


class Extent(AccountExtent, frozen=True):
    """What can happen on iLink beside it; all else stays away.

    `network`: polls and probes fail, and are answered oddly. `moods`: how the peer may
    come to refuse the login. `other_bot`: who logs in anew does so as another bot,
    which is noticed at once. `messages`: the user writes. `consumers` finish what was
    offered. `odd`: the peer contradicts itself, a send is refused under a login that
    polls take. `prompt`: a login is read and probed before a poll is answered, anybody
    logs in or the host asks to retry; what is otherwise late is explored elsewhere.
    """

    network: bool = False
    moods: tuple[Mood, ...] = (Mood.LAPSED, Mood.REVOKED)
    messages: bool = False
    other_bot: bool = False
    consumers: bool = False
    odd: bool = False
    prompt: bool = False


class WeixinWorld(AccountWorld, frozen=True, gc=False):
    """What the peer and the user know.

    `accepts` is the login that the peer gave last. `late` is a poll that another one
    replaced. `message` is the last message and its token; it was recorded as the
    `heard`th, in the fact `heard_seq`. `living` are tokens that the peer still takes.
    """

    extent: Extent = Extent()
    mood: Mood = Mood.LIVE
    accepts: str = "login-a"
    bot: str = "bot-1"
    late: Poll | None = None
    message: tuple[str, str] | None = None
    heard: int = 0
    heard_seq: int = 0
    living: tuple[str, ...] = ()
