"""Faults of the QQ platform's gateway: each kind does what it says, when it says."""

from typing import Any

import msgspec
import pytest
from qq_model import Model

from holdfast.replay.world import qq
from holdfast.replay.world.qq_faults import (
    Closing,
    Hello,
    Identify,
    Resume,
)
from holdfast.replay.world.qq_settings import Settings


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Hello(interval_ms=1), [{"op": 10, "d": {"heartbeat_interval": 1}}]),
        (Hello(kind="absent"), [{"op": 10, "d": {}}]),
        (Hello(kind="silent"), []),
        (Hello(kind="late", late_ms=9), []),
    ],
)
def test_hello_is_another(fault: Hello, told: list[Any]) -> None:
    model = Model()
    model.arm(fault)
    number = model.dial()
    assert model.frames(number) == told
    model.wait(9)
    assert len(model.frames(number)) == (fault.kind != "silent")


def test_who_does_not_wait_for_hello_is_written_down() -> None:
    model = Model()
    model.arm(Hello(kind="late", late_ms=1_000))
    number = model.ready()
    assert model.peer.violations == ("socket 1: op 2 before Hello",)
    assert model.ops(number) == ["READY"]


@pytest.mark.parametrize(
    ("fields", "ops", "ends"),
    [
        ({"first": "op9_false", "close": 4903}, [10, 9], [4903]),
        ({"first": "op9_false"}, [10, 9], []),
        ({"close": 4014}, [10], [4014]),
        ({"close": 4915}, [10], [4915]),
        ({"close": 1006}, [10], ["cut"]),
        ({}, [10], []),
        ({"kind": "late", "late_ms": 5_000}, [10], []),
        ({"kind": "bend", "set": {"shard": [0, 0]}}, [10, "READY"], []),
    ],
)
def test_an_identify_has_another_outcome(
    fields: dict[str, Any], ops: list[Any], ends: list[Any]
) -> None:
    model = Model()
    model.arm(msgspec.convert({"type": "identify", "count": 1} | fields, Identify))
    number = model.ready()
    assert (model.ops(number), model.ends(number)) == (ops, ends)
    model.say("after")
    model.wait(5_000)
    again = model.dial() if ends else number
    if fields.get("kind") == "late":
        assert model.ops(again) == [10, "READY", "C2C_MESSAGE_CREATE"]
    if "set" in fields:
        assert model.frames(again)[1]["d"]["shard"] == [0, 0]


def interrupted(fault: Resume | None = None) -> tuple[Model, int]:
    """Let a client miss the events 3 to 5 of a session, then resume after 2."""
    model = Model()
    number = model.ready()
    model.say("2")
    model.become(qq.leave(model.peer, 0, number))
    for text in ("3", "4", "5"):
        model.say(text)
    if fault:
        model.arm(fault)
    again = model.dial()
    model.resume(again, 2)
    return model, again


@pytest.mark.parametrize(
    ("fields", "ops", "ends", "kept"),
    [
        ({"first": "op9_false"}, [9], [], False),
        ({"first": "op9_true"}, [9], [], True),
        ({"close": 4006}, [], [4006], False),
        ({"close": 4007}, [], [4007], False),
        ({"close": 4902}, [], [4902], False),
        ({"close": 1006}, [], ["cut"], True),
        ({"close": 4000}, [], [4000], True),
        ({}, [], [], True),
    ],
)
def test_a_resume_is_refused(
    fields: dict[str, Any], ops: list[Any], ends: list[Any], *, kept: bool
) -> None:
    fault = msgspec.convert({"type": "resume", "count": 1} | fields, Resume)
    model, number = interrupted(fault)
    assert (model.ops(number)[1:], model.ends(number)) == (ops, ends)
    again = model.dial()
    model.resume(again, 2)
    assert (model.ops(again)[-1] == "RESUMED") is kept


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"kind": "again"}, [2, 3, 4, 5, 6]),
        ({"kind": "shuffle"}, [5, 4, 3, 6]),
        ({"kind": "gap", "by": 2}, [5, 6]),
        ({"kind": "early"}, [6, 3, 4, 5]),
        ({"kind": "ready"}, [3, 4, 5, 6]),
        ({"kind": "object"}, [3, 4, 5, 6]),
        ({"kind": "late", "late_ms": 7_000}, []),
    ],
)
def test_a_replay_is_another(fields: dict[str, Any], numbers: list[int]) -> None:
    fault = msgspec.convert({"type": "resume"} | fields, Resume)
    model, number = interrupted(fault)
    told = model.frames(number)[1:]
    assert [one["s"] for one in told] == numbers
    last = next((one for one in told if one["s"] == 6), {})
    match fault.kind:
        case "late":
            model.wait(7_000)
            assert model.ops(number)[-1] == "RESUMED"
        case "ready":
            assert last["d"]["session_id"] == model.session_id
        case "object":
            assert (last["t"], last["d"]) == ("RESUMED", {})
        case _:
            assert (last["t"], last["d"]) == ("RESUMED", "")


@pytest.mark.parametrize(
    ("fields", "ops", "ends"),
    [
        ({"first": "op7"}, [7], []),
        ({"first": "op7", "close": 4009, "after_ms": 60_000}, [7], [4009]),
        ({"close": 4009}, [], [4009]),
        ({"close": 4008}, [], [4008]),
        ({"close": 4000}, [], [4000]),
        ({"close": 4900}, [], [4900]),
        ({"close": 4321}, [], [4321]),
        ({"first": "op9_false"}, [9], []),
        ({"close": 1006, "reset": True}, [], ["reset"]),
    ],
)
def test_a_running_connection_is_hit_once(
    fields: dict[str, Any], ops: list[Any], ends: list[Any]
) -> None:
    model = Model()
    number = model.ready()
    fault = msgspec.convert({"type": "closing", "from_ms": 10_000} | fields, Closing)
    model.arm(fault)
    model.wait(70_000)
    assert (model.ops(number)[2:], model.ends(number)) == (ops, ends)
    model.log_in()
    again = model.dial()
    model.resume(again, 1)
    dropped = fields.get("close") == 4900 or fields.get("first") == "op9_false"
    assert model.ops(again)[1:] == ([9] if dropped else ["RESUMED"])


def test_connections_may_be_hit_each_time_they_are_up() -> None:
    model = Model()
    model.arm(Closing(close=4009, up_ms=2_000, count=3))
    number = model.ready()
    for _ in range(3):
        model.wait(2_000)
        assert model.ends(number) == [4009]
        number = model.dial()
        model.resume(number, 1)
    model.wait(60_000)
    assert model.ends(number) == []


def test_the_late_close_of_the_old_socket_comes_when_the_new_one_is_up() -> None:
    model = Model(Settings(recycle_gap_ms=30_000))
    old = model.ready()
    model.beat_for(old, 1_800_000)
    new = model.dial()
    model.resume(new, 1)
    assert model.ends(old) == []
    model.wait(30_000)
    assert model.ends(old) == [4009]
    model.say("on the new one")
    assert model.ops(new)[-1] == "C2C_MESSAGE_CREATE"
    assert model.peer.violations == ()
