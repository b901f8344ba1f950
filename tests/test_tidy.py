"""The project's own rules, which no linter can say. The rules are in `tidy_*.py`.

Each rule is a function whose docstring says why it exists; `test_tidy_rules.py` proves
that each of them still finds what it forbids.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest
import tidy_repository
import tidy_rules
from tidy_core import foreign_imports, impure_names, inexact_numbers, shared_state
from tidy_sets import unordered_loops
from tidy_source import (
    PYTHON_FOLDERS,
    ROOT,
    SOURCE_ROOTS,
    Check,
    python_sources,
    read,
    words,
)

CORE = ("core/holdfast/core",)

# {rule: the folders that keep it}
RULES: dict[Check, Sequence[str]] = {
    foreign_imports: CORE,
    impure_names: CORE,
    inexact_numbers: CORE,
    shared_state: CORE,
    unordered_loops: CORE,
    tidy_rules.blanket_excepts: SOURCE_ROOTS,
    tidy_rules.borrowed_libraries: SOURCE_ROOTS,
    tidy_rules.calendar_fields: PYTHON_FOLDERS,
    tidy_rules.namespace_markers: SOURCE_ROOTS,
    tidy_rules.platform_branches: SOURCE_ROOTS,
    tidy_rules.open_ends: PYTHON_FOLDERS,
    tidy_rules.real_sleeps: ("tests",),
    tidy_rules.second_import_path: PYTHON_FOLDERS,
    tidy_rules.unexplained_ignores: PYTHON_FOLDERS,
    tidy_rules.vague_modules: PYTHON_FOLDERS,
}

LOCKS = ("requirements.txt", "requirements-dev.txt")

# {path or path::function: lines}. What is over 300 lines a file or 60 lines a function
# today. An entry may only shrink: split what grew, do not raise its number.
ALLOWED_SIZES: dict[str, int] = {}

# Modules that must exist and must import alone; any other module of core joins them.
CORE_MODULES = words(
    "backoff commands connection delivery events inbox invariants policy session table"
    " weixin"
)
REPLAY_MODULES = words("describe divergence player recording")
BLOCKED_IN_CORE = ("trio", "httpx", "h11", "click", "regex", "sqlite3")
BLOCKED_IN_REPLAY = ("trio", "httpx", "h11", "regex")
IMPORT_ALONE = """
import importlib, sys
module, *blocked = sys.argv[1:]
sys.modules.update(dict.fromkeys(blocked))
importlib.import_module(module)
"""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Check) -> None:
    found = list(rule(python_sources(*RULES[rule])))
    assert not found, explain(rule, found)


def explain(rule: Check, found: Sequence[object]) -> str:
    return "\n".join([f"{rule.__name__}: {rule.__doc__}", *map(str, found)])


def test_files_and_functions_stay_short_and_allowances_shrink() -> None:
    over = tidy_rules.sizes(python_sources(*PYTHON_FOLDERS))
    found = list(tidy_rules.ratchet(over, ALLOWED_SIZES))
    assert not found, "\n".join(found)


def import_alone(module: str, *blocked: str) -> subprocess.CompletedProcess[str]:
    """Import the module in a fresh process in which the blocked ones cannot be."""
    command = [sys.executable, "-I", "-c", IMPORT_ALONE, module, *blocked]
    return subprocess.run(  # noqa: S603 - our own interpreter and text
        command, capture_output=True, text=True, check=False
    )


def core_modules() -> Sequence[str]:
    found = (path.stem for path in (ROOT / CORE[0]).glob("*.py"))
    return sorted(CORE_MODULES.union(found) - {"__init__"})


@pytest.mark.parametrize("module", core_modules())
def test_core_imports_without_the_shell_and_its_libraries(module: str) -> None:
    done = import_alone(f"holdfast.core.{module}", "holdfast.io", *BLOCKED_IN_CORE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", sorted(REPLAY_MODULES))
def test_replaying_a_recording_needs_no_network_library(module: str) -> None:
    blocked = ("holdfast.io", *BLOCKED_IN_REPLAY)
    done = import_alone(f"holdfast.replay.{module}", *blocked)
    assert done.returncode == 0, done.stderr


def test_a_blocked_library_cannot_be_imported() -> None:
    done = import_alone("trio", "trio")
    assert "ModuleNotFoundError" in done.stderr


def test_no_tracked_file_names_a_place_of_one_machine() -> None:
    found = list(tidy_repository.private_places(tidy_repository.tracked_sources()))
    assert not found, explain(tidy_repository.private_places, found)


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_pins_with_hashes_and_no_index(name: str) -> None:
    for rule in (tidy_repository.unhashed_pins, tidy_repository.chosen_indexes):
        found = list(rule([read(ROOT / name)]))
        assert not found, explain(rule, found)


def test_each_dependency_is_pinned_and_has_its_line_in_the_decision() -> None:
    groups = tidy_repository.declared_names((ROOT / "pyproject.toml").read_text())
    runtime, dev = (tidy_repository.pinned_names(read(ROOT / name)) for name in LOCKS)
    decision = (ROOT / "docs/adr/0007-dependencies.md").read_text()
    declared = set().union(*groups.values())
    assert groups[""] | groups["build"] <= runtime
    assert declared <= dev
    assert tidy_repository.listed_names(decision) == declared


def test_readme_holds_two_commands_that_work_on_a_fresh_machine() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = tidy_repository.shell_commands(readme)
    assert list(commands) == ["See it work", "Run the tests"]
    assert readme.count("```sh\n") == len(commands), "other blocks: ```console, ```toml"
    for command in commands.values():
        assert command.startswith("python3 -m venv .venv && ")
        assert "--no-deps --no-build-isolation" in command
        for lock in re.findall(r"-r (\S+)", command):
            assert (ROOT / lock).exists()
    assert commands["See it work"].endswith(".venv/bin/holdfast demo")
    assert commands["Run the tests"].endswith(".venv/bin/pytest")


def test_ci_takes_its_test_command_from_the_readme() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, str(ROOT / ".ci/run"), "--print-test-command"]
    done = subprocess.run(  # noqa: S603 - our own script
        command, capture_output=True, text=True, check=True, cwd="/"
    )
    commands = tidy_repository.shell_commands((ROOT / "README.md").read_text())
    assert done.stdout.rstrip("\n") == commands["Run the tests"]


def test_every_rule_reads_at_least_one_file() -> None:
    for rule, folders in RULES.items():
        assert python_sources(*folders), rule.__name__
    assert tidy_repository.tracked_sources()
