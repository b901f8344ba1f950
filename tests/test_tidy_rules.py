"""Each tidy rule against code that breaks it: a rule that finds nothing is broken.

Lines that a rule must report end in `<--`; it must report no other line.
"""

import re

import pytest
import tidy_rules
from test_tidy import RULES
from tidy_core import foreign_imports, impure_names, inexact_numbers, shared_state
from tidy_sets import unordered_loops
from tidy_source import Check, Source

MARK = re.compile(r" *<--$", re.MULTILINE)

# {rule: code in which the marked lines break it}
BROKEN: dict[Check, str] = {
    tidy_rules.platform_branches: """
def pick(account, name):
    if account.platform == "qq":  <--
        return 1
    if name in ("weixin", "other"):  <--
        return 2
    match name:
        case "qq":  <--
            return 3
        case "bob":
            return 4
    table = {"qq": 5}
    return table[name]
""",
    foreign_imports: """
from __future__ import annotations
import time  <--
import msgspec.json
import trio  <--
from collections import abc, deque  <--
from collections.abc import Mapping
from dataclasses import dataclass  <--
from functools import cache, partial  <--
from hashlib import blake2b
import hashlib  <--
from holdfast import core
from holdfast.core.events import Started
from holdfast.io import owner  <--
from . import events  <--
def late():
    from random import random  <--
""",
    impure_names: """
first = hash("a")  <--
second = sorted(things, key=id)  <--
third = state.id
print(third)  <--
with open("x") as file:  <--
    pass
fourth = globals()  <--
""",
    inexact_numbers: """
half = 0.5  <--
third = 1 / 3  <--
third = 1 // 3
third /= 2  <--
def ratio(part: float) -> int:  <--
    return part * 2
from operator import truediv  <--
""",
    shared_state: """
import msgspec
from operator import add
SEEN = {}
QUEUE: list[int] = []
class Phase:
    known = []
def count(local):
    global SEEN  <--
    local.append(1)
    add(local, 1)
    SEEN["a"] = local  <--
    QUEUE.append(local)  <--
    QUEUE[0].inner.clear()  <--
    Phase.known = local  <--
    del SEEN["a"]  <--
    msgspec.limit = 1  <--
    return QUEUE[0]
def shadow(QUEUE):
    SEEN = []
    SEEN.append(QUEUE.pop())
def outer():
    inside = []
    def inner():
        nonlocal inside  <--
        inside.append(1)
SEEN["b"] = 1
""",
    unordered_loops: """
from msgspec import Struct
class State(Struct):
    done: frozenset[str] = frozenset()
    maybe: "set[str] | None" = None
    peers: dict[str, int]
def tokens() -> set[str]: ...
def loops(state: State, given: set[int], other, plain: list[int]):
    for x in {1, 2}: ...  <--
    for x in plain: ...
    for x in given: ...  <--
    for x in state.done: ...  <--
    for x in state.maybe or (): ...  <--
    for x in state.peers: ...
    for x in tokens(): ...  <--
    for x in other.tokens(): ...  <--
    for x in given | other: ...  <--
    for x in other.keys() - plain: ...  <--
    for x in sorted(given): ...
    for x in sorted(given, key=len): ...  <--
    for x in plain if other else given.union(plain): ...  <--
def calls(given: set[int], other):
    both = alias = given
    text = ",".join(both)  <--
    text = f"{alias}"  <--
    text = str({1, 2})  <--
    first = next(iter(given))  <--
    last = given.pop()  <--
    items = [*given]  <--
    print(*given)  <--
    head, *tail = given  <--
    items = list(x for x in given)  <--
    items = [x for x in given]  <--
    items = {x: 1 for x in given}  <--
    lazy = (x for x in given)  <--
    kept = {x for x in given}
    kept = {*given, 1}
    yes = any(x for x in given) and 3 in given and len(given)
    low = min(given)
    low = min(given, key=abs)  <--
    tuple(given)  <--
    yield from given  <--
def capture(state):
    match state:
        case State(done=done):
            return list(done)  <--
def shadow(given):
    for x in given: ...
    return [len(names) for names in given]
names = {1}
squares = [x * x for x in names]  <--
later = lambda: list(names)  <--
""",
    tidy_rules.blanket_excepts: """
try: ...
except: ...  <--
try: ...
except (ValueError, Exception): ...  <--
try: ...
except* builtins.BaseException: ...  <--
try: ...
except (ValueError, OSError): ...
with contextlib.suppress(Exception): ...  <--
with contextlib.suppress(KeyError): ...
""",
    tidy_rules.borrowed_libraries: """
import sqlite3  <--
from sqlite3 import connect  <--
import sqlite3x
import regex  <--
import re
""",
    tidy_rules.calendar_fields: """
class Fact(Struct):
    at_ms: int
    when: datetime  <--
    since: datetime.date | None  <--
    waits: list[timedelta]  <--
    def later(self, by: timedelta) -> datetime: ...
""",
    tidy_rules.open_ends: '''
x = 1  # TODO: think  <--
x = 1  # TODO(#12): think
x = "TODO"
def f():
    """Do.

    FIXME: or do not.  <--
    HACK, see docs/adr/0003-codes.md.
    """
''',
    tidy_rules.real_sleeps: """
import time, trio
from time import sleep  <--
async def test_it():
    time.sleep(1)  <--
    await trio.sleep(1)  <--
    await trio.sleep(0)
    await other.sleep(1)
""",
    tidy_rules.second_import_path: """
import io
from io import BytesIO
import core.holdfast.core  <--
from core import session  <--
from io.holdfast.io import owner  <--
from replay.holdfast import replay  <--
from holdfast.core import session
""",
    tidy_rules.unexplained_ignores: """
x = 1  # noqa  <--
x = 1  # noqa: E501  <--
x = 1  # noqa: E501, F401 - a table
x = 1  # noqa: E501  # a table
x = 1  # type: ignore[attr-defined]  <--
x = 1  # type: ignore[attr-defined]  # the library has no types
x = 1  # type: ignore[attr-defined]  # noqa: E501  <--
x = 1  # pragma: no cover  <--
x = 1  # pragma: no cover - Windows alone
x = "# noqa"
""",
}

