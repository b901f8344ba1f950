from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from lives import ACCOUNT, Life, recorded
from spoiled import changed, diverged, facts_of, sealed

from holdfast.core import weixin
from holdfast.core.events import Fact, Started
from holdfast.core.policy import Policy
from holdfast.replay.digests import encode_state
from holdfast.replay.lines import NO_STATE
from holdfast.replay.platforms import PLATFORMS
from holdfast.replay.player import Verdict, play
from holdfast.replay.recording import LineEncoder, Recording, new_header, read_recording

SMALL = recorded(Life(3, trouble=120), 60)
LINES = SMALL.splitlines(keepends=True)
LONG = recorded(Life(5, trouble=60), 3_000)
WEIXIN = PLATFORMS["weixin"]


def with_platform(content: bytes, **parts: Any) -> Recording:
    recording = read_recording(content)
    return recording._replace(platform=recording.platform._replace(**parts))


def foreign(line: bytes) -> bytes:
    """Return the same line as another program would write it."""
    told = msgspec.json.decode(line)
    if "commands" in told:
        told["commands"] = [dict(reversed(one.items())) for one in told["commands"]]
        told = dict(reversed(told.items()))
    return msgspec.json.format(msgspec.json.encode(told), indent=0) + b"\r\n"


def test_another_order_and_blanks_are_no_difference() -> None:
    result = play(sealed([*map(foreign, LINES[:-1]), LINES[-1]]))
    assert result.verdict is Verdict.SAME, result
    assert result.facts == 60


def test_a_wrong_checkpoint_is_found_at_its_fact() -> None:
    lines = LONG.splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if b',"state":{' in line)
    place = LONG.find(b'"spent":', LONG.find(b',"state":{')) + len(b'"spent":')
    result = play(changed(LONG, place))
    found = diverged(result)
    assert (found.kind, found.seq) == ("state", number)
    assert [change.path.split(".")[-1] for change in found.changes] == ["spent"]


def test_a_wrong_final_digest_is_a_difference() -> None:
    found = diverged(play(sealed(LINES, state="0" * 32)))
    assert (found.kind, found.seq) == ("end", 60)
    assert found.changes[0].recorded == "0" * 32


def test_an_end_line_of_another_seq_is_damage() -> None:
    result = play(sealed(LINES, seq=61))
    assert result.verdict is Verdict.DAMAGED
    assert "ends at seq 61, but the last fact is seq 60" in str(result.damage)


@pytest.mark.parametrize("invariants", [True, False])
def test_a_reducer_that_fails_is_a_finding(*, invariants: bool) -> None:
    def step(state: Any, fact: Fact, policy: Policy) -> Any:
        if fact.seq == 33:
            raise LookupError(fact.event)
        return weixin.step(state, fact, policy)

    result = play(with_platform(SMALL, step=step), invariants=invariants)
    found = diverged(result)
    assert (found.kind, found.seq, result.facts) == ("fault", 33, 32)
    assert found.fault.startswith("LookupError: ")
    assert found.fact


def test_a_judge_that_fails_is_a_finding_too() -> None:
    def broken(*facts: object) -> list[str]:
        return [str(facts[99])]

    found = diverged(play(with_platform(SMALL, broken=broken)))
    assert (found.kind, found.seq) == ("fault", 1)


def judge(bad: Callable[[Fact], bool]) -> Callable[..., list[str]]:
    def broken(_before: Any, fact: Fact, *_: Any) -> list[str]:
        return ["[9] a promise"] if bad(fact) else []

    return broken


def test_broken_promises_are_listed_and_do_not_stop_the_replay() -> None:
    recording = with_platform(SMALL, broken=judge(lambda fact: fact.seq in (7, 9)))
    result = play(recording)
    assert (result.verdict, result.facts) == (Verdict.BROKEN, 60)
    assert [(one.seq, one.promises) for one in result.broken] == [
        (7, ("[9] a promise",)),
        (9, ("[9] a promise",)),
    ]
    assert play(recording, invariants=False).verdict is Verdict.SAME


def test_promises_before_a_difference_are_listed_once() -> None:
    recording = with_platform(
        changed(SMALL, SMALL.rfind(b'"epoch":') + 9),
        broken=judge(lambda fact: fact.seq == 7),
    )
    result = play(recording)
    assert result.divergence is not None
    assert [one.seq for one in result.broken] == [7]


def test_a_list_of_broken_promises_ends() -> None:
    result = play(with_platform(LONG, broken=judge(lambda _: True)))
    assert len(result.broken) == 100


def with_policy_from(seq: int) -> tuple[bytes, Policy]:
    """Return a recording in which a new process brings another policy."""
    poll = msgspec.structs.replace(weixin.POLICY.poll, grace_ms=7_000)
    policy = msgspec.structs.replace(weixin.POLICY, poll=poll)
    life = Life(3, trouble=0)
    lines = LineEncoder(new_header("weixin", "alice", life.start, life.policy))
    content = lines.begin()
    for turn in life.turns(seq - 1):
        content += lines.add(*turn)
    at_ms, state = turn.fact.at_ms, turn.after
    facts = [Fact(seq, at_ms, Started(5, policy=policy))]
    facts += [
        Fact(seq + turn.fact.seq, at_ms + turn.fact.at_ms, turn.fact.event)
        for turn in Life(3, trouble=0).turns(60)
    ][1:]
    facts = [Fact(seq + i, fact.at_ms, fact.event) for i, fact in enumerate(facts)]
    for fact in facts:
        state, commands = weixin.step(state, fact, policy)
        content += lines.add(fact, commands, state)
    return content + lines.finish(), policy


@pytest.mark.parametrize("invariants", [True, False])
def test_a_new_process_brings_its_policy(*, invariants: bool) -> None:
    content, policy = with_policy_from(400)
    assert play(content, invariants=invariants).verdict is Verdict.SAME
    fixed = play(content, weixin.POLICY, invariants=invariants)
    assert diverged(fixed).seq > 400
    assert diverged(play(content, policy, invariants=invariants)).seq < 400


def test_a_checkpoint_decodes_to_the_state_it_was() -> None:
    for line in facts_of(LONG):
        if line.state is not NO_STATE:
            state = msgspec.json.decode(line.state, type=WEIXIN.state)
            assert encode_state(state) == bytes(line.state)
            assert state.account_id == ACCOUNT
