"""QQ: one bot login and shard, composed of the four machines and what a socket needs.

`step` is total and pure: it never raises for what a peer does. What an answer or a
close means is read in `qq_rules`; `qq_dial` and `qq_socket` turn the verdicts into
moves of the machines, and their moves become commands.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import events as ev
from holdfast.core import pacing, qq_events, qq_socket, release, session
from holdfast.core.account import (
    complain,
    delivery_due,
    finish,
    move_connection,
    receive,
)
from holdfast.core.commands import ClearTimer, Command
from holdfast.core.contexts import drop_contexts
from holdfast.core.policy import ConnectionPolicy, DeliveryPolicy, Policy
from holdfast.core.qq_account import (
    READY,
    RENEW,
    Gateway,
    Qq,
    Socket,
    Token,
    Turn,
    scene,
)
from holdfast.core.qq_dial import (
    dial,
    dial_failed,
    gateway_answered,
    gateway_failed,
    token_answered,
    token_failed,
)
from holdfast.core.qq_ending import closed
from holdfast.core.qq_rules import INVITING, Parting, known_by
from holdfast.core.qq_sends import pumped, send_ended, send_requested
from holdfast.core.qq_seq import Resumption, asked_for
from holdfast.core.qq_session import move_session
from holdfast.core.qq_token import drop_token, fetch_token, want_token

PLATFORM = "qq"
# Five sends a second are allowed to a bot that nobody has verified (12); sockets are
# redialled within a minute.
POLICY = Policy(
    connection=ConnectionPolicy(backoff_ms_max=60_000),
    delivery=DeliveryPolicy(gap_ms_min=250, gap_ms_base=0, gap_ms_per_part=0),
)

Move = session.Trigger


def step(state: Qq, fact: ev.Fact, policy: Policy) -> Turn:
    """Fold one fact: return the next state, and the commands in order of execution."""
    event = fact.event
    return _ON[type(event)](state, event, fact, policy)


def _started(state: Qq, event: ev.Started, fact: ev.Fact, policy: Policy) -> Turn:
    """Take over: sockets and tokens went with the last process, sessions did not."""
    outbox, lost = release.restart(state.outbox, scene(state, fact, policy))
    kept = state.resumption
    if kept.asked != asked_for(policy.gateway):
        kept = Resumption()
    was_ready = state.socket.stage is READY
    state = replace(
        state,
        seed=event.seed,
        stopping=False,
        outbox=outbox,
        token=Token(),
        socket=Socket(),
        resumption=kept,
        denials=0,
        lost_ms=fact.at_ms if was_ready else state.lost_ms,
    )
    start, cause = transport.Trigger.START, transport.Cause(fact.at_ms)
    state, dropped = move_connection(state, start, cause, policy)
    state, reload = move_session(state, Move.START, fact, policy)
    return state, lost + dropped + reload


def _stop_requested(
    state: Qq, _event: ev.StopRequested, _fact: ev.Fact, _policy: Policy
) -> Turn:
    """Begin nothing new, and leave the socket; the session may be resumed later."""
    return qq_socket.part(replace(state, stopping=True), Parting.LEFT)


def _timer_fired(
    state: Qq, event: ev.TimerFired, fact: ev.Fact, policy: Policy
) -> Turn:
    """Wake what waits for this timer; a replaced timer's due time differs."""
    known = _TIMERS.get(event.name)
    if known is None or not event.due_ms or event.due_ms != known[0](state):
        return state, []
    return known[1](state, fact, policy)


def _session_due(state: Qq, fact: ev.Fact, policy: Policy) -> Turn:
    """Try the login, or look for one where there was none."""
    trigger = Move.RELOAD if state.session.missing else Move.DUE
    state, moved = move_session(state, trigger, fact, policy)
    state, dialled = dial(state, fact, policy)
    return state, moved + dialled


def _connection_due(state: Qq, fact: ev.Fact, policy: Policy) -> Turn:
    state = replace(state, connection=replace(state.connection, due_ms=0))
    commands: list[Command] = []
    if state.connection.phase is transport.Phase.FATAL:
        retry, cause = transport.Trigger.RETRY, transport.Cause(fact.at_ms)
        state, commands = move_connection(state, retry, cause, policy)
    state, dialled = dial(state, fact, policy)
    return state, commands + dialled


def _delivery_due(state: Qq, fact: ev.Fact, policy: Policy) -> Turn:
    state, sent = delivery_due(state, scene(state, fact, policy))
    state, asked = want_token(state, fact, policy)
    return state, sent + asked


def _token_due(state: Qq, _fact: ev.Fact, policy: Policy) -> Turn:
    state = replace(state, token=replace(state.token, due_ms=0))
    return fetch_token(state, policy)


def _retry_requested(
    state: Qq, _event: ev.RetryRequested, fact: ev.Fact, policy: Policy
) -> Turn:
    """Do now what a timer would have done later; a quota is never overspent for it."""
    outbox, commands = release.release_all(state.outbox)
    state = replace(state, outbox=outbox)
    if state.session.due_ms:
        state, moved = _session_due(state, fact, policy)
        commands = [*commands, ClearTimer(session.RETRY), *moved]
    if state.connection.due_ms:
        state, dialled = _connection_due(state, fact, policy)
        commands = [*commands, ClearTimer(transport.RETRY), *dialled]
    state, sent = pumped(state, fact, policy)
    return state, commands + sent


