"""Sabotages of the Weixin reducer, and of what all platforms share."""

import weixin_twists as by
from msgspec.structs import replace
from sabotage import (
    Sabotage,
    added,
    altered,
    forgetful,
    twice,
    twisted,
    under,
    without,
)

from holdfast.core import pacing, session
from holdfast.core.commands import (
    Escalate,
    NotifyStart,
    Offer,
    Poll,
    ReloadCredentials,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import SendRequested
from holdfast.core.policy import Policy
from holdfast.replay.explore import weixin_moves, weixin_orders, weixin_scopes
from holdfast.replay.explore.scope import Environment, Scope
from holdfast.replay.explore.weixin_subject import subject
from holdfast.replay.explore.weixin_world import Extent, Mood, WeixinWorld

LOGIN, LINE, SENDS, ODD = "weixin login", "weixin line", "weixin sends", "weixin odd"
BEGIN_MS = weixin_scopes.BEGIN_MS
LONG_MS = 10**9


def small(extent: Extent, policy: Policy = weixin_scopes.BRISK) -> Scope:
    """Return a scope that is explored in a moment."""
    begin = WeixinWorld(BEGIN_MS, extent=extent)
    environment = Environment(begin, weixin_moves.moves, weixin_orders.obey)
    return Scope("small", "", (), subject(policy), environment, policy)


LAPSES = small(Extent(moods=(Mood.LAPSED,), prompt=True, network=True))
# One send for each message: the second is one too many.
ONE = replace(
    weixin_scopes.BRISK, delivery=replace(weixin_scopes.BRISK.delivery, budget=1)
)
FRUGAL = small(Extent(messages=True, moods=(), texts_max=1, prompt=True), ONE)
TOKENS = small(Extent(messages=True, moods=(), texts_max=1, prompt=True))


WEIXIN = [
    Sabotage(
        "no login is read",
        "[1] nothing is under way and no timer is set",
        LOGIN,
        without(ReloadCredentials),
    ),
    Sabotage(
        "a timer is not set",
        "[1] the timers are",
        LOGIN,
        without(SetTimer, session.RETRY),
    ),
    Sabotage(
        "a session waits for nothing",
        "[1] the session waits without a timer",
        LINE,
        forgetful("session", session.RETRY, due_ms=0),
    ),
    Sabotage(
        "fatal is for ever",
        "[1] fatal without a slow timer",
        LINE,
        twisted(by.stay_fatal),
    ),
    Sabotage(
        "no poll is begun",
        "[1] the session is active but nothing polls or waits to",
        LOGIN,
        twisted(by.stay_idle),
    ),
    Sabotage(
        "no probe is made",
        "[1] the session recovers without a probe",
        LOGIN,
        without(NotifyStart),
    ),
    Sabotage(
        "the probe is put off again and again", "[1] doomed", LAPSES, by.never_probe
    ),
    Sabotage("an answer is too much", "it raised KeyError", LOGIN, twisted(by.raising)),
    Sabotage("two polls are begun", "[2] two polls at once", LOGIN, twice(Poll)),
    Sabotage(
        "the epoch stays",
        "[2] an epoch is polled twice",
        LOGIN,
        altered(Poll, lambda before, _: {"epoch": before.connection.epoch}),
    ),
    Sabotage(
        "answers of older epochs count",
        "[2] a stale PollAnswered",
        LOGIN,
        by.believe_old_answers,
    ),
    Sabotage(
        "two sends are begun", "[2] two parts are sent at once", TOKENS, twice(Send)
    ),
    Sabotage(
        "another part is sent",
        "[2] a part is sent that is not the one under way",
        TOKENS,
        altered(Send, lambda _, send: {"part": send.part + 1}),
    ),
    Sabotage(
        "a part is sent again while it is under way",
        "[2] a part is sent while another is under way",
        SENDS,
        added(SendRequested, lambda before, _: by.sent_again(before)),
    ),
    Sabotage(
        "sends wait for no timer",
        "[3] a part may go, but is neither sent nor timed",
        TOKENS,
        forgetful("outbox", pacing.NEXT, due_ms=0),
    ),
    Sabotage(
        "sends ask the phase of the session first",
        "[3] a part may go, but is neither sent nor timed",
        TOKENS,
        by.ask_the_session,
    ),
    Sabotage(
        "a message is not offered", "[4] a message is lost", TOKENS, without(Offer)
    ),
    Sabotage(
        "copies are offered",
        "[4] a copy is offered again",
        TOKENS,
        twisted(by.offer_copies),
    ),
    Sabotage(
        "a message is offered two times",
        "[4] a message is offered twice",
        TOKENS,
        twice(Offer),
    ),
    Sabotage(
        "an offer comes of nothing",
        "[4] a message is offered by a fact that brought none",
        TOKENS,
        added(SendRequested, lambda _, fact: [Offer(fact.seq)]),
    ),
    Sabotage(
        "done is what has not come",
        "[4] a message is offered after it was done",
        ODD,
        twisted(by.done_for_ever),
    ),
    Sabotage(
        "an accepted part is sent on",
        "[4] a part is sent that has come to its end",
        TOKENS,
        twisted(by.deaf_to_success),
    ),
    Sabotage(
        "the peer is told another cursor",
        "[5] the peer is told a cursor that is not recorded",
        LOGIN,
        altered(Poll, lambda *_: {"cursor": "cursor-9"}),
    ),
    Sabotage(
        "a refused token is used again",
        "[6] a forgotten context token is used",
        TOKENS,
        twisted(by.use_forgotten),
    ),
    Sabotage(
        "a new process forgets what was forgotten",
        "[6] a token is used that the vault was told to forget",
        TOKENS,
        twisted(by.forget_the_forgotten),
        moves_max=14,
    ),
    Sabotage(
        "nobody is told that a login is needed",
        "[7] gave up without telling anybody",
        LOGIN,
        without(Escalate),
    ),
    Sabotage(
        "nobody is told of the wrong address",
        "[7] gave up without telling anybody",
        LINE,
        without(Escalate),
    ),
    Sabotage(
        "nobody is told what became of a part",
        "[7] a part left the outbox without a report",
        TOKENS,
        without(Report),
    ),
    Sabotage(
        "a timer waits long",
        "[8] the timer",
        LOGIN,
        altered(SetTimer, lambda _, c: {"due_ms": c.due_ms + LONG_MS}),
    ),
    Sabotage(
        "one send too many is allowed",
        "[8] the budget of a peer is overspent",
        FRUGAL,
        under(by.generous),
        moves_max=14,
    ),
]
