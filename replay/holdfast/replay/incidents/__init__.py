"""The founding incidents, lived through by the real service against a simulated peer.

Each incident is one function that breaks something and expects what must happen. The
demo tells them live, the tests run them over loopback in virtual time, and the
recordings in `fixtures/incidents` are what the service recorded while they ran.
"""

from holdfast.replay.incidents import (
    weixin_inbound,
    weixin_login,
    weixin_sends,
)
from holdfast.replay.incidents.stage import Incident
from holdfast.replay.incidents.weixin_stage import WEIXIN

__all__ = ["INCIDENTS", "Incident"]

INCIDENTS = tuple(
    Incident(play.__name__, WEIXIN, play)
    for home in (weixin_sends, weixin_login, weixin_inbound)
    for play in home.PLAYS
)
