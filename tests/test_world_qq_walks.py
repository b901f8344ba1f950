"""Random walks through the QQ platform: whatever comes, it goes on."""

import json
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from qq_model import Model

from holdfast.replay.world import qq
from holdfast.replay.world.qq_faults import AnyFault, Noise, Twist
from holdfast.replay.world.qq_state import Peer

PLAIN = [kind for kind in get_args(AnyFault) if kind not in {Noise, Twist}]
FAULTS: st.SearchStrategy[AnyFault] = st.one_of(
    *(st.builds(kind, from_ms=st.just(1_000), to_ms=st.just(60_000)) for kind in PLAIN),
    st.from_type(Noise.__annotations__["kind"]).map(lambda kind: Noise(kind=kind)),
    st.from_type(Twist.__annotations__["kind"]).map(lambda kind: Twist(kind=kind)),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.fixed_dictionaries(
        {"op": st.sampled_from([1, 2, 6, 7, None])},
        optional={"d": st.none() | st.integers() | st.just({}) | st.just([])},
    ).map(json.dumps),
)
STEPS = st.one_of(
    FAULTS,
    TEXTS,
    st.sampled_from(["wait", "dial", "say", "send", "leave", "ping"]).map(
        lambda word: (word,)
    ),
)


def move(model: Model, step: Any) -> None:
    number = model.peer.counts.connections
    match step:
        case str():
            model.become(qq.hear(model.peer, model.at_ms, number, step))
        case ("wait",):
            model.wait(20_000)
        case ("dial",):
            model.ready()
        case ("say",):
            model.say()
        case ("send",):
            model.send(msg_id=model.peer.reply_to)
        case ("leave",):
            model.become(qq.leave(model.peer, model.at_ms, number, 1000))
        case ("ping",):
            model.become(qq.ping(model.peer, model.at_ms, number))
        case _:
            model.arm(step)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_whatever_comes_nothing_stays_due_and_the_state_is_a_value(
    steps: list[Any],
) -> None:
    model = Model()
    model.ready()
    for step in steps:
        move(model, step)
        model.become(qq.tick(model.peer, model.at_ms))
        wake = qq.wake_ms(model.peer, model.at_ms)
        assert wake is None or wake > model.at_ms
    again = msgspec.json.decode(msgspec.json.encode(model.peer), type=Peer)
    assert again == model.peer
