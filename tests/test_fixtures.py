"""Every script under fixtures/ comes true, and no line of one can go unread."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from datadriven import (
    FIXTURES,
    FOLDERS,
    RULE,
    differences,
    parse,
    platform_of,
    play,
    rewritten,
    scripts,
)
from scripted import QQ, WEIXIN, ScriptError

from holdfast.replay.platforms import Platform

# Of `test_incidents` and `test_known_bad`.
OTHERS = ("incidents", "known_bad")
SCRIPT = """\
# It broke.

start
----
session=active connection=heartbeating

poll_failed at_ms=61000 epoch=2 kind=reset
----
session=active connection=reconnecting lost=1
  set_timer name=connection.retry due_ms=61809
"""


def title(path: Path) -> str:
    return path.relative_to(FIXTURES).with_suffix("").as_posix()


@pytest.mark.parametrize("path", scripts(), ids=title)
def test_the_script_comes_true(path: Path, pytestconfig: pytest.Config) -> None:
    name, text = f"fixtures/{title(path)}.txt", path.read_text("utf-8")
    if pytestconfig.getoption("--rewrite"):
        path.write_text(rewritten(name, text, platform_of(path)), "utf-8")
        return
    found = list(differences(name, text, platform_of(path)))
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("path", scripts(), ids=title)
def test_the_script_begins_with_what_broke_and_has_the_runners_form(path: Path) -> None:
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+\.txt", path.name)
    text = path.read_text("utf-8")
    first = next(parse(text))
    assert all(line.startswith("# ") for line in first.head)
    assert first.said is None
    assert any(block.said is not None for block in parse(text))
    assert all(line == line.rstrip() and len(line) < 500 for line in text.split("\n"))
    assert text == rewritten(path.name, text, platform_of(path))


def test_nothing_lies_where_no_runner_looks() -> None:
    assert sorted(path.name for path in FIXTURES.iterdir()) == sorted(
        [*FOLDERS, *OTHERS]
    )
    for name in FOLDERS:
        assert all(path.suffix == ".txt" for path in (FIXTURES / name).iterdir()), name


def test_a_true_script_has_no_differences_and_is_its_own_rewriting() -> None:
    assert list(differences("s.txt", SCRIPT)) == []
    assert rewritten("s.txt", SCRIPT) == SCRIPT


def test_a_difference_names_file_and_line_and_shows_both() -> None:
    wrong = SCRIPT.replace("61809", "61810")
    (found,) = differences("s.txt", wrong)
    assert found.startswith("s.txt:9: said\n")
    assert "61810" in found.partition("happened")[0]
    assert "61809" in found.partition("happened")[2]


def test_rewriting_fills_in_what_is_missing_and_replaces_what_is_wrong() -> None:
    bare = "\n\n".join(
        "\n".join(block.head) for block in parse(SCRIPT.replace("It broke", "Still"))
    )
    assert rewritten("s.txt", bare) == SCRIPT.replace("It broke", "Still")
    wrong = SCRIPT.replace("lost=1", "lost=2").replace("  set_timer", "  clear_timer")
    assert rewritten("s.txt", wrong) == SCRIPT


def test_a_block_without_its_outcome_is_a_difference() -> None:
    (found,) = differences("s.txt", "# It broke.\n\nstart\n")
    assert found == f"s.txt:3: no {RULE}, so nothing is compared"


def test_an_outcome_that_nothing_led_to_is_a_difference() -> None:
    text = f"{SCRIPT}\n# A comment alone.\n{RULE}\n  poll epoch=9\n"
    (found,) = differences("s.txt", text)
    assert found.startswith("s.txt:14: said\n  poll epoch=9\nhappened")


TYPOS = {
    "strat": "'strat' needs at_ms= as its first field",
    "start now": "'start' needs at_ms= as its first field",
    "poll_answered epoch=2 at_ms=61000": "needs at_ms= as its first field",
    "poll_answered at_ms=61s epoch=2": "needs at_ms= as its first field",
    "poll_answered at_ms=-1 epoch=2": "needs at_ms= as its first field",
    "poll_anwsered at_ms=61000 epoch=2": "'poll_anwsered' is no fact",
    "poll_answered at_ms=61000 epoch=2 ercode=-14": "'ercode' is none",
    "poll_answered at_ms=61000 epoch=2 epoch=3": "'epoch' is given twice",
    "poll_answered at_ms=61000": "poll_answered lacks epoch",
    "poll_answered at_ms=61000 epoch=two": "poll_answered epoch=two",
    'poll_answered at_ms=61000 epoch=2 errmsg="x': "a quote is not closed",
    "poll_answered at_ms=100 epoch=2": "time never goes back",
    "retry_requested": "needs at_ms= as its first field",
    " retry_requested at_ms=61000": "needs at_ms= as its first field",
    "fire session.retry": "no timer 'session.retry' is set",
    "fire": "'fire' needs at_ms=",
    "start": "start comes first",
    "policy delivery.budget=2": "policy stands alone",
}


@pytest.mark.parametrize(("typo", "words"), TYPOS.items())
def test_a_typo_in_a_directive_is_an_error_with_its_place(
    typo: str, words: str
) -> None:
    text = f"# It broke.\n\nstart\n----\n\n# Now this.\n{typo}\n"
    with pytest.raises(ScriptError) as caught:
        list(play("s.txt", text))
    assert str(caught.value).startswith("s.txt:7: ")
    assert words in str(caught.value)


POLICIES = {
    "policy delivery.bugdet=2": "'delivery.bugdet' is no number of the policy",
    "policy delivery=2": "'delivery' is no number of the policy",
    "policy delivery.budget=-2": "Expected `int` >= 0",
    "policy delivery.budget=two": "delivery.budget=two: ",
    "policy delivery.budget": "delivery.budget: ",
    "policy delivery.budget=2\nstart": "policy stands alone",
    "policy delivery.budget=2\n----": "policy stands alone",
}


@pytest.mark.parametrize(("wrong", "words"), POLICIES.items())
def test_a_wrong_policy_is_an_error_with_its_place(wrong: str, words: str) -> None:
    with pytest.raises(ScriptError) as caught:
        list(play("s.txt", f"# It broke.\n\n{wrong}\n"))
    assert str(caught.value).startswith("s.txt:3: ")
    assert words in str(caught.value)


def test_a_comment_below_the_rule_is_refused_before_a_rewriting_loses_it() -> None:
    with pytest.raises(ScriptError, match="comments stand above ----"):
        rewritten("s.txt", SCRIPT.replace("session=active", "# Why?\nsession=active"))


def test_a_broken_promise_fails_a_script_whatever_it_says() -> None:
    strict = WEIXIN._replace(broken=lambda *_: ["[1] no promise is kept"])
    with pytest.raises(ScriptError, match=r"s\.txt:3: broken: \[1\] no promise"):
        list(differences("s.txt", SCRIPT, strict))


def test_a_started_fact_forgets_timers_and_brings_its_policy() -> None:
    text = (
        f'{SCRIPT}\nstarted at_ms=62000 seed=8 policy={{"delivery":{{"budget":1}}}}\n'
        "fire connection.retry\n"
    )
    with pytest.raises(ScriptError, match="no timer"):
        list(play("s.txt", text))


IDLES = {
    "idle at_ms=90000": (WEIXIN, "idle: there is no socket that beats"),
    "idle at_ms=9000000": (QQ, "idle: token.renew is due at 7173750"),
    "idle at_ms=90000 epoch=1": (QQ, "'idle' is no fact"),
    "idle": (QQ, "'idle' needs at_ms="),
}


@pytest.mark.parametrize(("idle", "told"), IDLES.items())
def test_only_a_socket_idles_and_only_while_nothing_else_is_due(
    idle: str, told: tuple[Platform, str]
) -> None:
    platform, words = told
    with pytest.raises(ScriptError) as caught:
        list(play("s.txt", f"# It broke.\n\nstart\n{idle}\n", platform))
    assert str(caught.value).startswith("s.txt:4: ")
    assert words in str(caught.value)


def test_rewriting_is_refused_where_ci_runs() -> None:
    command = [sys.executable, "-m", "pytest", "--rewrite", "--co", "-q", __file__]
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=FIXTURES.parent,
        env={**os.environ, "CI": "true"},
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--rewrite" in done.stderr
