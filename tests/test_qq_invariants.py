"""What QQ accounts promise besides: each reports the step that breaks it, alone."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.core import connection, pacing, qq, qq_invariants, qq_socket, session
from holdfast.core.commands import (
    Command,
    FetchGateway,
    FetchToken,
    Heartbeat,
    Identify,
    OpenSocket,
    Resume,
    Send,
    SetTimer,
)
from holdfast.core.events import Event, Fact, RetryRequested, Started
from holdfast.core.outbox import Order, Outbox, Part, Peer, Phase, Sending
from holdfast.core.qq_account import RENEW, Gateway, Qq, Socket, Stage, Token
from holdfast.core.qq_events import SocketClosed, TokenAnswered, TokenFailed
from holdfast.core.qq_seq import Resumption

AT_MS = 100_000_000
POLICY = qq.POLICY
URL = "wss://one"
GREETED = Socket(
    stage=Stage.READY,
    interval_ms=41_250,
    beat_ms=AT_MS + 1,
    ack_ms=AT_MS + 2,
    ping_ms=AT_MS + 3,
)
# An account that is well: a session, a beating socket, a token, an empty outbox.
WELL = Qq(
    seed=7,
    session=session.Session(session.Phase.ACTIVE, credential="login-1"),
    connection=connection.Connection(
        connection.Phase.HEARTBEATING, epoch=4, dialed_ms=AT_MS
    ),
    token=Token("token-1", AT_MS + 9_000, due_ms=AT_MS + 5_000),
    gateway=Gateway(URL),
    socket=GREETED,
    resumption=Resumption("session-1", 8),
)
IDLE = replace(
    WELL, socket=Socket(), connection=replace(WELL.connection, dialed_ms=0, due_ms=1)
)


def promises(
    after: Qq,
    commands: Sequence[Command] = (),
    before: Qq = WELL,
    event: Event | None = None,
) -> list[str]:
    """Return what a step from `before` to `after` with these commands breaks."""
    fact = Fact(9, AT_MS, event or RetryRequested())
    return qq_invariants.broken(before, fact, after, commands, POLICY)


def at(stage: Stage, **changes: object) -> Qq:
    """Return the account with a dial that has come so far."""
    return replace(WELL, socket=replace(Socket(stage=stage), **changes))


def beating(**changes: object) -> Qq:
    return replace(WELL, socket=replace(GREETED, **changes))


def with_token(**changes: object) -> Qq:
    return replace(WELL, token=replace(Token(), **changes))


def dialled(epoch: int) -> Qq:
    return replace(at(Stage.DIALING), connection=replace(WELL.connection, epoch=epoch))


def waiting(token: Token) -> Qq:
    order = Order(5, 1, (Part("body-1", "id-5-0"),))
    box = Outbox(queues={"c2c:a": (order,)}, parts=1)
    return replace(WELL, outbox=box, token=token)


def sending(peer: str, context: str, number: int, pushes: int = 0) -> Qq:
    part = Part("b", "id-5-0", Phase.SENDING, context=context, number=number)
    known = Peer(context, AT_MS, spent=number, pushes=pushes)
    box = Outbox(
        queues={peer: (Order(5, 1, (part,)),)},
        peers={peer: known},
        sending=Sending(peer, 5, 0, context),
        parts=1,
    )
    return replace(WELL, outbox=box)


def send(peer: str, context: str = "", number: int = 0) -> Send:
    return Send(5, 0, peer, "b", "id-5-0", "token-1", context, number=number)


def spaced(identified_ms: int) -> Qq:
    return replace(at(Stage.OPEN), gateway=Gateway(URL, identified_ms=identified_ms))


OPEN, FETCH = OpenSocket(4, URL, 15_000), FetchToken("login-1", 10_000)
ASKED = with_token(asked=True)
IDENTIFY = Identify(4, "token-1", 1, (0, 1))
CALL = FetchGateway(4, "token-1", 10_000)
TRIED = at(Stage.ADDRESS)
OPENED = at(Stage.OPEN, deadline_ms=1)

# {promise: (what breaks it, what just does not)}; both as arguments of `promises`.
Case = tuple[Qq, Sequence[Command], Qq, Event | None]
NONE: Event | None = None
CASES: dict[str, tuple[Case, Case]] = {
    "[1] the session may dial, but nothing dials or waits to": (
        (
            replace(IDLE, connection=replace(IDLE.connection, due_ms=0)),
            (),
            WELL,
            NONE,
        ),
        (IDLE, (), WELL, NONE),
    ),
    "[1] a dial waits for a token that nobody asked for": (
        (replace(at(Stage.TOKEN), token=Token()), (), WELL, NONE),
        (replace(at(Stage.TOKEN), token=Token(asked=True)), (), WELL, NONE),
    ),
    "[1] a socket waits for its greeting without a deadline": (
        (at(Stage.OPEN), (), WELL, NONE),
        (OPENED, (), WELL, NONE),
    ),
    "[3] a part may go, but there is no token and nobody asks for one": (
        (waiting(Token()), (), WELL, NONE),
        (waiting(Token(due_ms=1)), (), WELL, NONE),
    ),
    "[2] a heartbeat without a greeted socket, or a socket without one": (
        (beating(beat_ms=0), (), WELL, NONE),
        (beating(), (), WELL, NONE),
    ),
    "[2] heartbeats without a deadline for their answers": (
        (beating(ack_ms=0), (), WELL, NONE),
        (beating(ack_ms=1), (), WELL, NONE),
    ),
    "[2] a socket is dialled beside another": (
        (dialled(4), (OPEN,), WELL, NONE),
        (dialled(4), (OPEN,), TRIED, NONE),
    ),
    "[2] two dials at once": (
        (dialled(4), (CALL, OPEN), TRIED, NONE),
        (dialled(4), (OPEN,), TRIED, NONE),
    ),
    "[2] the token is asked for twice at once": (
        (ASKED, (FETCH,), ASKED, NONE),
        (ASKED, (FETCH,), ASKED, TokenFailed("login-0", "dns")),
    ),
    "[2] a frame is sent on a socket that is no more": (
        (WELL, (Heartbeat(3, 8),), WELL, NONE),
        (WELL, (Heartbeat(4, 8),), WELL, NONE),
    ),
    "[5] the peer is told a seq that is not recorded": (
        (WELL, (Resume(4, "token-1", "session-1", 9),), WELL, NONE),
        (WELL, (Resume(4, "token-1", "session-1", 8),), WELL, NONE),
    ),
    "[8] a session is begun before the quota allows it": (
        (WELL, (IDENTIFY,), spaced(AT_MS - 4_999), NONE),
        (WELL, (IDENTIFY,), spaced(AT_MS - 5_000), NONE),
    ),
    "[8] a message is answered too often": (
        (sending("c2c:a", "r", 5), (send("c2c:a", "r", 5),), WELL, NONE),
        (sending("c2c:a", "r", 4), (send("c2c:a", "r", 4),), WELL, NONE),
    ),
    "[8] a peer is pushed to too often": (
        (sending("dm:d", "", 0, pushes=3), (send("dm:d"),), WELL, NONE),
        (sending("dm:d", "", 0, pushes=2), (send("dm:d"),), WELL, NONE),
    ),
}


@pytest.mark.parametrize(("promise", "cases"), CASES.items(), ids=CASES)
def test_a_promise_reports_the_step_that_breaks_it_and_no_other(
    promise: str, cases: tuple[Case, Case]
) -> None:
    bad, good = cases
    assert promises(*bad) == [promise]
    assert promises(*good) == []


def test_every_promise_of_the_module_has_its_case() -> None:
    source = Path(str(qq_invariants.__file__)).read_text("utf-8")
    texts = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
    ]
    named = [str(text) for text in texts if re.match(r"\[\d\] [^A-Z]", str(text))]
    assert sorted(named) == sorted(CASES)


CAPS_MS = {
    session.RETRY: 86_400_000,
    connection.RETRY: 300_000,
    pacing.NEXT: 86_400_000,
    RENEW: 7_200_000,
    qq_socket.DEADLINE: 30_000,
    qq_socket.BEAT: 120_000,
    qq_socket.ACK: 240_000,
    qq_socket.PING: 20_000,
}


@pytest.mark.parametrize(("name", "cap_ms"), CAPS_MS.items())
def test_each_timer_has_its_own_cap(name: str, cap_ms: int) -> None:
    assert promises(WELL, [SetTimer(name, AT_MS + cap_ms)]) == []
    late = promises(WELL, [SetTimer(name, AT_MS + cap_ms + 1)])
    assert late == [f"[8] the timer {name} waits longer than its cap"]


def test_a_cap_is_the_longest_wait_that_the_policy_knows() -> None:
    rare = replace(POLICY, pushes=replace(POLICY.pushes, dm_gap_ms=90_000_000))
    timer = SetTimer(pacing.NEXT, AT_MS + 90_000_000)
    fact = Fact(9, AT_MS, RetryRequested())
    assert not qq_invariants.broken(WELL, fact, WELL, [timer], rare)


@pytest.mark.parametrize("stage", [Stage.IDENTIFYING, Stage.RESUMING, Stage.READY])
def test_a_heartbeat_is_due_exactly_while_a_greeted_socket_is_open(
    stage: Stage,
) -> None:
    beats = replace(GREETED, stage=stage)
    assert promises(replace(WELL, socket=beats)) == []
    for socket in (
        replace(beats, closing=True),
        replace(beats, stage=Stage.OPEN, deadline_ms=1),
        replace(beats, stage=Stage.DIALING),
        replace(beats, stage=Stage.NONE),
    ):
        assert promises(replace(IDLE, socket=socket)) == [
            "[2] a heartbeat without a greeted socket, or a socket without one"
        ]


@pytest.mark.parametrize(
    "after",
    [
        replace(IDLE, connection=connection.Connection(), stopping=True),
        replace(IDLE, connection=connection.Connection(), seed=0),
        replace(at(Stage.TOKEN), token=Token(), stopping=True),
        replace(waiting(Token()), stopping=True),
    ],
    ids=["stopping", "never started", "stopping while it asks", "with a part left"],
)
def test_only_a_running_account_must_be_alive(after: Qq) -> None:
    assert promises(after) == []


def test_a_socket_that_has_ended_may_be_followed_by_another_dial() -> None:
    after, dial = dialled(5), [replace(OPEN, epoch=5)]
    assert promises(after, dial, event=SocketClosed(4)) == []
    assert promises(after, dial) == ["[2] a socket is dialled beside another"]


@pytest.mark.parametrize("token", [Token("token-1"), Token(asked=True)])
def test_a_part_waits_for_a_token_that_is_there_or_comes(token: Token) -> None:
    assert promises(waiting(token)) == []


def test_a_part_may_rest_while_no_login_is_known() -> None:
    lost = replace(WELL.session, phase=session.Phase.EXPIRED, credential="")
    assert promises(replace(waiting(Token()), session=lost)) == []


@pytest.mark.parametrize(
    "event",
    [TokenAnswered("login-0", token="t"), TokenFailed("login-0", "dns")],  # noqa: S106 - a handle
)
def test_the_end_of_a_call_may_lead_to_the_next(event: Event) -> None:
    assert promises(ASKED, [FETCH], ASKED, event) == []


def test_a_new_process_may_ask_again() -> None:
    restarted = replace(IDLE, token=Token())
    assert promises(restarted, (), ASKED, Started(7)) == []


def test_a_guilds_messages_are_answered_as_often_as_anybody_likes() -> None:
    assert promises(sending("guild:c", "r", 99), [send("guild:c", "r", 99)]) == []


def test_a_well_account_breaks_nothing() -> None:
    assert promises(WELL) == []