BY_PATH: dict[Check, tuple[list[str], list[str]]] = {
    tidy_rules.namespace_markers: (
        ["io/__init__.py", "core/holdfast/__init__.py"],
        ["core/holdfast/core/__init__.py", "tests/__init__.py"],
    ),
    tidy_rules.vague_modules: (
        ["tests/utils.py", "io/holdfast/io/http_helpers.py"],
        ["io/holdfast/io/http.py", "tests/datadriven.py"],
    ),
    tidy_rules.borrowed_libraries: (
        ["io/holdfast/io/vault.py", "tests/journal.py"],
        ["io/holdfast/io/journal.py", "replay/holdfast/replay/simulate/disk.py"],
    ),
}


def found_lines(check: Check, code: str) -> list[int]:
    source = Source("tests/snippet.py", MARK.sub("", code))
    return sorted({finding.line for finding in check([source])})


def marked_lines(code: str) -> list[int]:
    return [n for n, line in enumerate(code.splitlines(), 1) if line.endswith("<--")]


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_a_rule_reports_the_lines_that_break_it_and_no_other(rule: Check) -> None:
    assert marked_lines(BROKEN[rule])
    assert found_lines(rule, BROKEN[rule]) == marked_lines(BROKEN[rule])


@pytest.mark.parametrize("rule", BY_PATH, ids=lambda rule: rule.__name__)
def test_a_rule_about_places_reports_the_wrong_ones_alone(rule: Check) -> None:
    wrong, right = BY_PATH[rule]
    sources = [Source(path, "import sqlite3\n") for path in (*wrong, *right)]
    assert [finding.path for finding in rule(sources)] == wrong


def test_each_rule_has_code_that_breaks_it_and_one_sentence_that_says_why() -> None:
    assert RULES.keys() == BROKEN.keys() | BY_PATH.keys()
    for rule in RULES:
        assert rule.__doc__ is not None
        assert re.fullmatch(r"[^\n]+\.", rule.__doc__), rule.__name__


def test_sleeping_on_a_virtual_clock_is_no_waiting() -> None:
    code = "async def test_it(autojump_clock):\n    await trio.sleep(9)\n"
    assert found_lines(tidy_rules.real_sleeps, code) == []
    assert found_lines(tidy_rules.real_sleeps, code.replace("trio", "time")) == [2]


def long_source() -> Source:
    body = "".join(f"        x = {n}\n" for n in range(70))
    code = f"class A:\n    def f():\n{body}" + "\n" * 300
    return Source("tests/long.py", code)


def test_a_size_over_its_limit_and_an_allowance_over_its_need_are_reported() -> None:
    over = tidy_rules.sizes([long_source()])
    assert over == {"tests/long.py": 372, "tests/long.py::A.f": 71}
    assert faults(over, {}) == 2
    assert faults(over, over) == 0
    assert faults(over, {name: lines - 1 for name, lines in over.items()}) == 2
    assert faults(over, {name: lines + 1 for name, lines in over.items()}) == 2
    assert faults({}, over) == 2


def faults(over: dict[str, int], allowed: dict[str, int]) -> int:
    return len(list(tidy_rules.ratchet(over, allowed)))
