"""The founding incidents, lived through by the real service against a simulated peer.

Each incident is one function that breaks something and expects what must happen. The
demo tells them live, the tests run them over loopback HTTP in virtual time, and the
recordings in `fixtures/incidents` are what the service recorded while they ran.
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from holdfast.replay.incidents import weixin_inbound, weixin_login, weixin_sends
from holdfast.replay.incidents.stage import Stage


class Incident(Struct, frozen=True):
    """One incident: its name is the bug in words, and the name of its fixtures."""

    name: str
    play: Callable[[Stage], Awaitable[None]]

    @property
    def story(self) -> str:
        """What broke, in one line."""
        return (self.play.__doc__ or "").strip().splitlines()[0]


INCIDENTS = tuple(
    Incident(play.__name__, play)
    for home in (weixin_sends, weixin_login, weixin_inbound)
    for play in home.PLAYS
)
