"""Tables: declare a machine with `transitions`, check it, compile it, draw it.

`transitions` is the declared authority, but it accepts tables that cannot be right:
unknown destinations, two rows for one trigger, phases nobody can reach. `compile_table`
refuses those when the module is imported, then hands out a plain mapping, because a
lookup costs 40 ns and `trigger` 5 µs (docs/adr/0002).

A table has three readers: the reducer (`Table.next`), the picture in ARCHITECTURE.md
(`mermaid`), and the test that walks every row (`Table.rows`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from transitions import Machine

from holdfast.core.names import Name

P = TypeVar("P", bound=Name)
T = TypeVar("T", bound=Name)


class TableError(Exception):
    """A table that cannot be right; the text lists every fault found in it."""


class Table(Generic[P, T]):
    """One checked machine. Look the next phase up with `table.next.get((phase, why))`.

    `None` from that lookup means that the trigger is off the table in this phase: the
    caller changes nothing, because late and stale facts are normal.
    """

    def __init__(self, name: str, initial: P, rows: Sequence[tuple[T, P, P]]) -> None:
        self.name = name
        self.initial = initial
        self.rows = tuple(rows)
        self.next: Mapping[tuple[P, T], P] = {
            (source, trigger): dest for trigger, source, dest in rows
        }


def compile_table(
    name: str,
    phases: type[P],
    rows: Iterable[tuple[T, P, P]],
    *,
    initial: P,
    final: Iterable[P] = (),
) -> Table[P, T]:
    """Check rows of (trigger, source, dest) and compile them; raise `TableError`."""
    listed = tuple(rows)
    ends = [phase for _, *both in listed for phase in both]
    faults = list(_unknown(phases, [initial, *final, *ends]))
    faults += _repeated(listed)
    if not faults:
        machine = _declare(phases, listed, initial)
        faults += _unreachable(machine, initial)
        faults += _dead_ends(machine, tuple(final))
    if faults:
        raise TableError(f"table {name}: " + "; ".join(faults))
    return Table(name, initial, listed)


def mermaid(table: Table[P, T]) -> str:
    """Draw the table as a Mermaid state diagram, one line per pair of phases."""
    arrows: dict[tuple[P, P], list[str]] = {}
    for trigger, source, dest in table.rows:
        arrows.setdefault((source, dest), []).append(trigger.value)
    sources = {source: None for _, source, _ in table.rows}
    dests = {dest: None for _, _, dest in table.rows}
    lines = ["stateDiagram-v2", f"    [*] --> {table.initial}"]
    lines += [f"    {a} --> {b}: {', '.join(why)}" for (a, b), why in arrows.items()]
    lines += [f"    {phase} --> [*]" for phase in dests if phase not in sources]
    return "\n".join(lines)


def _declare(phases: type[P], rows: Sequence[tuple[T, P, P]], initial: P) -> Machine:
    machine = Machine(
        model=None,
        states=[phase.value for phase in phases],
        initial=initial.value,
        auto_transitions=False,
    )
    for trigger, source, dest in rows:
        machine.add_transition(trigger.value, source.value, dest.value)
    return machine


def _unknown(phases: type[P], named: Iterable[P]) -> Iterable[str]:
    for phase in named:
        if not isinstance(phase, phases):
            yield f"{phase!r} is no {phases.__qualname__}"


def _repeated(rows: Iterable[tuple[T, P, P]]) -> Iterable[str]:
    seen: dict[tuple[P, T], P] = {}
    for trigger, source, dest in rows:
        if (source, trigger) in seen:
            yield f"two rows for {trigger} in {source}"
        seen[source, trigger] = dest


def _edges(machine: Machine) -> dict[str, list[str]]:
    """Return {source: destinations} as `transitions` itself holds them."""
    edges: dict[str, list[str]] = {phase: [] for phase in machine.states}
    for event in machine.events.values():
        for source, moves in event.transitions.items():
            edges[source] += [str(move.dest) for move in moves]
    return edges


def _unreachable(machine: Machine, initial: P) -> Iterable[str]:
    edges = _edges(machine)
    reached = {initial.value: None}
    frontier = [initial.value]
    while frontier:
        for dest in edges[frontier.pop()]:
            if dest not in reached:
                reached[dest] = None
                frontier.append(dest)
    return [f"{phase} is unreachable" for phase in edges if phase not in reached]


def _dead_ends(machine: Machine, final: Sequence[P]) -> Iterable[str]:
    for phase, dests in _edges(machine).items():
        leaves = any(dest != phase for dest in dests)
        if phase in final and leaves:
            yield f"{phase} is final but has a way out"
        if phase not in final and not leaves:
            yield f"{phase} is a dead end"
