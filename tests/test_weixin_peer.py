"""The iLink client at the strict peer: each call, and what becomes of each answer."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from peer_rig import seated
from trio.testing import MockClock

from holdfast.core.events import (
    MessageReceived,
    PollAnswered,
    PollFailed,
)
from holdfast.io.draft import Draft
from holdfast.io.vault import BODY, CONTEXT, CURSOR
from holdfast.replay.world.weixin_faults import (
    Code,
    Cursor,
    Fields,
    Garbage,
    HttpStatus,
    NoHold,
    Wire,
)
from holdfast.replay.world.weixin_inbound import USER, Inbound

HINT_MS = 35_000


def polled(draft: Draft) -> PollAnswered:
    """Return the answer at the end of a poll's facts."""
    answered = draft.events[-1]
    assert isinstance(answered, PollAnswered)
    return answered


def messages(draft: Draft) -> list[MessageReceived]:
    return [it for it in draft.events if isinstance(it, MessageReceived)]


# getupdates.


async def test_an_idle_poll_is_answered_when_the_hold_is_over(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        draft = await desk.poll()
        assert autojump_clock.current_time() == 35
        cursor = polled(draft).cursor
        answered = PollAnswered(3, cursor=cursor, hint_ms=HINT_MS)
        assert draft.events == (answered,)
        assert [one.kind for one in draft.kept] == [CURSOR]


async def test_messages_come_before_the_answer_that_brought_them(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say(Inbound(text="part {n}", times=3))
        draft = await desk.poll()
        kinds = [type(event) for event in draft.events]
        assert kinds == [MessageReceived] * 3 + [PollAnswered]
        assert polled(draft).messages == 3
        for event, said in zip(messages(draft), desk.served.peer.inbound, strict=True):
            assert event.peer == USER
            assert event.message_id == str(said.wire["message_id"])
            assert msgspec.json.decode(desk.kept[event.body]) == said.wire
            assert desk.vault.text(event.context) == said.wire["context_token"]
        kinds_kept = [one.kind for one in draft.kept]
        assert kinds_kept == [BODY, CONTEXT] * 3 + [CURSOR]


async def test_the_next_poll_gives_the_cursor_of_the_last(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say("first")
        cursor = polled(await desk.poll()).cursor
        desk.served.say("second")
        draft = await desk.poll(cursor)
        (event,) = messages(draft)
        assert b"second" in desk.kept[event.body]
        asked = [call.body["get_updates_buf"] for call in desk.served.peer.log]
        assert asked == ["", desk.vault.text(cursor)]


@pytest.mark.parametrize(
    "codes",
    [
        {"errcode": -14, "errmsg": "session timeout"},
        {"ret": -14},
        {"ret": 0, "errcode": -14},
        {"ret": -2, "errmsg": "prepare failed"},
        {"ret": 0},
        {"errcode": 0, "errmsg": ""},
    ],
)
async def test_codes_are_recorded_as_they_came(
    autojump_clock: MockClock, tmp_path: Path, codes: dict[str, Any]
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(msgspec.convert({"type": "code"} | codes, Code))
        assert await desk.poll() == Draft((PollAnswered(3, **codes),))


async def test_a_code_beside_messages_loses_neither(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say("hello")
        desk.served.arm(Code(errcode=-14, errmsg="session timeout", acted=True))
        draft = await desk.poll()
        assert len(messages(draft)) == polled(draft).messages == 1
        assert polled(draft).errcode == -14
        assert polled(draft).cursor


@pytest.mark.parametrize("status", [502, 524, 503, 429, 401, 302, 404])
async def test_a_status_of_the_edge_is_recorded_with_its_page(
    autojump_clock: MockClock, tmp_path: Path, status: int
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        for number, page in enumerate(("<html>", '{"msgs":[{"message_id":1}]}'), 1):
            desk.served.arm(HttpStatus(status=status, after_ms=16_000, body=page))
            draft = await desk.poll()
            assert (polled(draft).status, polled(draft).messages) == (status, 0)
            assert desk.kept[polled(draft).body] == page.encode()
            assert autojump_clock.current_time() == 16 * number
            desk.served.heal()


@pytest.mark.parametrize("kind", ["html", "null", "array", "truncated"])
async def test_a_body_that_cannot_be_read_is_kept(
    autojump_clock: MockClock, tmp_path: Path, kind: str
) -> None:
    fault = msgspec.convert({"type": "garbage", "kind": kind, "acted": True}, Garbage)
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say("do not lose me")
        desk.served.arm(fault)
        draft = await desk.poll()
        assert polled(draft).malformed
        assert messages(draft) == []
        assert desk.kept[polled(draft).body] == desk.served.peer.log[-1].answer


@pytest.mark.parametrize("kind", ["bom", "duplicate_keys"])
async def test_a_body_that_is_only_odd_is_read(
    autojump_clock: MockClock, tmp_path: Path, kind: str
) -> None:
    fault = msgspec.convert({"type": "garbage", "kind": kind, "acted": True}, Garbage)
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say("read me")
        desk.served.arm(fault)
        draft = await desk.poll()
        assert len(messages(draft)) == 1
        assert polled(draft).cursor


@pytest.mark.parametrize("kind", ["empty", "object"])
async def test_a_body_without_anything_in_it_says_nothing(
    autojump_clock: MockClock, tmp_path: Path, kind: str
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(msgspec.convert({"type": "garbage", "kind": kind}, Garbage))
        assert await desk.poll() == Draft((PollAnswered(3),))


@pytest.mark.parametrize(
    ("how", "kind", "seconds"),
    [
        ("accept_and_close", "protocol", 0),
        ("reset_before_headers", "reset", 0),
        ("never_answer", "timeout", 45),
        ("headers_then_stall", "timeout", 45),
    ],
)
async def test_a_poll_without_an_answer_says_what_became_of_it(
    autojump_clock: MockClock, tmp_path: Path, how: str, kind: str, seconds: int
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(msgspec.convert({"type": "wire", "how": how}, Wire))
        (event,) = (await desk.poll()).events
        assert isinstance(event, PollFailed)
        assert (event.epoch, event.kind, bool(event.reason)) == (3, kind, True)
        assert autojump_clock.current_time() == seconds


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (600_000, 600_000),
        (1, 1),
        ("50", 50),
        (0, None),
        (-1, None),
        ("soon", None),
        (None, None),
        ([35_000], None),
    ],
)
async def test_a_wish_for_the_next_hold_is_taken_when_it_is_one(
    autojump_clock: MockClock, tmp_path: Path, given: Any, taken: int | None
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(NoHold())
        desk.served.arm(Fields(set={"longpolling_timeout_ms": given}))
        assert polled(await desk.poll()).hint_ms == taken


async def test_a_wild_field_costs_no_message_beside_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    wild: dict[str, Any] = {"ret": "zero", "errcode": {}, "errmsg": 5, "sync_buf": []}
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say(Inbound(items=[5, None, {"type": "x"}], extra={"seq": {}}))
        desk.served.say("a good one")
        desk.served.arm(Fields(set=wild))
        draft = await desk.poll()
        assert len(messages(draft)) == polled(draft).messages == 2
        assert polled(draft).malformed == "ret is no whole number"
        assert (polled(draft).ret, polled(draft).errcode) == (None, None)
        assert polled(draft).cursor


@pytest.mark.parametrize("odd", [{}, "none", 7])
async def test_messages_that_are_no_list_are_kept_as_they_came(
    autojump_clock: MockClock, tmp_path: Path, odd: object
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(NoHold())
        desk.served.arm(Fields(set={"msgs": odd}))
        draft = await desk.poll()
        assert polled(draft).malformed == "msgs is no list"
        assert polled(draft).cursor == ""
        assert desk.kept[polled(draft).body] == desk.served.peer.log[-1].answer


async def test_a_huge_or_absent_cursor_is_taken_as_it_is(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(NoHold())
        desk.served.arm(Cursor(kind="huge", count=1))
        cursor = polled(await desk.poll()).cursor
        assert len(desk.vault.text(cursor)) > 100_000
        desk.served.arm(Fields(drop=("get_updates_buf", "msgs"), count=1))
        assert await desk.poll(cursor) == Draft((PollAnswered(3, hint_ms=HINT_MS),))
        desk.served.arm(Fields(set={"get_updates_buf": ""}, count=1))
        assert polled(await desk.poll(cursor)).cursor == ""
