"""The service as its host sees it: messages, sends, deliveries, over real HTTP."""

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace
from shell_rig import (
    ALICE,
    BOB,
    BOT,
    account,
    answering_once,
    config,
    living,
    offered,
    online,
    polling,
    raw_server,
    write_token,
)
from trio.testing import MockClock

from holdfast.core import weixin
from holdfast.io import Delivery, Message, SendRefusedError, UnknownAccountError
from holdfast.io.deliveries import PartStatus
from holdfast.io.messages import Messages
from holdfast.replay.world.weixin_faults import Code
from holdfast.replay.world.weixin_inbound import FIRST_ID, USER, Inbound

# For an hour, a key is one delivery; the real one lasts a day.
HOUR_OF_KEYS = replace(
    weixin.POLICY, delivery=replace(weixin.POLICY.delivery, key_ms=3_600_000)
)


async def take(stream: Messages, count: int) -> list[Message]:
    return [await anext(stream) for _ in range(count)]


async def test_a_message_is_what_the_user_said_and_what_to_answer_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        said = served.say(Inbound(text="你好", ref_msg={"title": "before"}))
        message = await anext(shell.service.messages(BOT))
        assert (message.account, message.from_, message.sender) == (ALICE, USER, USER)
        assert message.id == str(FIRST_ID + 1)
        assert (message.kind, message.text) == ("text", "你好")
        assert message.quote == {"title": "before"}
        assert message.raw == said.wire
        assert message.items == said.wire["item_list"]
        assert message.at_ms == said.at_ms
        delivery = await shell.service.send(message.account, message.from_, "hi")
        assert (await delivery.settled()) == shell.service.delivery(delivery.id)
        assert [shown.text for shown in served.peer.shown[USER]] == ["hi"]


