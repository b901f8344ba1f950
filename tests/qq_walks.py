"""Walks of a QQ account: as in `walks`, facts of any type with any contents."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from walks import STRIDES_MS, WORDS, Dice

from holdfast.core import connection, pacing, qq, qq_account, qq_socket, session
from holdfast.core import events as ev
from holdfast.core import qq_events as evq
from holdfast.core.commands import Command
from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    GatewayPolicy,
    InboxPolicy,
    Policy,
    PushPolicy,
    ReplyPolicy,
    SessionPolicy,
)
from holdfast.core.qq_account import Qq, Stage
from holdfast.core.qq_codes import CLOSES, FAULTS, Fault

# Small limits, so that a walk of 200 steps runs into each of them.
TIGHT = Policy(
    session=SessionPolicy(probes_before_login=2),
    connection=ConnectionPolicy(dials_before_escalation=3, epoch_max=7),
    delivery=DeliveryPolicy(
        gap_ms_min=250,
        gap_ms_base=0,
        gap_ms_per_part=0,
        throttles_max=2,
        unknown_tries_max=2,
        key_ms=100_000,
        forgotten_ms=1_000_000,
        forgotten_max=4,
        peers_max=3,
        outbox_parts_max=4,
    ),
    inbox=InboxPolicy(seen_ms=100_000, seen_max=6),
    gateway=GatewayPolicy(
        dials_before_address=2,
        identify_burst=2,
        identify_gap_ms=20_000,
        early_dispatches_max=3,
    ),
    replies=ReplyPolicy(c2c_max=2, group_max=3),
    pushes=PushPolicy(c2c_per_day=3, group_per_day=2, dm_per_day=1),
)

PEERS = ("c2c:alice", "c2c:bob", "group:g", "guild:c", "dm:d", "nonsense")
STATUSES = (*(200,) * 9, 201, 202, 204, 301, 400, 400, 400, 401, 404, 429, 500, 504, -1)
FAULTY = tuple(
    next(code for code, known in FAULTS.items() if known is fault) for fault in Fault
)
CODES = (*(None, 0) * 6, *FAULTY, 40054005, 100001, 100016, 10004, 99999, -1, 2**63)
CLOSE_CODES = (None, None, *CLOSES, 4006, 4007, 4900, 4902, 4999, 3000, 0, -1, 2**63)
KINDS = ("timeout", "connect", "dns", "tls", "reset", "protocol", "handshake", "?")
ENDS = ("closed", "eof", "reset", "protocol", "too_large", "stalled", "dropped", "?")
URLS = (*("wss://one", "wss://two") * 3, "", "https://page", "\x00")
SEQS = (None, 0, -1, 1, 2**63)
NAMES = ("C2C_MSG_RECEIVE", "GROUP_ADD_ROBOT", "C2C_MSG_REJECT", "FRIEND_DEL", "", "?")
TIMERS = (
    session.RETRY,
    connection.RETRY,
    pacing.NEXT,
    qq_account.RENEW,
    qq_socket.DEADLINE,
    qq_socket.BEAT,
    qq_socket.ACK,
    qq_socket.PING,
    "nobody.knows",
)


def due_ms(state: Qq, name: str) -> int:
    """Return when a timer is due by the state, 0 when it is not set."""
    socket = state.socket
    return {
        session.RETRY: state.session.due_ms,
        connection.RETRY: state.connection.due_ms,
        pacing.NEXT: state.outbox.due_ms,
        qq_account.RENEW: state.token.due_ms,
        qq_socket.DEADLINE: socket.deadline_ms,
        qq_socket.BEAT: socket.beat_ms,
        qq_socket.ACK: socket.ack_ms,
        qq_socket.PING: socket.ping_ms,
    }.get(name, 0)


def _timer(dice: Dice, state: Qq, at_ms: int) -> ev.Event:
    set_now = [name for name in TIMERS if due_ms(state, name)]
    name = dice.of((*set_now, *set_now, dice.of(TIMERS)))
    right_ms = due_ms(state, name)
    return ev.TimerFired(name, dice.of((right_ms, right_ms, right_ms, 0, at_ms, -5)))


def _epoch(dice: Dice, state: Qq) -> int:
    epoch = state.connection.epoch
    return dice.of((*(epoch,) * 9, epoch - 1, epoch + 1, 0, -1, 2**63))


def _s(dice: Dice, state: Qq) -> int | None:
    seq = state.resumption.seq
    ahead = (seq + 1, seq + 1, seq + 1, seq + 2, seq + 3, seq + 9, seq, seq - 1)
    return dice.of((*ahead, dice.of(SEQS)))


def _credential(dice: Dice, state: Qq) -> str:
    return dice.of((*(state.session.credential,) * 6, "login-0", ""))


def _place(dice: Dice, state: Qq) -> tuple[int, int]:
    """Return the part under way, mostly."""
    sending = state.outbox.sending
    if sending is not None and dice.below(6):
        return sending.delivery, sending.part
    return dice.below(50), dice.below(3)


def _started(dice: Dice, _state: Qq, _at_ms: int) -> ev.Event:
    return ev.Started(1 + dice.below(5))


def _loaded(dice: Dice, _state: Qq, _at_ms: int) -> ev.Event:
    login = dice.of((*("login-1",) * 9, "login-2", ""))
    return ev.CredentialsLoaded(login, dice.of((*("app-1",) * 9, "app-2", "")))


def _token(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    good = dice.below(3) > 0
    return evq.TokenAnswered(
        _credential(dice, state),
        status=200 if good else dice.of(STATUSES),
        code=None if good else dice.of(CODES),
        message=dice.of(WORDS),
        token=dice.handle("token", 4),
        expires_in=dice.of(("7200", "7200", "60", "0", "", "-1", "NaN", "9" * 99)),
    )


def _token_failed(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    return evq.TokenFailed(_credential(dice, state), dice.of(KINDS), dice.of(WORDS))


def _gateway(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    good = dice.below(3) > 0
    return evq.GatewayAnswered(
        _epoch(dice, state),
        status=200 if good else dice.of(STATUSES),
        code=None if good else dice.of(CODES),
        err_code=None if good else dice.of(CODES),
        url=dice.of(URLS),
        remaining=dice.of((None, 1000, 1000, 1, 0, -1, 2**63)),
        reset_after_ms=dice.of((None, 14_400_000, 30_000, 0, -1, 2**63)),
        max_concurrency=dice.of((None, 1, 1, 0, -1, 2**63)),
    )


def _message(dice: Dice, state: Qq, at_ms: int) -> ev.Event:
    return ev.MessageReceived(
        dice.of(PEERS),
        dice.handle("body"),
        origin=dice.of((1, 1, 1, 1, 2, 0)),
        context=dice.handle("reply", 6),
        sent_ms=dice.of((0, at_ms, at_ms - 60_000, 2**63, -1)),
        by_id=dice.handle("id", 9),
        by_index=dice.handle("index", 2),
        epoch=_epoch(dice, state),
        s=_s(dice, state) or 0,
    )


def _dispatch(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    epoch, s = _epoch(dice, state), _s(dice, state)
    peer, context = dice.of((*PEERS, "")), dice.handle("event", 4)
    return evq.DispatchReceived(epoch, s, dice.of(NAMES), "body", peer, context)


def _send(dice: Dice, _state: Qq, _at_ms: int) -> ev.Event:
    parts = tuple(ev.PartRequest(f"body-{n}") for n in range(dice.below(4)))
    reply_to = dice.of(("", "", dice.handle("reply", 6)))
    return ev.SendRequested(dice.of(PEERS), parts, dice.handle("key"), reply_to)


def _send_answered(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    number, part = _place(dice, state)
    return ev.SendAnswered(
        number,
        part,
        status=dice.of(STATUSES),
        errmsg=dice.of(WORDS),
        malformed=dice.of(("", "", "", "not JSON")),
        message_id=dice.of(("", "OUT-1", "OUT-1")),
        code=dice.of(CODES),
        err_code=dice.of(CODES),
    )


def _send_failed(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    number, part = _place(dice, state)
    return ev.SendFailed(number, part, dice.of(KINDS), bool(dice.below(2)))


def _closed(dice: Dice, state: Qq, _at_ms: int) -> ev.Event:
    epoch = _epoch(dice, state)
    return evq.SocketClosed(epoch, dice.of(ENDS), dice.of(CLOSE_CODES), dice.of(WORDS))


class Draw(Protocol):
    """How a type of fact is drawn from dice, the state and the time."""

    def __call__(self, dice: Dice, state: Qq, at_ms: int, /) -> ev.Event: ...


INTERVALS_MS = (41_250, 30_000, None, 0, -1, 1, 10**9, 2**63)
DRAWS: Mapping[type, Draw] = {
    ev.Started: _started,
    ev.StopRequested: lambda *_: ev.StopRequested("SIGTERM"),
    ev.RetryRequested: lambda *_: ev.RetryRequested(),
    ev.TimerFired: _timer,
    ev.CredentialsLoaded: _loaded,
    ev.CredentialsMissing: lambda *_: ev.CredentialsMissing("no such file"),
    ev.MessageReceived: _message,
    ev.MessageDone: lambda dice, *_: ev.MessageDone(
        dice.of(("agent", "archive")), dice.below(99), dice.below(99) - 5
    ),
    ev.SendRequested: _send,
    ev.SendAnswered: _send_answered,
    ev.SendFailed: _send_failed,
    evq.TokenAnswered: _token,
    evq.TokenFailed: _token_failed,
    evq.GatewayAnswered: _gateway,
    evq.GatewayFailed: lambda d, s, _: evq.GatewayFailed(_epoch(d, s), d.of(KINDS)),
    evq.SocketOpened: lambda d, s, _: evq.SocketOpened(_epoch(d, s)),
    evq.DialFailed: lambda d, s, _: evq.DialFailed(_epoch(d, s), d.of(KINDS)),
    evq.HelloReceived: lambda d, s, _: evq.HelloReceived(
        _epoch(d, s), d.of(INTERVALS_MS)
    ),
    evq.ReadyReceived: lambda d, s, _: evq.ReadyReceived(
        _epoch(d, s), d.of((1, 1, 1, *SEQS)), d.handle("session")
    ),
    evq.ResumedReceived: lambda d, s, _: evq.ResumedReceived(_epoch(d, s), _s(d, s)),
    evq.DispatchReceived: _dispatch,
    evq.HeartbeatAcked: lambda d, s, _: evq.HeartbeatAcked(_epoch(d, s)),
    evq.HeartbeatAsked: lambda d, s, _: evq.HeartbeatAsked(_epoch(d, s)),
    evq.PongReceived: lambda d, s, _: evq.PongReceived(_epoch(d, s)),
    evq.ReconnectAsked: lambda d, s, _: evq.ReconnectAsked(_epoch(d, s)),
    evq.SessionInvalidated: lambda d, s, _: evq.SessionInvalidated(
        _epoch(d, s), d.of((True, False, None))
    ),
    evq.FrameUnread: lambda d, s, _: evq.FrameUnread(_epoch(d, s), 99, "?"),
    evq.SocketClosed: _closed,
    # Of another platform: must change nothing, whatever it says.
    ev.PollAnswered: lambda d, s, _: ev.PollAnswered(_epoch(d, s), errcode=-14),
    ev.NotifyFailed: lambda *_: ev.NotifyFailed("start", "timeout"),
}
TYPES = tuple(DRAWS)
# What comes next, mostly; without it a walk would rarely get anywhere.
NEXT: Mapping[Stage, tuple[type, ...]] = {
    Stage.NONE: (ev.TimerFired, ev.CredentialsLoaded),
    Stage.TOKEN: (evq.TokenAnswered,),
    Stage.ADDRESS: (evq.GatewayAnswered,),
    Stage.DIALING: (evq.SocketOpened,),
    Stage.OPEN: (evq.HelloReceived,),
    Stage.IDENTIFYING: (evq.ReadyReceived,),
    Stage.RESUMING: (evq.ResumedReceived, ev.MessageReceived),
    Stage.READY: (evq.HeartbeatAcked, ev.MessageReceived, ev.TimerFired),
}
TALK = (ev.SendRequested, ev.SendAnswered, ev.SendAnswered)


def wild_fact(number: int, seq: int, at_ms: int, state: Qq) -> ev.Fact:
    """Return a fact of any type, at the given time or somewhat later."""
    dice = Dice(number)
    expected = NEXT[state.socket.stage]
    kind = dice.of((*TYPES, *TALK * 4, *expected * (36 // len(expected))))
    later_ms = at_ms + dice.of((*STRIDES_MS[:5] * 3, *STRIDES_MS))
    return ev.Fact(seq, later_ms, DRAWS[kind](dice, state, later_ms))


Step = tuple[Qq, ev.Fact, Qq, Sequence[Command]]


def wild_walk(numbers: Sequence[int], policy: Policy) -> Iterator[Step]:
    """Fold wild facts, beginning with a new account."""
    state, at_ms = Qq(), 1
    for seq, number in enumerate(numbers, 1):
        fact = wild_fact(number, seq, at_ms, state)
        before, at_ms = state, fact.at_ms
        state, commands = qq.step(before, fact, policy)
        yield before, fact, state, commands
