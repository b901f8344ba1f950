"""What the end of a long poll does to a Weixin account."""

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import session
from holdfast.core.account import complain, move_connection
from holdfast.core.commands import Command, Poll
from holdfast.core.events import Fact, PollAnswered, PollFailed
from holdfast.core.policy import Policy, PollPolicy
from holdfast.core.weixin_account import Turn, Weixin, move_session, refuse_login
from holdfast.core.weixin_rules import (
    Verdict,
    cause_code,
    read_failed_poll,
    read_poll,
    words,
)

# Looked up once: an attribute of an Enum costs more than the comparison (CPython 3.11).
ALIVE = Verdict.ALIVE


def poll_answered(
    state: Weixin, event: PollAnswered, fact: Fact, policy: Policy
) -> Turn:
    """Take the answer to the poll under way; one of an older epoch changes nothing.

    Most facts of most journals are answered polls, so a good answer is counted as a
    heartbeat, and the next poll begun, in one change of the state.
    """
    link = state.connection
    if event.epoch != link.epoch or not link.dialed_ms:
        return state, []
    verdict = read_poll(event)
    if verdict is not ALIVE:
        cursor, hold_ms = _adopted(state, event, policy)
        state = replace(state, cursor=cursor, hold_ms=hold_ms)
        return _poll_in_vain(state, verdict, event, fact, policy)
    commands: list[Command] = []
    if session.doubted(state.session):
        state, commands = move_session(state, session.Trigger.SUCCEED, fact, policy)
    cursor, hold_ms = state.cursor, state.hold_ms
    if event.cursor != cursor or event.hint_ms != hold_ms:
        cursor, hold_ms = _adopted(state, event, policy)
    at_ms, limits = fact.at_ms, policy.poll
    early = at_ms < link.dialed_ms + limits.interval_ms_min
    if early and event.messages:
        # Unless it moves the cursor, it brings nothing that was not here before.
        early = cursor == state.cursor
    if early or state.stopping:
        link, waiting = _wait_to_poll(state, at_ms, limits)
        commands += waiting
    else:
        link = transport.beat(link, at_ms, policy.connection)
        timeout_ms = (hold_ms or limits.hold_ms) + limits.grace_ms
        commands.append(Poll(link.epoch, state.session.credential, cursor, timeout_ms))
    return replace(state, connection=link, cursor=cursor, hold_ms=hold_ms), commands


def _wait_to_poll(
    state: Weixin, at_ms: int, limits: PollPolicy
) -> tuple[transport.Connection, list[Command]]:
    """Never poll faster than a person types, nor at all when we are stopping."""
    link = transport.confirm(state.connection, at_ms)
    if state.stopping:
        return replace(link, dialed_ms=0), []
    return transport.wait(link, link.dialed_ms + limits.interval_ms_min)


def poll_failed(state: Weixin, event: PollFailed, fact: Fact, policy: Policy) -> Turn:
    """Take the end of a poll without an answer, like `poll_answered`."""
    if not transport.current(state.connection, event.epoch):
        return state, []
    if event.kind == "timeout":
        # Perhaps a hint was too short; the next poll waits as long as polls do.
        state = replace(state, hold_ms=0)
    return _poll_in_vain(state, read_failed_poll(event), event, fact, policy)


def _adopted(state: Weixin, event: PollAnswered, policy: Policy) -> tuple[str, int]:
    """Return the cursor (its messages were recorded before) and the clamped hint."""
    hold_ms, hint_ms = state.hold_ms, event.hint_ms
    if hint_ms is not None and hint_ms != hold_ms:
        hold_ms = max(policy.poll.hold_ms_min, min(hint_ms, policy.poll.hold_ms_max))
    return event.cursor or state.cursor, hold_ms


def _poll_in_vain(
    state: Weixin,
    verdict: Verdict,
    event: PollAnswered | PollFailed,
    fact: Fact,
    policy: Policy,
) -> Turn:
    """Doubt the login, the address or the line, as the verdict says."""
    said = words(event)
    state = complain(state, fact, "poll", cause_code(event), said)
    cause = transport.Cause(fact.at_ms, cause_code(event), said)
    match verdict:
        case Verdict.REVOKED:
            opened = transport.Trigger.OPEN
            state, commands = move_connection(state, opened, cause, policy)
            link = replace(state.connection, dialed_ms=0)
            state = replace(state, connection=link)
            state, moved = refuse_login(state, said, fact, policy)
            return state, commands + moved
        case Verdict.STRANGER:
            return _met_stranger(state, cause, policy)
        case _:
            link = replace(state.connection, strangers=0)
            state = replace(state, connection=link)
            return move_connection(state, transport.Trigger.LOSE, cause, policy)


def _met_stranger(state: Weixin, cause: transport.Cause, policy: Policy) -> Turn:
    """Redial a few times; then the address is wrong, and a human must look at it."""
    strangers = state.connection.strangers + 1
    link = replace(state.connection, strangers=strangers)
    state = replace(state, connection=link)
    wrong = strangers >= policy.connection.strangers_before_fatal
    trigger = transport.Trigger.FAIL if wrong else transport.Trigger.LOSE
    return move_connection(state, trigger, cause, policy)
