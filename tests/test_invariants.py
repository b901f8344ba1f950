"""Invariants: each promise reports the step that breaks it, and no other."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.core import (
    connection,
    inbox,
    invariants,
    pacing,
    session,
    weixin,
    weixin_invariants,
)
from holdfast.core.commands import (
    Command,
    Escalate,
    NotifyStart,
    Offer,
    Poll,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import (
    Event,
    Fact,
    MessageReceived,
    RetryRequested,
    Started,
)
from holdfast.core.outbox import Order, Outbox, Part, Peer, Phase, Sending
from holdfast.core.policy import SessionPolicy
from holdfast.core.recent import Recent
from holdfast.core.weixin_account import Weixin

AT_MS = 1_000_000
POLICY = weixin.POLICY
PART = Part("body-1", "id-5-0")
OUTBOX = Outbox(queues={"alice": (Order(5, 1, (PART,)),)}, parts=1)
SENDING = Sending("alice", 5, 0)
UNDER_WAY = replace(OUTBOX, sending=SENDING)
SEND = Send(5, 0, "alice", "body-1", "id-5-0", "login-1")
# An account that is well: polling, with a login and an empty outbox.
WELL = Weixin(
    seed=7,
    cursor="cursor-1",
    session=session.Session(session.Phase.ACTIVE, credential="login-1"),
    connection=connection.Connection(
        connection.Phase.HEARTBEATING, epoch=4, dialed_ms=AT_MS
    ),
)
IDLE = replace(WELL.connection, dialed_ms=0)
POLL = Poll(4, "login-1", "cursor-1", 45_000)
BEFORE_POLL = replace(WELL, connection=replace(WELL.connection, epoch=3))


def promises(
    after: Weixin,
    commands: Sequence[Command] = (),
    before: Weixin = WELL,
    event: Event | None = None,
) -> list[str]:
    """Return what a step from `before` to `after` with these commands breaks."""
    fact = Fact(9, AT_MS, event or RetryRequested())
    return weixin_invariants.broken(before, fact, after, commands, POLICY)


def with_session(**changes: object) -> Weixin:
    return replace(WELL, session=replace(WELL.session, **changes))


def fatal(due_ms: int) -> Weixin:
    link = replace(IDLE, phase=connection.Phase.FATAL, due_ms=due_ms)
    return replace(with_session(phase=session.Phase.EXPIRED), connection=link)


def overspent(spent: int) -> Weixin:
    box = replace(UNDER_WAY, peers={"alice": Peer("", 500, spent)})
    return replace(WELL, outbox=box)


def forgotten(context: str) -> tuple[Weixin, Send]:
    sending = replace(SENDING, context=context)
    known = Recent({"token-1": AT_MS - 1})
    box = replace(UNDER_WAY, sending=sending, forgotten=known)
    return replace(WELL, outbox=box), replace(SEND, context=context)


def finished(through: int) -> Weixin:
    box = inbox.Inbox(consumers={"agent": inbox.Consumer(through)})
    return replace(WELL, inbox=box)


BACKOFF, RECOVERING = session.Phase.BACKOFF, session.Phase.RECOVERING
PROBE = NotifyStart("login-1", 10_000)
FATAL_TIMER = SetTimer(connection.RETRY, AT_MS + 300_000)
MESSAGE = MessageReceived("alice", "body-1")

# {promise: (what breaks it, what just does not)}; both as arguments of `promises`.
Case = tuple[Weixin, Sequence[Command], Weixin, Event | None]
NONE: Event | None = None
CASES: dict[str, tuple[Case, Case]] = {
    "[1] the session waits without a timer": (
        (with_session(phase=BACKOFF), (), WELL, NONE),
        (with_session(phase=BACKOFF, due_ms=1), (), WELL, NONE),
    ),
    "[1] the session is active but nothing polls or waits to": (
        (replace(WELL, connection=IDLE), (), WELL, NONE),
        (replace(WELL, connection=replace(IDLE, due_ms=1)), (), WELL, NONE),
    ),
    "[1] fatal without a slow timer": (
        (fatal(0), (), fatal(0), NONE),
        (fatal(1), (), fatal(1), NONE),
    ),
    "[3] a part may go, but is neither sent nor timed": (
        (replace(WELL, outbox=OUTBOX), (), WELL, NONE),
        (replace(WELL, outbox=replace(OUTBOX, due_ms=1)), (), WELL, NONE),
    ),
    "[7] gave up without telling anybody": (
        (fatal(1), (FATAL_TIMER,), WELL, NONE),
        (fatal(1), (Escalate("http_404"), FATAL_TIMER), WELL, NONE),
    ),
    "[7] a part left the outbox without a report": (
        (WELL, (), replace(WELL, outbox=UNDER_WAY), NONE),
        (WELL, (Report(5, 0, "accepted"),), replace(WELL, outbox=UNDER_WAY), NONE),
    ),
    "[2] two polls at once": (
        (WELL, (POLL, POLL), BEFORE_POLL, NONE),
        (WELL, (POLL,), BEFORE_POLL, NONE),
    ),
    "[2] an epoch is polled twice": (
        (WELL, (POLL,), WELL, NONE),
        (WELL, (POLL,), WELL, Started(7)),
    ),
    "[5] the peer is told a cursor that is not recorded": (
        (WELL, (replace(POLL, cursor="cursor-2"),), BEFORE_POLL, NONE),
        (WELL, (POLL,), BEFORE_POLL, NONE),
    ),
    "[2] a part is sent that is not the one under way": (
        (replace(WELL, outbox=UNDER_WAY), (replace(SEND, part=1),), WELL, NONE),
        (replace(WELL, outbox=UNDER_WAY), (SEND,), WELL, NONE),
    ),
    "[6] a forgotten context token is used": (
        (forgotten("token-1")[0], (forgotten("token-1")[1],), WELL, NONE),
        (forgotten("token-2")[0], (forgotten("token-2")[1],), WELL, NONE),
    ),
    "[8] the budget of a peer is overspent": (
        (overspent(11), (SEND,), WELL, NONE),
        (overspent(10), (SEND,), WELL, NONE),
    ),
    "[8] the timer session.retry waits longer than its cap": (
        (WELL, (SetTimer(session.RETRY, AT_MS + 300_001),), WELL, NONE),
        (WELL, (SetTimer(session.RETRY, AT_MS + 300_000),), WELL, NONE),
    ),
    "[2] two parts are sent at once": (
        (replace(WELL, outbox=UNDER_WAY), (SEND, SEND), WELL, NONE),
        (replace(WELL, outbox=UNDER_WAY), (SEND,), WELL, NONE),
    ),
    "[1] the session recovers without a probe": (
        (with_session(phase=RECOVERING), (), WELL, NONE),
        (with_session(phase=RECOVERING), (PROBE,), WELL, NONE),
    ),
    "[4] a message is offered twice": (
        (WELL, (Offer(9), Offer(9)), WELL, MESSAGE),
        (WELL, (Offer(9),), WELL, MESSAGE),
    ),
    "[4] a message is offered after it was done": (
        (finished(9), (Offer(9),), WELL, MESSAGE),
        (finished(8), (Offer(9),), WELL, MESSAGE),
    ),
    "[4] a message is offered by a fact that brought none": (
        (WELL, (Offer(9),), WELL, NONE),
        (WELL, (Offer(9),), WELL, MESSAGE),
    ),
}


@pytest.mark.parametrize(("promise", "cases"), CASES.items(), ids=CASES)
def test_a_promise_reports_the_step_that_breaks_it_and_no_other(
    promise: str, cases: tuple[Case, Case]
) -> None:
    bad, good = cases
    assert promises(*bad) == [promise] * len(promises(*bad))
    assert promise in promises(*bad)
    assert promises(*good) == []


def test_every_promise_of_the_module_has_its_case() -> None:
    sources = [
        Path(str(module.__file__)).read_text("utf-8")
        for module in (invariants, weixin_invariants)
    ]
    texts = [
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
    ]
    named = [text for text in texts if re.match(r"\[\d\] [^A-Z]", str(text))]
    assert len(named) == len(CASES)
    for text in named:
        assert any(promise.startswith(str(text)) for promise in CASES), text


CAPS_MS = {session.RETRY: 300_000, connection.RETRY: 300_000, pacing.NEXT: 602_000}


@pytest.mark.parametrize(("name", "cap_ms"), CAPS_MS.items())
def test_each_timer_has_its_own_cap(name: str, cap_ms: int) -> None:
    assert promises(WELL, [SetTimer(name, AT_MS + cap_ms)]) == []
    late = promises(WELL, [SetTimer(name, AT_MS + cap_ms + 1)])
    assert late == [f"[8] the timer {name} waits longer than its cap"]


def test_a_cap_is_the_longest_wait_that_the_policy_knows() -> None:
    patient = SessionPolicy(backoff_ms_max=700_000, slow_probe_ms=500_000)
    hasty = SessionPolicy(backoff_ms_max=500_000, slow_probe_ms=700_000)
    timer = SetTimer(session.RETRY, AT_MS + 700_000)
    fact = Fact(9, AT_MS, RetryRequested())
    for limits in (patient, hasty):
        policy = replace(POLICY, session=limits)
        assert not weixin_invariants.broken(WELL, fact, WELL, [timer], policy)


@pytest.mark.parametrize(
    "after",
    [
        replace(WELL, connection=IDLE, stopping=True),
        replace(WELL, connection=IDLE, seed=0),
    ],
    ids=["stopping", "never started"],
)
def test_only_a_running_account_must_be_alive(after: Weixin) -> None:
    assert promises(after) == []


def test_a_part_may_rest_without_a_login_behind_another_or_parked() -> None:
    parked = Order(5, 1, (replace(PART, phase=Phase.PARKED),))
    for after in (
        replace(with_session(credential=""), outbox=OUTBOX),
        replace(WELL, outbox=UNDER_WAY),
        replace(WELL, outbox=replace(OUTBOX, queues={"alice": (parked,)})),
    ):
        assert promises(after) == []


def test_asking_for_a_login_must_be_told_too() -> None:
    asks = with_session(phase=session.Phase.EXPIRED, needs_login=True)
    assert promises(asks) == ["[7] gave up without telling anybody"]
    assert promises(asks, [Escalate("needs_login")]) == []
    assert promises(asks, before=asks) == []


def test_each_part_that_goes_needs_a_report_of_its_own() -> None:
    three = Order(5, 3, (PART, PART, PART))
    box = replace(OUTBOX, queues={"alice": (three,)}, parts=3)
    reports = [Report(5, number, "rejected") for number in range(3)]
    before = replace(WELL, outbox=box)
    assert promises(WELL, reports[:2], before)
    assert not promises(WELL, reports, before)


def test_a_well_account_breaks_nothing() -> None:
    assert promises(WELL) == []
    assert inbox.Inbox() == WELL.inbox