def _credentials_loaded(
    state: Qq, event: ev.CredentialsLoaded, fact: ev.Fact, policy: Policy
) -> Turn:
    """Use the login that was read; of another one, nothing is kept but the session."""
    if not event.credential:
        return move_session(state, Move.MISS, fact, policy, "the login is empty")
    if event.credential == state.session.credential:
        state, moved = move_session(state, Move.LOAD, fact, policy)
        state, dialled = dial(state, fact, policy)
        return state, moved + dialled
    state, commands = _switch_app(state, event.account_id, fact, policy)
    state, dropped = drop_token(state)
    login = replace(state.session, credential=event.credential)
    state, left = qq_socket.part(replace(state, session=login), Parting.LEFT)
    state, moved = move_session(state, Move.LOGIN, fact, policy)
    retried: list[Command] = []
    if state.connection.phase is transport.Phase.FATAL:
        state, again = _connection_due(state, fact, policy)
        retried = [ClearTimer(transport.RETRY), *again]
    state, dialled = dial(state, fact, policy)
    state, asked = want_token(state, fact, policy)
    return state, [*commands, *dropped, *left, *moved, *retried, *dialled, *asked]


def _switch_app(state: Qq, app_id: str, fact: ev.Fact, policy: Policy) -> Turn:
    """Drop what belongs to another app: session, contexts, counts."""
    known = state.account_id
    state = replace(state, account_id=app_id or known, denials=0)
    if not app_id or not known or app_id == known:
        return state, []
    outbox, commands = drop_contexts(state.outbox, scene(state, fact, policy))
    state = replace(state, outbox=outbox, resumption=Resumption(), gateway=Gateway())
    return state, commands


def _credentials_missing(
    state: Qq, event: ev.CredentialsMissing, fact: ev.Fact, policy: Policy
) -> Turn:
    state = complain(state, fact, "credentials", "missing", event.reason)
    return move_session(state, Move.MISS, fact, policy, event.reason)


def _message_received(
    state: Qq, event: ev.MessageReceived, fact: ev.Fact, policy: Policy
) -> Turn:
    """Offer a message once; whatever socket brought it, it is here now."""
    state = qq_socket.noted(state, event.epoch, event.s or None, policy)
    now = scene(state, fact, policy)
    state, commands = receive(state, event, fact.seq, known_by(event), now)
    state, asked = want_token(state, fact, policy)
    return state, commands + asked


def _dispatch_received(
    state: Qq, event: qq_events.DispatchReceived, fact: ev.Fact, policy: Policy
) -> Turn:
    """Note an event; one that may be answered sets free what waited for its peer."""
    state = qq_socket.noted(state, event.epoch, event.s, policy)
    if event.name not in INVITING or not event.context or not event.peer:
        return state, []
    now = scene(state, fact, policy)
    outbox, told = release.invite(state.outbox, event.peer, event.context, now)
    state, sent = pumped(replace(state, outbox=outbox), fact, policy)
    return state, told + sent


def _message_done(
    state: Qq, event: ev.MessageDone, fact: ev.Fact, _policy: Policy
) -> Turn:
    return finish(state, event, fact.seq), []


def _beside(state: Qq, _event: ev.Event, _fact: ev.Fact, _policy: Policy) -> Turn:
    """Change nothing: it is on record, and no rule rests on it."""
    return state, []


Due = Callable[[Qq, ev.Fact, Policy], Turn]

# {timer: (when it is due, what then)}
_TIMERS: Mapping[str, tuple[Callable[[Qq], int], Due]] = {
    session.RETRY: (lambda state: state.session.due_ms, _session_due),
    transport.RETRY: (lambda state: state.connection.due_ms, _connection_due),
    pacing.NEXT: (lambda state: state.outbox.due_ms, _delivery_due),
    RENEW: (lambda state: state.token.due_ms, _token_due),
    qq_socket.DEADLINE: (lambda state: state.socket.deadline_ms, qq_socket.late),
    qq_socket.BEAT: (lambda state: state.socket.beat_ms, qq_socket.beat_due),
    qq_socket.ACK: (lambda state: state.socket.ack_ms, qq_socket.silent),
    qq_socket.PING: (lambda state: state.socket.ping_ms, qq_socket.ping_due),
}

_ON: Mapping[type, Callable[[Qq, Any, ev.Fact, Policy], Turn]] = {
    **dict.fromkeys(get_args(ev.Event), _beside),
    ev.Started: _started,
    ev.StopRequested: _stop_requested,
    ev.TimerFired: _timer_fired,
    ev.RetryRequested: _retry_requested,
    ev.CredentialsLoaded: _credentials_loaded,
    ev.CredentialsMissing: _credentials_missing,
    ev.MessageReceived: _message_received,
    ev.MessageDone: _message_done,
    ev.SendRequested: send_requested,
    ev.SendAnswered: send_ended,
    ev.SendFailed: send_ended,
    qq_events.TokenAnswered: token_answered,
    qq_events.TokenFailed: token_failed,
    qq_events.GatewayAnswered: gateway_answered,
    qq_events.GatewayFailed: gateway_failed,
    qq_events.DialFailed: dial_failed,
    qq_events.SocketOpened: qq_socket.opened,
    qq_events.HelloReceived: qq_socket.greeted,
    qq_events.ReadyReceived: qq_socket.ready,
    qq_events.ResumedReceived: qq_socket.resumed,
    qq_events.DispatchReceived: _dispatch_received,
    qq_events.HeartbeatAcked: qq_socket.acked,
    qq_events.HeartbeatAsked: qq_socket.asked_to_beat,
    qq_events.PongReceived: qq_socket.ponged,
    qq_events.ReconnectAsked: qq_socket.renewed,
    qq_events.SessionInvalidated: qq_socket.invalidated,
    qq_events.SocketClosed: closed,
}
