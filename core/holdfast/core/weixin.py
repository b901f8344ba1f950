"""Weixin iLink: one bot login, composed of the four machines.

`step` is total and pure: it never raises for what a peer does. What an answer means is
read in `weixin_rules`; here the verdicts become moves of the machines in
`weixin_account`, and their moves become commands.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import events as ev
from holdfast.core import pacing, release, session
from holdfast.core.account import (
    complain,
    conclude,
    delivery_due,
    finish,
    move_connection,
    pump,
    receive,
    request,
)
from holdfast.core.commands import ClearTimer, Command, NotifyStop
from holdfast.core.contexts import drop_contexts
from holdfast.core.outbox import Scene
from holdfast.core.policy import ConnectionPolicy, Policy
from holdfast.core.weixin_account import (
    Turn,
    Weixin,
    move_session,
    poll,
    refuse_login,
    scene,
)
from holdfast.core.weixin_poll import poll_answered, poll_failed
from holdfast.core.weixin_rules import (
    Verdict,
    cause_code,
    from_the_bot,
    known_by,
    read_probe,
    read_send,
    refuses_login,
    words,
)

PLATFORM = "weixin"
# An unanswered long poll is cheap to repeat, so iLink is redialled within 30 s.
POLICY = Policy(connection=ConnectionPolicy(backoff_ms_max=30_000))

Active = session.Phase.ACTIVE
Move = session.Trigger


def step(state: Weixin, fact: ev.Fact, policy: Policy) -> Turn:
    """Fold one fact: return the next state, and the commands in order of execution."""
    event = fact.event
    return _ON[type(event)](state, event, fact, policy)


def _started(state: Weixin, event: ev.Started, fact: ev.Fact, policy: Policy) -> Turn:
    """Take over: whatever was under way in the last process is not under way now."""
    now = scene(state, fact, policy)
    outbox, lost = release.restart(state.outbox, now)
    state = replace(
        state, seed=event.seed, stopping=False, outbox=outbox, foreign_epoch=0
    )
    start, cause = transport.Trigger.START, transport.Cause(fact.at_ms)
    state, dropped = move_connection(state, start, cause, policy)
    state, reload = move_session(state, Move.START, fact, policy)
    state, sent = pump(state, scene(state, fact, policy))
    return state, lost + dropped + reload + sent


def _stop_requested(
    state: Weixin, _event: ev.StopRequested, _fact: ev.Fact, policy: Policy
) -> Turn:
    """Begin nothing new; say goodbye when the peer knows us."""
    known = state.session.phase is Active and not state.stopping
    goodbye = NotifyStop(state.session.credential, policy.poll.notify_timeout_ms)
    return replace(state, stopping=True), [goodbye] if known else []


def _timer_fired(
    state: Weixin, event: ev.TimerFired, fact: ev.Fact, policy: Policy
) -> Turn:
    """Wake the machine whose timer it is; a replaced timer's due time differs."""
    match event.name:
        case pacing.NEXT if event.due_ms == state.outbox.due_ms:
            return delivery_due(state, scene(state, fact, policy))
        case session.RETRY if event.due_ms == state.session.due_ms:
            return _session_due(state, fact, policy)
        case transport.RETRY if event.due_ms == state.connection.due_ms:
            return _connection_due(state, fact, policy)
        case _:
            return state, []


def _session_due(state: Weixin, fact: ev.Fact, policy: Policy) -> Turn:
    """Probe the login, or look for one where there was none."""
    trigger = Move.RELOAD if state.session.missing else Move.DUE
    return move_session(state, trigger, fact, policy)


def _connection_due(state: Weixin, fact: ev.Fact, policy: Policy) -> Turn:
    state = replace(state, connection=replace(state.connection, due_ms=0))
    retry, cause = transport.Trigger.RETRY, transport.Cause(fact.at_ms)
    commands: list[Command] = []
    if state.connection.phase is transport.Phase.FATAL:
        state, commands = move_connection(state, retry, cause, policy)
    state, polled = poll(state, fact.at_ms, policy)
    return state, commands + polled


def _retry_requested(
    state: Weixin, _event: ev.RetryRequested, fact: ev.Fact, policy: Policy
) -> Turn:
    """Do now what a timer would have done later."""
    commands: list[Command] = []
    if state.session.due_ms:
        state, moved = _session_due(state, fact, policy)
        commands += [ClearTimer(session.RETRY), *moved]
    if state.connection.due_ms:
        state, polled = _connection_due(state, fact, policy)
        commands += [ClearTimer(transport.RETRY), *polled]
    return state, commands


def _credentials_loaded(
    state: Weixin, event: ev.CredentialsLoaded, fact: ev.Fact, policy: Policy
) -> Turn:
    """Probe the login that was read; a poll under another login no longer counts."""
    if event.credential == state.session.credential:
        return move_session(state, Move.LOAD, fact, policy)
    now = scene(state, fact, policy)
    state, commands = _switch_account(state, event.account_id, now)
    state = replace(
        state,
        session=replace(state.session, credential=event.credential),
        connection=replace(state.connection, dialed_ms=0),
    )
    # The login is probed before anything is polled with it.
    state, probed = move_session(state, Move.LOGIN, fact, policy)
    if state.connection.phase is transport.Phase.FATAL:
        state, retried = _connection_due(state, fact, policy)
        commands += [ClearTimer(transport.RETRY), *retried]
    state, sent = pump(state, scene(state, fact, policy))
    return state, commands + probed + sent