async def test_messages_come_in_their_order_whenever_they_were_said(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    texts = [f"message {number}" for number in range(80)]
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        for text in texts[:70]:
            served.say(text)
        stream = shell.service.messages(BOT)
        got = [message.text for message in await take(stream, 70)]
        for text in texts[70:]:
            await trio.sleep(3)
            served.say(text)
            got.append((await anext(stream)).text)
    assert got == texts


async def test_two_consumers_each_see_everything_and_finish_by_themselves(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        served.say(Inbound(text="{n}", times=3))
        async with living(setup) as shell:
            one, two = (shell.service.messages(name) for name in ("one", "two"))
            for _ in range(3):
                await (await anext(one)).done()
            assert (await anext(two)).text == "0"
            await (await anext(two)).done()
        async with living(setup) as shell:
            assert await offered(shell, "one") == []
            assert await offered(shell, "two") == ["0", "2"]
            assert await offered(shell, "three") == ["0", "1", "2"]


async def test_a_consumer_has_one_stream_at_a_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        served.say("hello")
        stream = shell.service.messages(BOT)
        await anext(stream)
        with pytest.raises(ValueError, match="'agent' already has a stream"):
            shell.service.messages(BOT)
        stream.close()
        assert (await anext(shell.service.messages(BOT))).text == "hello"


async def test_what_was_finished_out_of_order_stays_finished(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        served.say(Inbound(text="{n}", times=5))
        async with living(setup) as shell:
            stream = shell.service.messages(BOT)
            messages = await take(stream, 5)
            for number in (3, 0, 4, 2):
                await messages[number].done()
        async with living(setup) as shell:
            stream = shell.service.messages(BOT)
            again = await anext(stream)
            assert again.text == "1"
            served.say("new")
            assert (await anext(stream)).text == "new"
            await again.done()
        async with living(setup) as shell:
            assert await offered(shell) == ["new"]


async def test_done_may_be_said_twice_and_by_many_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        served.say(Inbound(text="{n}", times=40))
        async with living(setup) as shell:
            stream = shell.service.messages(BOT)
            messages = await take(stream, 40)
            async with trio.open_nursery() as nursery:
                for message in messages[:39] * 2:
                    nursery.start_soon(message.done)
            assert shell.state.inbox.consumers[BOT].ahead == ()
        async with living(setup) as shell:
            assert await offered(shell) == ["39"]


async def test_a_message_that_no_json_reader_likes_is_offered_as_well_as_it_can_be(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    odd = b'{"msgs":[{"from_user_id":"u","create_time_ms":1,"item_list":[{"type":1,'
    odd += b'"text_item":{"text":"caf\xff"}}]},5],"get_updates_buf":"c"}'
    async with raw_server(answering_once("getupdates", odd)) as url:
        setup = config(tmp_path, account(url, tmp_path))
        write_token(tmp_path / "alice.token", "token")
        async with living(setup) as shell:
            stream = shell.service.messages(BOT)
            first, second = await take(stream, 2)
        assert (first.from_, first.text) == ("u", "caf\ufffd")
        assert (second.from_, second.text, second.raw) == ("", "", 5)
        assert autojump_clock.current_time() < 60


async def test_the_same_key_is_the_same_delivery(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path, policy=HOUR_OF_KEYS))
        served.say()
        got: list[Delivery] = []

        async def send() -> None:
            got.append(await shell.service.send(ALICE, USER, "once", key="order-7"))

        async with living(setup) as shell:
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(send)
            await got[0].settled()
            await send()
        async with living(setup) as shell:
            await send()
            status = await got[-1].settled()
            other = await shell.service.send(ALICE, USER, "twice", key="order-8")
            await other.settled()
            await trio.sleep(3_600)
            late = await shell.service.send(ALICE, USER, "later", key="order-7")
            await late.settled()
        assert len({delivery.id for delivery in got}) == 1
        assert status is not None
        assert status.state == "accepted"
        assert len({got[0].id, other.id, late.id}) == 3
        shown = [shown.text for shown in served.peer.shown[USER]]
        assert shown == ["once", "twice", "later"]


@pytest.mark.parametrize(
    ("to", "text", "words"),
    [
        (USER, "", "text: found nothing to show, expected some text"),
        (USER, " \n\t", "text: found nothing to show"),
        (USER, "half \ud83d", "text: half a character at 5, expected valid Unicode"),
        ("", "hi", "to: found '', expected the `from_` of a message"),
        ("two words", "hi", "to: found 'two words'"),
        ("x" * 257, "hi", "to: found 'xxx"),
        ("bell\a", "hi", "to: found"),
        (USER, "x" * 2_000 * 2_001, "text: 2001 parts, expected at most 2000"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_what_would_be_right(
    tmp_path: Path, autojump_clock: MockClock, to: str, text: str, words: str
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        await shell.until(polling)
        seq = shell.owner.seq
        with pytest.raises(SendRefusedError) as caught:
            await shell.service.send(ALICE, to, text)
        assert words in str(caught.value)
        with pytest.raises(SendRefusedError, match="key: half a character at 0"):
            await shell.service.send(ALICE, USER, "hi", key="\ud83d")
        assert shell.owner.seq == seq


async def test_a_delivery_says_where_each_of_its_parts_stands(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    refused = Code(at="sendmessage", ret=-3, errmsg="invalid arguments", skip=1)
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        served.say()
        await shell.until(lambda state: state.cursor)
        served.arm(refused)
        delivery = await shell.service.send(ALICE, USER, "x" * 5_000)
        status = delivery.status()
        assert status is not None
        assert (status.account, status.to, len(status.parts)) == (ALICE, USER, 3)
        status = await delivery.settled()
        assert status is not None
        assert status.state == "rejected"
        shown = str(served.peer.shown[USER][0].message_id)
        error = "-3 invalid arguments"
        assert status.parts == (
            PartStatus("accepted", 1, shown, None),
            PartStatus("rejected", 1, None, error),
            PartStatus("rejected", 0, None, error),
        )
        assert shell.service.delivery(delivery.id) == status


async def test_what_is_not_known_is_said_to_be_unknown(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        service = shell.service
        await shell.until(polling)
        for number in ("", ":", ":0", ":1", ":99", ":-1", ":x", ":²"):
            assert service.delivery(f"{ALICE}{number}") is None
        for digits in (18, 19, 30, 5_000):
            assert service.delivery(f"{ALICE}:{'9' * digits}") is None
        assert service.delivery(f"{BOB}:1") is None
        unknown = "no account 'bob'; configured: alice"
        with pytest.raises(UnknownAccountError, match=unknown):
            await service.send(BOB, USER, "hi")
        with pytest.raises(UnknownAccountError, match=unknown):
            await service.retry(BOB)
        with pytest.raises(UnknownAccountError, match=unknown):
            service.health(BOB)
