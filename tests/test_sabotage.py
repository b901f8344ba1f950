"""Sabotage: each promise is broken on purpose once, and somebody says so."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sabotage import Sabotage, Turn, twisted
from sabotages_qq import QQ
from sabotages_weixin import TOKENS, WEIXIN
from tidy_source import ROOT

from holdfast.core.commands import Command, Send
from holdfast.core.events import Fact
from holdfast.replay.explore.scope import State
from holdfast.replay.explore.search import Finding, doomed, moves_to, search, walk
from holdfast.replay.explore.story import write_recording
from holdfast.replay.explore.world import is_any
from holdfast.replay.platforms import PLATFORMS
from holdfast.replay.player import play_facts
from holdfast.replay.recording import read_recording

SABOTAGES = [*WEIXIN, *QQ]
STATES_MAX = 12_000
# Where a promise is broken in words: each of them must be heard at least once.
SPEAKERS = (
    "core/holdfast/core/invariants.py",
    "core/holdfast/core/weixin_invariants.py",
    "core/holdfast/core/qq_invariants.py",
    "replay/holdfast/replay/explore/account.py",
    "replay/holdfast/replay/explore/weixin_orders.py",
    "replay/holdfast/replay/explore/qq_orders.py",
    "replay/holdfast/replay/explore/qq_gateway.py",
    "replay/holdfast/replay/explore/search.py",
)
SPOKEN = re.compile(r"\[\d\] |it raised ")


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.what)
def test_a_broken_promise_is_found_soon_and_named(sabotage: Sabotage) -> None:
    graph = search(sabotage.sabotaged(), states_max=STATES_MAX)
    findings = graph.findings or doomed(graph)
    named = [found for found in findings if sabotage.words in found.what]
    assert named, [found.what for found in findings]
    assert len(named[0].moves) <= sabotage.moves_max


def test_every_word_of_a_broken_promise_is_heard() -> None:
    heard = [sabotage.words for sabotage in SABOTAGES]
    spoken = [words for file in SPEAKERS for words in _spoken(ROOT / file)]
    assert len(spoken) > len(SPEAKERS)
    unheard = [
        words
        for words in spoken
        if not any(known.startswith(words[: len(known)]) for known in heard)
    ]
    assert not unheard


def test_every_promise_is_broken_once() -> None:
    promised = re.findall(
        r"^(\d)\. ", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE
    )
    broken = {found for s in SABOTAGES for found in re.findall(r"\[(\d)\]", s.words)}
    assert broken | {*ELSEWHERE} == {*promised}


# {promise: the tests that see what no reducer can show: what the shell does}
ELSEWHERE = {
    "5": (
        "test_owner.py::test_recorded_then_stepped_then_told_then_the_next",
        "test_recovery.py::test_after_a_cut_at_any_commit_the_state_is_that_of_the_facts",
    ),
    "6": ("test_journal.py::test_a_forgotten_handle_stays_forgotten",),
    "9": (
        "test_player.py::test_another_hash_seed_gives_the_same_bytes",
        "test_sabotage.py::test_commands_that_depend_on_the_process_are_a_difference",
    ),
}


@pytest.mark.parametrize("test", [one for tests in ELSEWHERE.values() for one in tests])
def test_what_is_seen_elsewhere_is_there(test: str) -> None:
    file, name = test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text("utf-8")


def test_commands_that_depend_on_the_process_are_a_difference(tmp_path: Path) -> None:
    """[9] How much a process has done before is no fact."""
    steps = itertools.count()

    def counted(_before: State, _fact: Fact, after: State, told: list[Command]) -> Turn:
        done = next(steps)
        return after, [
            replace(c, client_id=f"{c.client_id}-{done}") if isinstance(c, Send) else c
            for c in told
        ]

    assert _replayed(Sabotage("", "", TOKENS, lambda step: step), tmp_path) == "same"
    broken = Sabotage("", "", TOKENS, twisted(counted))
    assert _replayed(broken, tmp_path) == "different"


def _replayed(sabotage: Sabotage, folder: Path) -> str:
    """Record the shortest way to a send, fold it again, and say what came of it."""
    scope = sabotage.sabotaged()
    graph = search(scope, states_max=STATES_MAX)
    ways = (moves_to(graph, number) for number in range(graph.states))
    way = next(
        way
        for way in ways
        if any(is_any(step.commands, Send) for step in walk(scope, way))
    )
    path = folder / "sent.jsonl"
    write_recording(scope, Finding(scope.name, "a part is sent", way), path)
    recorded = read_recording(path)
    lines = [line for chunk in recorded.read() for line in chunk]
    platform = PLATFORMS[scope.subject.platform]._replace(step=scope.subject.step)
    return str(play_facts(lines, recorded.start, platform, scope.policy).verdict)


def _spoken(path: Path) -> Iterator[str]:
    """Yield the words, or how they begin, of each promise that a module names."""
    tree = ast.parse(path.read_text("utf-8"))
    documents = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        words = node.value if isinstance(node, ast.Constant) else None
        if isinstance(words, str) and SPOKEN.match(words) and node not in documents:
            yield words
