"""What the end of a long poll does to a Weixin account."""

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import session
from holdfast.core.commands import Command
from holdfast.core.events import Fact, PollAnswered, PollFailed
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import (
    Turn,
    Weixin,
    complain,
    move_connection,
    move_session,
    poll_command,
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
    verdict = read_poll(event)
    if verdict is Verdict.ALIVE and isinstance(event, PollAnswered):
        return _poll_again(state, event, fact, policy)
    if isinstance(event, PollAnswered):
        cursor, hold_ms = _adopted(state, event, policy)
        state = replace(state, cursor=cursor, hold_ms=hold_ms)
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


def _adopted(state: Weixin, event: PollAnswered, policy: Policy) -> tuple[str, int]:
    """Return the cursor (its messages were recorded before) and the clamped hint."""
    hold_ms = state.hold_ms
    if event.hint_ms is not None:
        longest_ms = min(event.hint_ms, policy.poll.hold_ms_max)
        hold_ms = max(policy.poll.hold_ms_min, longest_ms)
    return event.cursor or state.cursor, hold_ms


def _poll_again(state: Weixin, event: PollAnswered, fact: Fact, policy: Policy) -> Turn:
    """Count the answer as a heartbeat and poll on, never faster than a person types.

    Most facts of most journals end here, so all is changed in one go.
    """
    commands: list[Command] = []
    if session.doubted(state.session):
        state, commands = move_session(state, session.Trigger.SUCCEED, fact, policy)
    cursor, hold_ms = _adopted(state, event, policy)
    link, at_ms = state.connection, fact.at_ms
    soonest_ms = link.dialed_ms + policy.poll.interval_ms_min
    if state.stopping:
        link = replace(transport.confirm(link, at_ms), dialed_ms=0)
    elif at_ms < soonest_ms and not event.messages:
        link = transport.confirm(link, at_ms)
        link, waiting = transport.wait(link, soonest_ms)
        commands = commands + waiting
    else:
        link, dialed = transport.beat(link, at_ms, policy.connection)
        commands = commands + dialed
    state = replace(state, connection=link, cursor=cursor, hold_ms=hold_ms)
    if link.dialed_ms:
        commands.append(poll_command(state, policy))
    return state, commands


def _met_stranger(state: Weixin, cause: transport.Cause, policy: Policy) -> Turn:
    """Redial a few times; then the address is wrong, and a human must look at it."""
    strangers = state.connection.strangers + 1
    link = replace(state.connection, strangers=strangers)
    state = replace(state, connection=link)
    wrong = strangers >= policy.connection.strangers_before_fatal
    trigger = transport.Trigger.FAIL if wrong else transport.Trigger.LOSE
    return move_connection(state, trigger, cause, policy)
