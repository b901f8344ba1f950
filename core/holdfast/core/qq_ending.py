"""How a socket's end is judged, once, and how the account goes on from there.

What was known before the end (an op 7 or 9, silence) and the peer's close are one
story, so nothing is decided before the socket is gone; then the next may be dialled.
"""

from msgspec.structs import replace

from holdfast.core.account import complain, move_connection
from holdfast.core.commands import Command
from holdfast.core.connection import Cause, Trigger
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import READY, Qq, Socket, Stage, Turn, current, fail, lose
from holdfast.core.qq_codes import Fate
from holdfast.core.qq_dial import denied, dial, doubted
from holdfast.core.qq_events import SocketClosed
from holdfast.core.qq_rules import End, Parting, advised, close_words, read_end
from holdfast.core.qq_seq import Resumption
from holdfast.core.qq_session import drop_session, refuse_session
from holdfast.core.qq_socket import timerless
from holdfast.core.qq_token import drop_token, want_token


def closed(state: Qq, event: SocketClosed, fact: Fact, policy: Policy) -> Turn:
    """Judge why the socket ended, and go on from there."""
    if not current(state, event.epoch):
        return state, []
    socket, at_ms = state.socket, fact.at_ms
    said = close_words(event, socket.parting)
    end = read_end(
        event,
        socket.parting,
        identifying=socket.stage is Stage.IDENTIFYING,
        last_code=state.last_code,
        policy=policy.gateway,
    )
    _, commands = timerless(socket)
    state = replace(
        state,
        socket=Socket(),
        last_code=event.code,
        lost_ms=at_ms if socket.stage is READY else state.lost_ms,
    )
    if socket.stage is not READY:
        state = replace(state, gateway=doubted(state.gateway, policy))
    if state.stopping or socket.parting is Parting.LEFT:
        # Nothing was lost: it begins again as it does in a new process.
        start = Cause(at_ms)
        state, begun = move_connection(state, Trigger.START, start, policy)
        state, dialled = dial(state, fact, policy)
        return state, commands + begun + dialled
    state = complain(state, fact, "socket", _code(event), said)
    if socket.stage is Stage.RESUMING and end.fate is Fate.KEPT:
        end = _unconfirmed(state, end, policy)
    cause = Cause(
        at_ms, _code(event), advised(event.code, said), end.planned, end.wait_ms
    )
    state, ended = _ended(state, end.fate, cause, fact, policy)
    state, dialled = dial(state, fact, policy)
    return state, commands + ended + dialled


def _code(event: SocketClosed) -> str:
    return event.kind if event.code is None else f"close_{event.code}"


def _unconfirmed(state: Qq, end: End, policy: Policy) -> End:
    """Say that a session which was not confirmed twice is gone (6)."""
    tired = state.resumption.unconfirmed >= policy.gateway.resumes_max
    return replace(end, fate=Fate.DROPPED) if tired else end


def _ended(state: Qq, fate: Fate, cause: Cause, fact: Fact, policy: Policy) -> Turn:
    if fate is Fate.FATAL:
        # None of these closes lets a session go on (6).
        return fail(replace(state, resumption=Resumption()), cause, policy)
    if fate is Fate.DENIED:
        return denied(state, cause, policy)
    commands: list[Command] = []
    state, lost = lose(state, cause, policy)
    if fate is Fate.DROPPED:
        state, commands = drop_session(state, cause.text, fact, policy)
    elif fate is Fate.REFUSED:
        # A dead token is refused like a session, without its own code (16).
        state, dropped = drop_token(state)
        state, refused = refuse_session(state, cause.text, fact, policy)
        state, asked = want_token(state, fact, policy)
        commands = dropped + refused + asked
    return state, lost + commands
