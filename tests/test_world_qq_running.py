"""Faults of the QQ platform's gateway: those of a running connection."""

import json
from typing import Any

import msgspec
import pytest
from qq_model import Model

from holdfast.replay.world import qq
from holdfast.replay.world.qq_faults import (
    Acks,
    Closing,
    Freeze,
    Noise,
    Silence,
    Twist,
    Withhold,
)
from holdfast.replay.world.qq_settings import Settings


def test_half_open_nothing_comes_and_a_new_socket_is_no_breach() -> None:
    model = Model()
    number = model.ready()
    model.arm(Silence(from_ms=1_000))
    model.wait(1_000)
    model.beat(number)
    model.become(qq.ping(model.peer, model.at_ms, number))
    model.say("missed")
    assert (model.ops(number), model.pongs()) == ([10, "READY"], [])
    model.wait(80_000)
    assert model.ends(number) == []
    assert model.peer.counts.drops == 1
    again = model.dial()
    model.resume(again, 1)
    assert model.ops(again)[1:] == ["C2C_MESSAGE_CREATE", "RESUMED"]
    assert model.peer.violations == ()


def test_a_half_open_socket_can_be_replaced_before_the_platform_drops_it() -> None:
    model = Model()
    number = model.ready()
    model.arm(Silence())
    again = model.dial()
    model.resume(again, 1)
    assert model.ops(again)[-1] == "RESUMED"
    assert number not in model.peer.sockets
    assert model.peer.violations == ()


def test_a_freeze_delays_everything_and_drops_nobody() -> None:
    model = Model()
    number = model.ready()
    model.arm(Freeze(to_ms=322_000))
    model.beat(number)
    model.become(qq.ping(model.peer, 0, number, b"x"))
    model.say("frozen")
    assert model.raw("GET", "/gateway").delay_ms == 322_000
    model.wait(321_999)
    assert model.ops(number) == [10, "READY"]
    model.wait(1)
    assert model.ops(number)[2:] == [11, "C2C_MESSAGE_CREATE"]
    assert model.pongs() == [b"x"]
    assert model.ends(number) == []


def test_acks_are_lost_or_late_while_events_come() -> None:
    model = Model()
    number = model.ready()
    model.arm(Acks(count=1))
    model.beat(number)
    model.say("still here")
    assert model.ops(number)[2:] == ["C2C_MESSAGE_CREATE"]
    model.arm(Acks(late_ms=5_000, count=1))
    model.beat(number)
    model.wait(5_000)
    assert model.ops(number)[3:] == [11]


@pytest.mark.parametrize("lost", [False, True])
def test_events_stop_while_acks_come(*, lost: bool) -> None:
    model = Model()
    number = model.ready()
    model.arm(Withhold(lost=lost, event="C2C_MESSAGE_CREATE"))
    model.say("withheld")
    model.beat(number)
    model.happen("FRIEND_ADD")
    assert model.ops(number)[2:] == [11, "FRIEND_ADD"]
    model.become(qq.leave(model.peer, 0, number))
    again = model.dial()
    model.resume(again, 1)
    assert ("C2C_MESSAGE_CREATE" in model.ops(again)) is not lost


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kind": "heartbeat"}, '{"op":1,"d":null}'),
        ({"kind": "opcode"}, '{"op":77,"d":{}}'),
        ({"kind": "malformed"}, '{"op":0,"s":'),
        ({"kind": "raw", "text": "anything"}, "anything"),
    ],
)
def test_noise_means_nothing(fields: dict[str, Any], text: str) -> None:
    model = Model()
    number = model.ready()
    model.arm(msgspec.convert({"type": "noise"} | fields, Noise))
    assert model.texts(number)[2:] == [text]