def _switch_account(state: Weixin, account_id: str, now: Scene) -> Turn:
    """Drop cursor and context tokens with the bot id they belong to (S7, K1)."""
    known = state.account_id
    state = replace(state, account_id=account_id or known)
    if not account_id or not known or account_id == known:
        return state, []
    outbox, commands = drop_contexts(state.outbox, now)
    epoch = state.connection.epoch
    return replace(state, outbox=outbox, cursor="", foreign_epoch=epoch), commands


def _credentials_missing(
    state: Weixin, event: ev.CredentialsMissing, fact: ev.Fact, policy: Policy
) -> Turn:
    state = complain(state, fact, "credentials", "missing", event.reason)
    return move_session(state, Move.MISS, fact, policy, event.reason)


def _notify_answered(
    state: Weixin, event: ev.NotifyAnswered, fact: ev.Fact, policy: Policy
) -> Turn:
    if event.call != "start":
        return state, []
    opened, cause = transport.Trigger.OPEN, transport.Cause(fact.at_ms)
    verdict = read_probe(event)
    if verdict is not Verdict.LOST and not state.connection.dialed_ms:
        state, _ = move_connection(state, opened, cause, policy)
    return _probed(state, verdict, event, fact, policy)


def _notify_failed(
    state: Weixin, event: ev.NotifyFailed, fact: ev.Fact, policy: Policy
) -> Turn:
    if event.call != "start":
        return state, []
    return _probed(state, read_probe(event), event, fact, policy)


def _probed(
    state: Weixin,
    verdict: Verdict,
    event: ev.NotifyAnswered | ev.NotifyFailed,
    fact: ev.Fact,
    policy: Policy,
) -> Turn:
    """Tell the session what its probe met; an answer nobody waits for is history."""
    asked = event.credential in ("", state.session.credential)
    if state.session.phase is not session.Phase.RECOVERING or not asked:
        return state, []
    if verdict is Verdict.ALIVE:
        return move_session(state, Move.ACCEPT, fact, policy)
    said = words(event)
    state = complain(state, fact, "probe", cause_code(event), said)
    if verdict is Verdict.REVOKED:
        return refuse_login(state, said, fact, policy)
    silence = session.silence(state.session, policy.session)
    return move_session(state, silence, fact, policy, said)


def _message_received(
    state: Weixin, event: ev.MessageReceived, fact: ev.Fact, policy: Policy
) -> Turn:
    """Offer a message once; take its token also from a copy (S7)."""
    if from_the_bot(event):
        return state, []
    if event.epoch and event.epoch == state.foreign_epoch:
        event = replace(event, context="")
    now = scene(state, fact, policy)
    return receive(state, event, fact.seq, known_by(event), now)


def _message_done(
    state: Weixin, event: ev.MessageDone, fact: ev.Fact, _policy: Policy
) -> Turn:
    return finish(state, event, fact.seq), []


def _send_requested(
    state: Weixin, event: ev.SendRequested, fact: ev.Fact, policy: Policy
) -> Turn:
    return request(state, event, fact.seq, scene(state, fact, policy))


def _send_ended(
    state: Weixin,
    event: ev.SendAnswered | ev.SendFailed,
    fact: ev.Fact,
    policy: Policy,
) -> Turn:
    """Take what became of a part; the session learns of it only when it must."""
    sending = state.outbox.sending
    with_context = sending is not None and sending.context != ""
    blame = policy.delivery.refusal_blames_context
    outcome = read_send(event, with_context=with_context, blame_context=blame)
    before = state
    state, commands = conclude(state, event, outcome, scene(state, fact, policy))
    if not outcome.error or state is before:
        return state, commands
    state = complain(state, fact, "send", cause_code(event), outcome.error)
    fresh = state.session.phase is Active and not state.session.refusals
    if fresh and refuses_login(event, with_context=with_context):
        state, moved = move_session(state, Move.EXPIRE, fact, policy, outcome.error)
        commands += moved
    return state, commands


def _not_ours(state: Weixin, _event: ev.Event, _fact: ev.Fact, _policy: Policy) -> Turn:
    """Change nothing: another platform's facts mean nothing here."""
    return state, []


_ON: Mapping[type, Callable[[Weixin, Any, ev.Fact, Policy], Turn]] = {
    **dict.fromkeys(get_args(ev.Event), _not_ours),
    ev.Started: _started,
    ev.StopRequested: _stop_requested,
    ev.TimerFired: _timer_fired,
    ev.RetryRequested: _retry_requested,
    ev.CredentialsLoaded: _credentials_loaded,
    ev.CredentialsMissing: _credentials_missing,
    ev.NotifyAnswered: _notify_answered,
    ev.NotifyFailed: _notify_failed,
    ev.PollAnswered: poll_answered,
    ev.PollFailed: poll_failed,
    ev.MessageReceived: _message_received,
    ev.MessageDone: _message_done,
    ev.SendRequested: _send_requested,
    ev.SendAnswered: _send_ended,
    ev.SendFailed: _send_ended,
}
