"""The founding incidents, lived through by the real service against a simulated peer.

Each incident is one function that breaks something and expects what must happen. The
demo tells them live, the tests run them over loopback in virtual time, and the
recordings in `fixtures/incidents` are what the service recorded while they ran.
"""

from holdfast.replay.incidents import (
    qq_fatal,
    qq_inbound,
    qq_outage,
    qq_renewals,
    qq_sessions,
    qq_silence,
    qq_tokens,
    weixin_inbound,
    weixin_login,
    weixin_sends,
)
from holdfast.replay.incidents.qq_stage import QQ
from holdfast.replay.incidents.stage import Incident
from holdfast.replay.incidents.weixin_stage import WEIXIN

__all__ = ["INCIDENTS", "Incident"]

# Told by others already, or by long waiting alone: the demo leaves them out.
UNSHOWN = (
    qq_outage.every_dial_fails_for_93_minutes,
    qq_renewals.old_socket_closed_late,
    qq_sessions.sessions_die_as_they_begin,
    qq_tokens.token_expires_in_sixty_seconds,
    qq_tokens.token_call_fails_with_status_200,
)
INCIDENTS = tuple(
    Incident(play.__name__, house, play, shown=play not in UNSHOWN)
    for house, homes in (
        (WEIXIN, (weixin_sends, weixin_login, weixin_inbound)),
        (
            QQ,
            (
                qq_outage,
                qq_renewals,
                qq_silence,
                qq_sessions,
                qq_tokens,
                qq_fatal,
                qq_inbound,
            ),
        ),
    )
    for home in homes
    for play in home.PLAYS
)
