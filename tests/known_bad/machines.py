"""The known-bad machines by name, each in the surroundings that bring its bug to light.

Any other bug of the same client would be found there too: the honest client is clean.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from holdfast.core.policy import Policy
from holdfast.replay.explore import (
    qq_moves,
    qq_orders,
    qq_scopes,
    qq_world,
    weixin_moves,
    weixin_orders,
    weixin_scopes,
    weixin_world,
)
from holdfast.replay.explore.scope import Environment, Scope
from holdfast.replay.explore.search import DOOMED
from known_bad import qq_client, weixin_client
from known_bad.qq_client import Bug as QqBug
from known_bad.weixin_client import Bug as WeixinBug

BEGIN_MS = weixin_scopes.BEGIN_MS


class Machine(NamedTuple):
    """One bug: its scope, the same scope without it, and what must be found."""

    name: str
    bad: Scope
    repaired: Scope
    found: str


def _weixin(
    bug: WeixinBug, extent: weixin_world.Extent, policy: Policy, found: str
) -> Machine:
    begin = weixin_world.WeixinWorld(BEGIN_MS, extent=extent)
    around = Environment(begin, weixin_moves.moves, weixin_orders.obey)
    client, about = weixin_client.client, weixin_client.ABOUT[bug]
    bad = Scope(str(bug), about, (), client(bug), around, policy)
    return Machine(bad.name, bad, bad._replace(subject=client(None)), found)


def _qq(bug: QqBug, extent: qq_world.Extent, found: str) -> Machine:
    begin = qq_world.QqWorld(BEGIN_MS, extent=extent)
    around = Environment(begin, qq_moves.moves, qq_orders.obey)
    client, about = qq_client.client, qq_client.ABOUT[bug]
    bad = Scope(str(bug), about, (), client(bug), around, qq_scopes.BEATING)
    return Machine(bad.name, bad, bad._replace(subject=client(None)), found)


def _machines() -> Sequence[Machine]:
    lapses = (weixin_world.Mood.LAPSED,)
    login = weixin_world.Extent(humans=True)
    pause = weixin_world.Extent(moods=lapses, texts_max=1)
    talk = weixin_world.Extent(moods=(), messages=True, texts_max=1)
    line = weixin_world.Extent(moods=(), network=True)
    ticks, brisk = weixin_scopes.TICKS, weixin_scopes.BRISK
    capped = "[8] the timer connection.retry waits longer than its cap"
    beside = "[2] a socket is dialled beside another"
    silent = "[1] nothing is under way and no timer is set"
    heartless = "[2] a greeted socket has no heartbeat timer"
    gated = "[3] a part may go, but is neither sent nor timed"
    return [
        _weixin(WeixinBug.STALE_TOKEN, login, ticks, DOOMED),
        _weixin(WeixinBug.GATED_SENDS, pause, brisk, gated),
        _weixin(WeixinBug.DEAD_TOKEN, talk, brisk, DOOMED),
        _weixin(WeixinBug.GROWN_BACKOFF, line, ticks, capped),
        _qq(QqBug.ENDED_LOOP, qq_world.Extent(network=True), silent),
        _qq(QqBug.ONE_HEART, qq_world.Extent(), heartless),
        _qq(QqBug.GONE_SESSION, qq_world.Extent(invalid=True), DOOMED),
        _qq(QqBug.TWO_SOCKETS, qq_world.Extent(), beside),
    ]


MACHINES: Mapping[str, Machine] = {one.name: one for one in _machines()}
