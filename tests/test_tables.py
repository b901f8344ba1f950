"""The four tables: scripts walk each row, faults are refused, pictures are true."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import starmap
from typing import Any

import pytest
from datadriven import FIXTURES, MACHINES, platform_of, play, scripts

from holdfast.core import connection, inbox, outbox, session
from holdfast.core.names import Name
from holdfast.core.table import Table, TableError, compile_table, mermaid

TABLES: Mapping[str, Table[Any, Any]] = {
    table.name: table
    for table in (session.TABLE, connection.TABLE, outbox.TABLE, inbox.TABLE)
}
ARCHITECTURE = FIXTURES.parent / "ARCHITECTURE.md"
BLOCK = re.compile(r"<!-- table:(\w+) -->\n.*?<!-- /table -->", re.DOTALL)

Row = tuple[str, str, str]


class Recorder(Mapping[tuple[Any, Any], Any]):
    """A table's mapping that notes which rows are looked up."""

    def __init__(self, table: Table[Any, Any], walked: set[Row]) -> None:
        self._table, self._rows, self._walked = table.name, table.next, walked

    def __getitem__(self, key: tuple[Any, Any]) -> Any:
        found = self._rows[key]
        phase, trigger = key
        self._walked.add((self._table, str(phase), str(trigger)))
        return found

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def rows_walked(monkeypatch: pytest.MonkeyPatch) -> set[Row]:
    """Return (table, phase, trigger) of every row that some script walks."""
    walked: set[Row] = set()
    for table in TABLES.values():
        monkeypatch.setattr(table, "next", Recorder(table, walked))
    for path in scripts():
        for _ in play(path.name, path.read_text("utf-8"), platform_of(path)):
            pass
    return walked


def test_there_is_one_table_for_each_machine() -> None:
    assert tuple(TABLES) == MACHINES


def test_the_scripts_walk_every_row_of_every_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = {
        (name, str(source), str(trigger))
        for name, table in TABLES.items()
        for trigger, source, _ in table.rows
    }
    missing = sorted(rows - rows_walked(monkeypatch))
    lines = starmap("{}: no script walks {} from {}".format, missing)
    assert not missing, "\n".join(lines)


class Phase(Name):
    """Where a lamp stands."""

    OFF = "off"
    ON = "on"
    BROKEN = "broken"


class Trigger(Name):
    """Why it moves."""

    PRESS = "press"
    DROP = "drop"


PRESS_ON = (Trigger.PRESS, Phase.OFF, Phase.ON)
PRESS_OFF = (Trigger.PRESS, Phase.ON, Phase.OFF)
DROP = (Trigger.DROP, Phase.ON, Phase.BROKEN)
LAMP = [PRESS_ON, PRESS_OFF, DROP]


def compile_lamp(
    rows: Any, initial: Any = Phase.OFF, final: Any = (Phase.BROKEN,)
) -> Table[Phase, Trigger]:
    return compile_table("lamp", Phase, rows, initial=initial, final=final)


def test_a_right_table_is_compiled_to_its_rows() -> None:
    table = compile_lamp(LAMP)
    assert table.next == {
        (Phase.OFF, Trigger.PRESS): Phase.ON,
        (Phase.ON, Trigger.PRESS): Phase.OFF,
        (Phase.ON, Trigger.DROP): Phase.BROKEN,
    }
    assert table.rows == (PRESS_ON, PRESS_OFF, DROP)
    assert table.initial is Phase.OFF
    assert table.next.get((Phase.OFF, Trigger.DROP)) is None


FAULTS: Mapping[str, tuple[Callable[[], object], str]] = {
    "unknown destination": (
        lambda: compile_lamp([*LAMP, (Trigger.DROP, Phase.OFF, "lost")]),
        "'lost' is no Phase",
    ),
    "unknown source": (
        lambda: compile_lamp([*LAMP, (Trigger.DROP, "lost", Phase.OFF)]),
        "'lost' is no Phase",
    ),
    "phase of another machine": (
        lambda: compile_lamp([*LAMP, (Trigger.DROP, Phase.OFF, session.Phase.ACTIVE)]),
        "is no Phase",
    ),
    "unknown initial": (lambda: compile_lamp(LAMP, initial="lost"), "is no Phase"),
    "unknown final": (lambda: compile_lamp(LAMP, final=["lost"]), "is no Phase"),
    "one trigger twice": (
        lambda: compile_lamp([*LAMP, (Trigger.PRESS, Phase.OFF, Phase.BROKEN)]),
        "two rows for press in off",
    ),
    "the same row twice": (
        lambda: compile_lamp([*LAMP, DROP]),
        "two rows for drop in on",
    ),
    "unreachable": (
        lambda: compile_lamp(
            [PRESS_ON, PRESS_OFF, (Trigger.DROP, *[Phase.BROKEN] * 2)]
        ),
        "broken is unreachable",
    ),
    "dead end": (lambda: compile_lamp(LAMP, final=()), "broken is a dead end"),
    "dead end with a loop": (
        lambda: compile_lamp([*LAMP, (Trigger.DROP, *[Phase.BROKEN] * 2)], final=()),
        "broken is a dead end",
    ),
    "a way out of a final phase": (
        lambda: compile_lamp([*LAMP, (Trigger.PRESS, Phase.BROKEN, Phase.OFF)]),
        "broken is final but has a way out",
    ),
    "empty": (lambda: compile_lamp([]), "on is unreachable"),
}


@pytest.mark.parametrize(("wrong", "words"), FAULTS.values(), ids=FAULTS)
def test_the_checker_refuses(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(TableError) as caught:
        wrong()
    assert str(caught.value).startswith("table lamp: ")
    assert words in str(caught.value)


def test_the_checker_names_every_fault_at_once() -> None:
    rows = [*LAMP, DROP, (Trigger.DROP, Phase.OFF, "lost")]
    with pytest.raises(TableError, match="is no Phase; two rows"):
        compile_lamp(rows)


def test_a_picture_has_one_arrow_for_each_pair_of_phases() -> None:
    rows = [PRESS_ON, PRESS_OFF, DROP, (Trigger.DROP, Phase.OFF, Phase.ON)]
    assert mermaid(compile_lamp(rows)).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> off",
        "    off --> on: press, drop",
        "    on --> off: press",
        "    on --> broken: drop",
        "    broken --> [*]",
    ]


def drawn(block: re.Match[str]) -> str:
    name = block.group(1)
    picture = mermaid(TABLES[name])
    return f"<!-- table:{name} -->\n```mermaid\n{picture}\n```\n<!-- /table -->"


def test_the_pictures_in_the_architecture_are_those_of_the_tables(
    pytestconfig: pytest.Config,
) -> None:
    text = ARCHITECTURE.read_text("utf-8")
    names = [block.group(1) for block in BLOCK.finditer(text)]
    assert sorted(names) == sorted(TABLES), "one block `<!-- table:NAME -->` for each"
    today = BLOCK.sub(drawn, text)
    if pytestconfig.getoption("--rewrite"):
        ARCHITECTURE.write_text(today, "utf-8")
        return
    assert text == today, "a table has changed: run `pytest --rewrite`"
