from contextlib import suppress
from itertools import pairwise
from typing import Any, get_args

import freezegun
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lives import Life

from holdfast.core import weixin
from holdfast.core.commands import Command, Report, SetTimer
from holdfast.core.events import (
    Event,
    Fact,
    MessageReceived,
    NotifyAnswered,
    PartRequest,
    PollAnswered,
    RetryRequested,
    SendFailed,
    SendRequested,
    Started,
)
from holdfast.core.outbox import Phase
from holdfast.core.policy import Policy
from holdfast.replay.describe import (
    DescriptionError,
    describe_command,
    describe_event,
    describe_line,
    describe_phases,
    describe_time,
    parse_command,
    parse_event,
    phases,
)

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(),
    int | None: st.none() | st.integers(),
    bool | None: st.none() | st.booleans(),
    tuple[int, int]: st.tuples(st.integers(), st.integers()),
    str: st.text(),
    Policy | None: st.sampled_from([None, weixin.POLICY]),
    tuple[PartRequest, ...]: st.lists(
        st.builds(PartRequest, body=st.text(), length=st.integers())
    ).map(tuple),
}


def filled(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Return any struct of a kind, its defaults among them."""
    fields = {}
    for field in msgspec.structs.fields(kind):
        marked = hasattr(field.type, "__metadata__")
        value = VALUES[field.type.__origin__ if marked else field.type]
        fields[field.name] = value if field.required else value | st.just(field.default)
    return st.builds(kind, **fields)


EVENTS = st.one_of(*map(filled, get_args(Event)))
COMMANDS = st.one_of(*map(filled, get_args(Command)))


@given(EVENTS)
def test_what_is_said_of_a_fact_gives_the_fact(event: Event) -> None:
    line = describe_event(event)
    assert parse_event(line) == event
    assert line.isprintable()


@given(COMMANDS)
def test_what_is_said_of_a_command_gives_the_command(command: Command) -> None:
    line = describe_command(command)
    assert parse_command(line) == command
    assert line.isprintable()


@given(st.text())
def test_any_text_is_a_fact_or_a_clear_error(text: str) -> None:
    with suppress(DescriptionError):
        event = parse_event(text)
        assert parse_event(describe_event(event)) == event


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            PollAnswered(3, errcode=-14, errmsg="session timeout"),
            'poll_answered epoch=3 errcode=-14 errmsg="session timeout"',
        ),
        (PollAnswered(3, ret=0), "poll_answered epoch=3 ret=0"),
        (RetryRequested(), "retry_requested"),
        (Started(0), "started seed=0"),
        (
            SendFailed(1, 0, "dns", left=False),
            "send_failed delivery=1 part=0 kind=dns left=false",
        ),
        (
            SendRequested("o9cq", (PartRequest("b 1", 7), PartRequest("b2"))),
            'send_requested peer=o9cq parts=[{"body":"b 1","length":7},{"body":"b2"}]',
        ),
        (
            NotifyAnswered("", errmsg='say "no"'),
            r'notify_answered call="" errmsg="say \"no\""',
        ),
        (
            MessageReceived("彼=1", "\x1b[2J", kind="a \u202e\U000e0001"),
            r'message_received peer=彼=1 body="\u001b[2J" kind="a \u202e\udb40\udc01"',
        ),
    ],
)
def test_a_fact_in_one_line(event: Event, line: str) -> None:
    assert describe_event(event) == line
    assert parse_event(line) == event


def test_a_command_in_one_line() -> None:
    timer = SetTimer("session.retry", 15_020)
    assert describe_command(timer) == "set_timer name=session.retry due_ms=15020"
    report = Report(9, 0, Phase.ACCEPTED, 1, "77")
    line = "report delivery=9 part=0 state=accepted attempts=1 peer_id=77"
    assert describe_command(report) == line
    assert parse_command(line) == report


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "'' is no fact; known are started, "),
        ("poll", "'poll' is no fact"),
        ("poll_answered", "poll_answered lacks epoch"),
        ("send_failed kind=x", "send_failed lacks delivery, part"),
        ("poll_answered epoch=three", "poll_answered epoch=three: "),
        ("poll_answered epoch=3.5", "Expected `int`, got `float`"),
        ("poll_answered epoch=1 mood=2", "'mood' is none; poll_answered has epoch, "),
        ("retry_requested now=1", "retry_requested has no fields"),
        ("poll_answered epoch=1 epoch=2", "'epoch' is given twice"),
        ("poll_answered epoch=1 errmsg", "'errmsg' is none"),
        ('poll_answered epoch=1 errmsg="no end', "a quote is not closed"),
        ('poll_answered epoch=1 errmsg="a"b', "poll_answered errmsg="),
        ("send_requested peer=a parts=[{}]", "missing required field `body`"),
    ],
)
def test_a_line_that_describes_nothing_names_the_field(line: str, what: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        parse_event(line)
    assert what in str(caught.value)


def test_phases_tell_what_changed() -> None:
    life = Life(3)
    states = [life.state, *(turn.after for turn in life.turns(8))]
    told = [describe_phases(old, new) for old, new in pairwise(states)]
    assert told[1:4] == [
        "session expired -> recovering",
        "session recovering -> active, connection reconnecting -> connected",
        "",
    ]
    assert phases(states[-1]) == {"session": "active", "connection": "heartbeating"}


def test_a_timeline_has_a_line_per_fact() -> None:
    life = Life(3)
    before = life.state
    lines = []
    for turn in life.turns(3):
        lines.append(describe_line(turn.fact, before, turn.after, turn.commands))
        before = turn.after
    assert lines[1].startswith("2026-09-01 03:00:00.054      2  credentials_loaded ")
    assert " | session expired -> recovering | notify_start credential=" in lines[1]
    quiet = Fact(9, 0, RetryRequested())
    assert (
        describe_line(quiet, before, before, [])
        == "1970-01-01 00:00:00.000      9  retry_requested"
    )


def test_commands_stand_side_by_side() -> None:
    commands: list[Command] = [SetTimer("a", 1), SetTimer("b", 2)]
    line = describe_line(
        Fact(1, 0, RetryRequested()), Life().state, Life().state, commands
    )
    assert line.endswith(" | set_timer name=a due_ms=1; set_timer name=b due_ms=2")


@pytest.mark.parametrize(
    ("at_ms", "told"),
    [
        (0, "1970-01-01 00:00:00.000"),
        (1_788_232_324_123, "2026-09-01 03:12:04.123"),
        (253_402_300_799_999, "9999-12-31 23:59:59.999"),
        (253_402_300_800_000, "253402300800000 ms"),
        (-1, "-1 ms"),
        ((1 << 63) - 1, "9223372036854775807 ms"),
    ],
)
def test_times_are_utc(at_ms: int, told: str) -> None:
    assert describe_time(at_ms) == told
    with freezegun.freeze_time("1970-01-01", tz_offset=8):
        assert describe_time(at_ms) == told
