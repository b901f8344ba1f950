"""What the end of a long poll does to a Weixin account."""

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import session
from holdfast.core.events import Fact, PollAnswered, PollFailed
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import (
    Turn,
    Weixin,
    complain,
    move_connection,
    move_session,
    poll,
    refuse_login,
)
from holdfast.core.weixin_rules import Verdict, cause_code, read_poll, words


def poll_ended(
    state: Weixin,
    event: PollAnswered | PollFailed,
    fact: Fact,
    policy: Policy,
) -> Turn:
    """Take the end of the poll under way; that of an older epoch changes nothing."""
    if not transport.current(state.connection, event.epoch):
        return state, []
    if isinstance(event, PollAnswered) and (event.cursor or event.hint_ms):
        state = _adopt(state, event, policy)
    verdict = read_poll(event)
    if verdict is Verdict.ALIVE:
        return _poll_again(state, event, fact, policy)
    said = words(event)
    state = complain(state, fact, "poll", cause_code(event), said)
    cause = transport.Cause(fact.at_ms, cause_code(event), said)
    match verdict:
        case Verdict.REVOKED:
            state, opened = move_connection(
                state, transport.Trigger.OPEN, cause, policy
            )
            link = replace(state.connection, dialed_ms=0)
            state, moved = refuse_login(
                replace(state, connection=link), said, fact, policy
            )
            return state, opened + moved
        case Verdict.STRANGER:
            return _met_stranger(state, cause, policy)
        case _:
            link = replace(state.connection, strangers=0)
            state = replace(state, connection=link)
            return move_connection(state, transport.Trigger.LOSE, cause, policy)


def _adopt(state: Weixin, event: PollAnswered, policy: Policy) -> Weixin:
    """Take over the cursor (its messages were recorded before) and a clamped hint."""
    low, high = policy.poll.hold_ms_min, policy.poll.hold_ms_max
    hint_ms = event.hint_ms
    hold_ms = state.hold_ms if hint_ms is None else max(low, min(hint_ms, high))
    return replace(state, cursor=event.cursor or state.cursor, hold_ms=hold_ms)


def _poll_again(
    state: Weixin,
    event: PollAnswered | PollFailed,
    fact: Fact,
    policy: Policy,
) -> Turn:
    """Count the answer as a heartbeat and poll on, never faster than a person types."""
    state, won = move_session(state, session.Trigger.SUCCEED, fact, policy)
    dialed_ms = state.connection.dialed_ms
    confirm, cause = transport.Trigger.CONFIRM, transport.Cause(fact.at_ms)
    state, _ = move_connection(state, confirm, cause, policy)
    soonest_ms = dialed_ms + policy.poll.interval_ms_min
    empty = isinstance(event, PollAnswered) and not event.messages
    if empty and fact.at_ms < soonest_ms:
        link, waiting = transport.wait(state.connection, soonest_ms)
        return replace(state, connection=link), won + waiting
    link = replace(state.connection, dialed_ms=0)
    state, polled = poll(replace(state, connection=link), fact.at_ms, policy)
    return state, won + polled


def _met_stranger(state: Weixin, cause: transport.Cause, policy: Policy) -> Turn:
    """Redial a few times; then the address is wrong, and a human must look at it."""
    strangers = state.connection.strangers + 1
    link = replace(state.connection, strangers=strangers)
    state = replace(state, connection=link)
    wrong = strangers >= policy.connection.strangers_before_fatal
    trigger = transport.Trigger.FAIL if wrong else transport.Trigger.LOSE
    return move_connection(state, trigger, cause, policy)
