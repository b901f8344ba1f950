"""The QQ platform as a pure model: token, gateway, sessions, renewal, breaches."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qq_model import Model

from holdfast.replay.world import qq
from holdfast.replay.world.qq_say import GROUP
from holdfast.replay.world.qq_settings import Settings, Strict
from holdfast.replay.world.qq_state import Peer
from holdfast.replay.world.tape import PAGE, Tape

HOUR_MS = 3_600_000


def test_ready_is_the_first_of_a_session_and_events_follow_it() -> None:
    model = Model()
    number = model.ready()
    model.say("one")
    model.say("two")
    hello, ready, one, two = model.frames(number)
    assert hello == {"op": 10, "d": {"heartbeat_interval": 41_250}}
    assert ready["d"]["shard"] == [0, 1]
    assert ready["d"]["user"]["bot"] is True
    assert [told["s"] for told in (ready, one, two)] == [1, 2, 3]
    assert one["id"] == f"C2C_MESSAGE_CREATE:{one['id'].partition(':')[2]}"
    assert one["d"]["id"] != two["d"]["id"]


def test_a_heartbeat_is_acknowledged_and_a_ping_answered() -> None:
    model = Model()
    number = model.ready()
    model.beat(number, 1)
    model.become(qq.ping(model.peer, model.at_ms, number, b"abc"))
    assert model.ops(number) == [10, "READY", 11]
    assert model.pongs() == [b"abc"]
    assert model.peer.violations == ()


def test_missed_events_come_before_resumed_which_has_a_number_of_its_own() -> None:
    model = Model()
    number = model.ready()
    model.say("seen")
    model.become(qq.leave(model.peer, model.at_ms, number))
    model.say("missed")
    again = model.dial()
    model.resume(again, 2)
    missed, resumed = model.frames(again)[1:]
    assert (missed["s"], missed["d"]["content"]) == (3, "missed")
    assert resumed == {"op": 0, "s": 4, "t": "RESUMED", "d": ""}
    model.say("next")
    assert model.frames(again)[-1]["s"] == 5
    assert model.peer.violations == ()


def test_the_renewal_is_op_7_then_4009_every_half_hour() -> None:
    model = Model()
    number = model.ready()
    for _ in range(3):
        model.beat_for(number, 1_800_000)
        assert model.ops(number)[-1] == 7
        assert model.ends(number) == [4009]
        number = model.dial()
        model.resume(number, 1)
    assert model.peer.counts.recycles == model.peer.counts.resumed == 3
    assert model.peer.counts.identifies == 1


def test_silence_for_75_s_ends_the_connection_without_a_code() -> None:
    model = Model()
    number = model.ready()
    model.wait(74_999)
    assert model.ends(number) == []
    model.wait(1)
    assert model.ends(number) == ["cut"]
    again = model.dial()
    model.resume(again, 1)
    assert model.ops(again) == [10, "RESUMED"]


def test_a_session_that_nobody_resumes_is_gone_after_its_time() -> None:
    model = Model(Settings(resume_ms=HOUR_MS))
    number = model.ready()
    model.become(qq.leave(model.peer, 0, number, 1000, "bye"))
    assert model.ends(number) == [1000]
    model.wait(HOUR_MS)
    again = model.dial()
    model.resume(again, 1)
    assert model.ops(again) == [10, 9]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", 4002),
        ('{"op":"1"}', 4002),
        ('{"op":99}', 4001),
        ('{"op":1,"d":null}', 4003),
        ('{"op":2,"d":{}}', 4002),
        ('{"op":6,"d":{"token":"x"}}', 4002),
        ('{"op":2,"d":{"token":"QQBot x"}}', 4004),
    ],
)
def test_a_breach_of_the_protocol_is_closed_with_its_code(text: str, code: int) -> None:
    model = Model()
    number = model.dial()
    model.become(qq.hear(model.peer, 0, number, text))
    assert model.ends(number) == [code]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"shard": [1, 1]}, 4010),
        ({"shard": [0]}, 4010),
        ({"intents": -1}, 4013),
        ({"intents": None}, 4013),
        ({"intents": 1 << 9}, 4014),
    ],
)
def test_an_identify_is_checked(fields: dict[str, Any], code: int) -> None:
    model = Model(Settings(granted=1 << 25))
    model.log_in()
    number = model.dial()
    model.identify(number, **fields)
    assert model.ends(number) == [code]


def test_who_has_identified_must_not_do_it_again() -> None:
    model = Model()
    number = model.ready()
    model.identify(number)
    assert model.ends(number) == [4005]


@pytest.mark.parametrize("seq", [-1, 2])
def test_a_seq_that_cannot_be_ends_the_session(seq: int) -> None:
    model = Model()
    model.become(qq.leave(model.ready_peer(), 0, 1))
    number = model.dial()
    model.resume(number, seq)
    assert model.ends(number) == [4007]
    assert model.peer.sessions == {}


def test_events_beyond_the_buffer_are_gone() -> None:
    model = Model(Settings(buffer_max=PAGE))
    number = model.ready()
    model.say(times=3 * PAGE)
    model.become(qq.leave(model.peer, 0, number))
    session = model.peer.sessions[model.session_id]
    assert session.forgotten_s == next(iter(session.buffer)).s - 1 > 0
    model.resume(again := model.dial(), session.forgotten_s - 1)
    assert model.ends(again) == [4007]


def test_intents_and_shards_choose_who_gets_an_event() -> None:
    model = Model(Settings(shards=2, concurrency=2))
    model.log_in()
    first, second = model.dial(), model.dial()
    model.identify(first, shard=[0, 2])
    model.identify(second, shard=[1, 2], intents=1 << 30)
    model.say("private")
    model.say("odd guild", place="channel", guild=str(1 << 22))
    model.say("even guild", place="channel", guild=str(2 << 22))
    model.say("odd guild", place="dm", extra={"guild_id": str(1 << 22)})
    model.happen("NEVER_HEARD_OF")
    assert [told["d"].get("content") for told in model.frames(first)[2:]] == [
        "private",
        "even guild",
        None,
    ]
    assert model.ops(second)[2:] == ["AT_MESSAGE_CREATE"]


def test_what_happens_without_a_session_is_lost_or_held() -> None:
    for held_max, names in ((0, []), (5, ["C2C_MESSAGE_CREATE"])):
        model = Model(Settings(held_max=held_max))
        model.say("early")
        assert model.ops(model.ready())[2:] == names


def test_a_second_socket_of_a_shard_is_a_breach_and_takes_over() -> None:
    model = Model()
    first = model.ready()
    second = model.dial()
    model.resume(second, 1)
    assert model.ends(first) == ["cut"]
    assert "socket 1 of its shard is open" in model.peer.violations[0]


def test_haste_is_written_down() -> None:
    model = Model()
    model.ready()
    model.identify(model.dial())
    assert any("in 5 s" in words for words in model.peer.violations)
    model = Model(Settings(strict=Strict.off()))
    model.ready()
    model.identify(model.dial())
    assert model.peer.violations == ()


def test_a_heartbeat_that_names_what_was_not_sent_is_written_down() -> None:
    model = Model()
    model.beat(model.ready(), 17)
    assert "names s 17" in model.peer.violations[0]


def test_group_messages_name_the_group_and_channels_their_guild() -> None:
    model = Model()
    number = model.ready()
    model.say(place="group", attachments=({"url": "//host/a.jpg"},))
    model.say(place="channel_all", drop=("timestamp",), extra={"ark": {}})
    group, channel = [told["d"] for told in model.frames(number)[2:]]
    assert group["group_openid"] == GROUP
    assert group["attachments"] == [{"url": "//host/a.jpg"}]
    assert "timestamp" not in channel
    assert channel["ark"] == {}


def test_the_log_holds_every_request_and_frame_with_its_time() -> None:
    model = Model()
    number = model.ready()
    model.beat_for(number, 41_250)
    kinds = [(line.at_ms, line.what) for line in model.peer.log]
    assert kinds == [
        (0, "request"),
        (0, "open"),
        (0, "told"),
        (0, "heard"),
        (0, "told"),
        (41_250, "heard"),
        (41_250, "told"),
    ]


def test_the_whole_state_survives_json() -> None:
    model = Model()
    model.say()
    model.send(msg_id=model.peer.reply_to)
    model.ready()
    model.arm_all()
    copy = msgspec.json.decode(msgspec.json.encode(model.peer), type=Peer)
    assert copy == model.peer


def test_the_model_needs_no_network_library() -> None:
    blocked = "trio", "httpx", "h11", "websockets", "holdfast.core", "holdfast.io"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}));"
        "import holdfast.replay.world.qq"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own text


@given(st.integers(0, 300), st.none() | st.integers(0, 300))
def test_a_tape_keeps_the_newest_in_order(count: int, keep: int | None) -> None:
    tape: Tape[int] = Tape()
    for item in range(count):
        tape = tape.append(item, keep=keep)
    kept = [*tape]
    assert kept == [*range(count)][count - len(kept) :]
    assert kept[::-1] == [*reversed(tape)]
    assert (len(tape), tape.total) == (len(kept), count)
    assert len(kept) >= min(count, count if keep is None else keep)
    assert keep is None or len(kept) < keep + 2 * PAGE


@given(st.lists(st.sampled_from(["say", "cut", "renew", "wait"]), max_size=30))
def test_with_resumes_nothing_is_lost_and_nothing_comes_twice(steps: list[str]) -> None:
    model = Model()
    number = model.ready()
    said, seq, got = 0, 1, list[str]()
    for step in [*steps, "cut"]:
        match step:
            case "say":
                model.say(str(said))
                said += 1
            case "wait":
                model.wait(10_000)
                model.beat(number)
            case "renew":
                model.become(qq.close(model.peer, model.at_ms, 4009))
            case _:
                model.become(qq.leave(model.peer, model.at_ms, number))
        if model.ends(number) or step == "cut":
            number = model.dial()
            model.resume(number, seq)
        for told in model.frames(number):
            if told.get("s", 0) > seq:
                seq = told["s"]
                got += [told["d"]["content"]] if told["t"] != "RESUMED" else []
    assert got == [str(nth) for nth in range(said)]
    assert model.peer.violations == ()
