"""Twists: the ways in which a Weixin reducer is broken on purpose."""

from msgspec.structs import replace
from sabotage import Step, Turn, dropped

from holdfast.core import connection, session
from holdfast.core.commands import Command, Forget, Offer, Poll, Report, Send, SetTimer
from holdfast.core.events import (
    Fact,
    MessageDone,
    MessageReceived,
    PollAnswered,
    SendRequested,
    Started,
    TimerFired,
)
from holdfast.core.inbox import Consumer, Inbox
from holdfast.core.policy import Policy
from holdfast.core.recent import Recent
from holdfast.core.weixin_account import Weixin

ACTIVE, BACKOFF = session.Phase.ACTIVE, session.Phase.BACKOFF


def generous(policy: Policy) -> Policy:
    return replace(policy, delivery=replace(policy.delivery, budget=2))


def use_forgotten(
    _before: Weixin, _fact: Fact, after: Weixin, told: list[Command]
) -> Turn:
    gone = [c.handle for c in told if isinstance(c, Forget)]
    return after, [
        replace(c, context=gone[0]) if gone and isinstance(c, Send) else c for c in told
    ]


def forget_the_forgotten(
    _before: Weixin, fact: Fact, after: Weixin, told: list[Command]
) -> Turn:
    if isinstance(fact.event, Started):
        after = replace(after, outbox=replace(after.outbox, forgotten=Recent()))
    return after, told


def stay_idle(_before: Weixin, _fact: Fact, after: Weixin, told: list[Command]) -> Turn:
    if any(isinstance(c, Poll) for c in told):
        after = replace(after, connection=replace(after.connection, dialed_ms=0))
    return after, dropped(told, Poll)


def stay_fatal(
    _before: Weixin, _fact: Fact, after: Weixin, told: list[Command]
) -> Turn:
    link = after.connection
    if link.phase is not connection.Phase.FATAL:
        return after, told
    after = replace(after, connection=replace(link, due_ms=0))
    return after, dropped(told, SetTimer, connection.RETRY)


def never_probe(step: Step) -> Step:
    def broken(state: Weixin, fact: Fact, policy: Policy) -> Turn:
        event = fact.event
        due = TimerFired(session.RETRY, state.session.due_ms)
        if event != due or state.session.phase is not BACKOFF:
            return step(state, fact, policy)
        due_ms = fact.at_ms + 1
        later = replace(state, session=replace(state.session, due_ms=due_ms))
        return later, [SetTimer(session.RETRY, due_ms)]

    return broken


def ask_the_session(step: Step) -> Step:
    def broken(state: Weixin, fact: Fact, policy: Policy) -> Turn:
        good = state.session.phase is ACTIVE
        if good or not isinstance(fact.event, SendRequested):
            return step(state, fact, policy)
        after, told = step(replace(state, stopping=True), fact, policy)
        return replace(after, stopping=False), told

    return broken


def believe_old_answers(step: Step) -> Step:
    def broken(state: Weixin, fact: Fact, policy: Policy) -> Turn:
        if isinstance(fact.event, PollAnswered):
            event = replace(fact.event, epoch=state.connection.epoch)
            fact = replace(fact, event=event)
        return step(state, fact, policy)

    return broken


def offer_copies(
    _before: Weixin, fact: Fact, after: Weixin, told: list[Command]
) -> Turn:
    known = isinstance(fact.event, MessageReceived)
    known = known and not any(isinstance(c, Offer) for c in told)
    return after, [*told, Offer(fact.seq)] if known else told


def done_for_ever(
    _before: Weixin, fact: Fact, after: Weixin, told: list[Command]
) -> Turn:
    if isinstance(fact.event, MessageDone):
        box = Inbox(after.inbox.seen, {"agent": Consumer(10**6)})
        after = replace(after, inbox=box)
    return after, told


def sent_again(state: Weixin, credential: str = "login-a") -> list[Command]:
    sending = state.outbox.sending
    if sending is None:
        return []
    place = sending.delivery, sending.part, sending.peer
    return [Send(*place, "body", "id", credential, sending.context, 1)]


def deaf_to_success(
    before: Weixin, _fact: Fact, after: Weixin, told: list[Command]
) -> Turn:
    accepted = [c for c in told if isinstance(c, Report) and c.state == "accepted"]
    return (before, [*accepted, *sent_again(before)]) if accepted else (after, told)


def raising(_before: Weixin, fact: Fact, after: Weixin, told: list[Command]) -> Turn:
    if isinstance(fact.event, PollAnswered) and fact.event.errcode:
        raise KeyError(fact.event.errcode)
    return after, told
