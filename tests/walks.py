"""Walks: long rows of facts for an account, drawn from plain numbers.

A walk is a list of numbers, so that hypothesis can shrink it. `wild_fact` turns one
into a fact of any type with any contents, whether or not somebody asked for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from holdfast.core import connection, pacing, session, weixin
from holdfast.core import events as ev
from holdfast.core import qq_events as ev_qq
from holdfast.core.commands import (
    Command,
)
from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    InboxPolicy,
    Policy,
    SessionPolicy,
)
from holdfast.core.weixin_account import Weixin

T = TypeVar("T")

# Small limits, so that a walk of 200 steps runs into each of them.
TIGHT = Policy(
    session=SessionPolicy(probes_before_login=2, unanswered_probes_max=2),
    connection=ConnectionPolicy(
        dials_before_escalation=3, strangers_before_fatal=2, epoch_max=7
    ),
    delivery=DeliveryPolicy(
        throttles_max=2,
        unknown_tries_max=2,
        budget=2,
        window_ms=400_000,
        key_ms=100_000,
        forgotten_ms=1_000_000,
        forgotten_max=4,
        outbox_parts_max=4,
    ),
    inbox=InboxPolicy(seen_ms=100_000, seen_max=6),
)

PEERS = ("alice", "bob", "carol")
CODES = (*(None, 0) * 9, -14, -14, -2, -2, -3, -4, -1, 1, 2**63)
STATUSES = (*(200,) * 15, 204, 301, 404, 404, 401, 429, 500, 524, -1)
WORDS = ("", "session timeout", "rate limited", "\x00\n😀")
KINDS = ("timeout", "connect", "dns", "tls", "reset", "protocol", "too_large", "?")
STRIDES_MS = (0, 1, 50, 1_000, 5_000, 35_000, 300_000, 86_400_001)
NAMES = (session.RETRY, connection.RETRY, pacing.NEXT, "nobody.knows")


class Dice:
    """One number, taken apart into choices."""

    def __init__(self, number: int) -> None:
        self._left = number

    def below(self, count: int) -> int:
        self._left, face = divmod(self._left, count)
        return face

    def of(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def handle(self, prefix: str, count: int = 4) -> str:
        """Return one of a few handles, or none."""
        number = self.below(count + 1)
        return f"{prefix}-{number}" if number else ""


def _due_ms(dice: Dice, state: Weixin, name: str, at_ms: int) -> int:
    set_ms = {
        session.RETRY: state.session.due_ms,
        connection.RETRY: state.connection.due_ms,
        pacing.NEXT: state.outbox.due_ms,
    }
    return dice.of((set_ms.get(name, 0), 0, at_ms, at_ms - 1, -5))


def _timer(dice: Dice, state: Weixin, at_ms: int) -> ev.Event:
    name = dice.of(NAMES)
    return ev.TimerFired(name, _due_ms(dice, state, name, at_ms))


def _epoch(dice: Dice, state: Weixin) -> int:
    epoch = state.connection.epoch
    return dice.of((epoch, epoch, epoch, epoch - 1, epoch + 1, 0, -1, 2**63))


def _place(dice: Dice, state: Weixin) -> tuple[int, int]:
    """Return the part under way, mostly."""
    sending = state.outbox.sending
    if sending is not None and dice.below(4):
        return sending.delivery, sending.part
    return dice.below(50), dice.below(3)


def _poll_answered(dice: Dice, state: Weixin, _at_ms: int) -> ev.Event:
    return ev.PollAnswered(
        epoch=_epoch(dice, state),
        status=dice.of(STATUSES),
        ret=dice.of(CODES),
        errcode=dice.of(CODES),
        errmsg=dice.of(WORDS),
        malformed=dice.of(("", "", "not JSON")),
        cursor=dice.handle("cursor"),
        hint_ms=dice.of((None, 0, -1, 1, 50, 35_000, 2**63)),
        messages=dice.of((0, 1, -1)),
    )


def _message(dice: Dice, _state: Weixin, at_ms: int) -> ev.Event:
    peer = dice.of(PEERS)
    return ev.MessageReceived(
        peer=peer,
        body=dice.handle("body"),
        origin=dice.of((1, 1, 1, 2, 0)),
        context=dice.handle("token", 6),
        sent_ms=at_ms,
        by_id=dice.handle("id", 9),
        by_client=dice.handle("client"),
        by_items=dice.handle("items"),
        by_content=dice.handle("content", 9),
        quotes=bool(dice.below(2)),
    )


def _send(dice: Dice, _state: Weixin, _at_ms: int) -> ev.Event:
    parts = tuple(ev.PartRequest(f"body-{n}") for n in range(1 + dice.below(3)))
    return ev.SendRequested(dice.of(PEERS), parts, key=dice.handle("key"))


def _send_answered(dice: Dice, state: Weixin, _at_ms: int) -> ev.Event:
    delivery_id, part = _place(dice, state)
    return ev.SendAnswered(
        delivery_id,
        part,
        status=dice.of(STATUSES),
        ret=dice.of(CODES),
        errcode=dice.of(CODES),
        errmsg=dice.of(WORDS),
        malformed=dice.of(("", "", "", "not JSON")),
        message_id=dice.of(("", "18446744073709551615")),
    )


def _send_failed(dice: Dice, state: Weixin, _at_ms: int) -> ev.Event:
    delivery_id, part = _place(dice, state)
    left = bool(dice.below(2))
    return ev.SendFailed(delivery_id, part, dice.of(KINDS), left, dice.of(WORDS))


def _notify_answered(dice: Dice, state: Weixin, _at_ms: int) -> ev.Event:
    return ev.NotifyAnswered(
        call=dice.of(("start", "start", "stop", "?")),
        status=dice.of(STATUSES),
        ret=dice.of(CODES),
        errcode=dice.of(CODES),
        errmsg=dice.of(WORDS),
        malformed=dice.of(("", "", "", "not JSON")),
        credential=dice.of((state.session.credential, "", "login-0")),
    )


def _done(dice: Dice, _state: Weixin, _at_ms: int) -> ev.Event:
    consumer = dice.of(("agent", "archive"))
    return ev.MessageDone(consumer, dice.below(99), dice.below(99) - 5)


# How each type of fact is drawn from dice, the state and the time.
Draw = Callable[[Dice, Weixin, int], ev.Event]
DRAWS: Mapping[type, Draw] = {
    ev.Started: lambda dice, _state, _at_ms: ev.Started(seed=1 + dice.below(5)),
    ev.StopRequested: lambda *_: ev.StopRequested("SIGTERM"),
    ev.RetryRequested: lambda *_: ev.RetryRequested(),
    ev.TimerFired: _timer,
    ev.CredentialsLoaded: lambda dice, _state, _at_ms: ev.CredentialsLoaded(
        f"login-{dice.below(3)}", dice.handle("bot", 2)
    ),
    ev.CredentialsMissing: lambda *_: ev.CredentialsMissing("no such file"),
    ev.NotifyAnswered: _notify_answered,
    ev.NotifyFailed: lambda dice, _state, _at_ms: ev.NotifyFailed(
        dice.of(("start", "stop")), dice.of(KINDS)
    ),
    ev.PollAnswered: _poll_answered,
    ev.PollFailed: lambda dice, state, _at_ms: ev.PollFailed(
        _epoch(dice, state), dice.of(KINDS), dice.of(WORDS)
    ),
    ev.MessageReceived: _message,
    ev.MessageDone: _done,
    ev.SendRequested: _send,
    ev.SendAnswered: _send_answered,
    ev.SendFailed: _send_failed,
    # Of another platform: must change nothing, whatever it says.
    ev_qq.SocketClosed: lambda dice, state, _at_ms: ev_qq.SocketClosed(
        _epoch(dice, state), dice.of(KINDS)
    ),
}
TYPES = tuple(DRAWS)
# What happens often; without it a walk would rarely get anywhere.
COMMON = (
    ev.Started,
    ev.CredentialsLoaded,
    ev.NotifyAnswered,
    ev.TimerFired,
    ev.PollAnswered,
    ev.PollAnswered,
    ev.MessageReceived,
    ev.SendRequested,
    ev.SendAnswered,
    ev.SendAnswered,
)


def wild_fact(number: int, seq: int, at_ms: int, state: Weixin) -> ev.Fact:
    """Return a fact of any type, at the given time or somewhat later."""
    dice = Dice(number)
    kind = dice.of((*TYPES, *COMMON * 5))
    later_ms = at_ms + dice.of(STRIDES_MS)
    return ev.Fact(seq, later_ms, DRAWS[kind](dice, state, later_ms))


Step = tuple[Weixin, ev.Fact, Weixin, Sequence[Command]]


def wild_walk(numbers: Sequence[int], policy: Policy) -> Iterator[Step]:
    """Fold wild facts, beginning with a new account."""
    state, at_ms = Weixin(), 1
    for seq, number in enumerate(numbers, 1):
        fact = wild_fact(number, seq, at_ms, state)
        before, at_ms = state, fact.at_ms
        state, commands = weixin.step(before, fact, policy)
        yield before, fact, state, commands