def test_unknown_and_huge_events_take_a_number() -> None:
    model = Model()
    number = model.ready()
    model.arm(Noise(kind="event"))
    model.arm(Noise(kind="huge"))
    model.say("next")
    assert [told.get("s") for told in model.frames(number)[1:]] == [1, 2, 3, 4]
    assert len(model.texts(number)[3]) > 1_000_000


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"kind": "repeat"}, [2, 2, 3]),
        ({"kind": "skip", "by": 5}, [7, 8]),
        ({"kind": "back", "by": 1}, [1, 3]),
        ({"kind": "copy"}, [2, 3, 4]),
        ({"kind": "no_s"}, [None, 3]),
        ({"kind": "no_id"}, [2, 3]),
        ({"kind": "late", "after_ms": 1}, [3, 2]),
        ({"kind": "fields", "set": {"timestamp": 1}, "drop": ["author"]}, [2, 3]),
        ({"kind": "huge"}, [2, 3]),
    ],
)
def test_a_dispatch_is_twisted(fields: dict[str, Any], numbers: list[int]) -> None:
    model = Model()
    number = model.ready()
    model.arm(msgspec.convert({"type": "twist", "count": 1} | fields, Twist))
    model.say("one")
    model.wait(0)
    model.say("two")
    model.wait(420_000)
    told = model.frames(number)[2:]
    told = [one for one in told if one.get("t") == "C2C_MESSAGE_CREATE"]
    if fields["kind"] == "copy":
        assert told[0]["d"] == told[1]["d"]
    assert [one.get("s") for one in told] == numbers
    first = model.texts(number)[2]
    match fields["kind"]:
        case "no_id":
            assert "id" not in told[0]
        case "fields":
            assert told[0]["d"]["timestamp"] == 1
            assert "author" not in told[0]["d"]
        case "huge":
            assert len(first) > 1_000_000
        case _:
            assert "id" in told[0]


def test_a_copy_comes_seven_minutes_later() -> None:
    model = Model()
    number = model.ready()
    model.arm(Twist(kind="copy", after_ms=420_000, count=1))
    model.say("again")
    model.beat_for(number, 420_000)
    told = [one for one in model.frames(number) if one.get("t") == "C2C_MESSAGE_CREATE"]
    assert [one["s"] for one in told] == [2, 3]
    assert told[0]["d"]["id"] == told[1]["d"]["id"]


def test_one_group_message_comes_under_both_names() -> None:
    model = Model()
    number = model.ready()
    model.arm(Twist(kind="full"))
    model.say(place="group")
    model.wait(0)
    first, second = model.frames(number)[2:]
    assert (first["t"], second["t"]) == (
        "GROUP_AT_MESSAGE_CREATE",
        "GROUP_MESSAGE_CREATE",
    )
    assert first["d"] == second["d"]


def test_half_a_frame_is_kept_whole_for_the_resume() -> None:
    model = Model()
    number = model.ready()
    model.arm(Twist(kind="malformed", event="C2C_MESSAGE_CREATE", count=1))
    model.say("torn")
    with pytest.raises(json.JSONDecodeError):
        json.loads(model.texts(number)[-1])
    model.become(qq.leave(model.peer, 0, number))
    again = model.dial()
    model.resume(again, 1)
    assert model.frames(again)[1]["d"]["content"] == "torn"


def test_after_op_9_in_mid_session_the_same_socket_may_identify_again() -> None:
    model = Model()
    number = model.ready()
    model.arm(Closing(first="op9_false"))
    model.beat(number)
    model.wait(5_000)
    model.identify(number)
    assert model.ops(number)[2:] == [9, 11, "READY"]
    assert model.peer.violations == ()


def test_a_day_has_48_renewals_and_one_identify() -> None:
    model = Model(Settings(log_max=0))
    number, renew_ms, said, seq = model.ready(), 7_155_000, 0, 1
    while model.at_ms < 24 * 3_600_000:
        model.wait(41_250)
        if model.at_ms >= renew_ms:
            left_ms = int(model.log_in()["expires_in"]) * 1_000
            renew_ms = model.at_ms + max(left_ms - 45_000, 5_000)
        if model.ends(number):
            number, model.outs = model.dial(), []
            model.resume(number, seq)
        model.beat(number, seq)
        assert "id" in model.send(msg_id=model.say())
        said, seq = said + 1, model.peer.sessions[model.session_id].s
    counts = model.peer.counts
    assert (counts.identifies, counts.drops, counts.violations) == (1, 0, 0)
    assert counts.recycles == counts.resumed == 47
    assert counts.sends == counts.events == said
