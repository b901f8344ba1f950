"""Search: breadth first through every state of a scope, checking each step.

States are kept as digests of their keys, with the number of the state that led there
and of the move that was made; a path is made again from those, so that memory holds
for millions of states. Each state is represented by the first concrete one that was
found with its key: a path is a row of real facts.
"""

from array import array
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct, msgpack

from holdfast.core.commands import Command
from holdfast.core.events import Event, Fact
from holdfast.replay.explore.scope import Scope, State, Surroundings
from holdfast.replay.explore.world import Actor, Move, nothing_goes_on

_pack = msgpack.Encoder().encode
KEY_BYTES = 16
PROGRESS_STATES = 2_000
DOOMED = "[1] doomed: a peer that is well does not bring health from here"
# What a reducer raises when it is wrong; it must raise nothing for what a peer does.
MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class Step(NamedTuple):
    """One fact of a path, by its nth move, with the state and world around it."""

    move: int
    by: Actor
    what: str
    fact: Fact | None
    commands: list[Command]
    before: State
    after: State
    world: Surroundings


class Finding(Struct, frozen=True):
    """What was found, and the shortest way to it: the moves from the start."""

    scope: str
    what: str
    moves: tuple[int, ...]


class Graph(Struct):
    """All states of a scope and how they hang together.

    `sources` and `targets` are the edges of a peer that is well; `good` marks the
    states that are healthy, wait for somebody who was told, or belong to no process.
    """

    scope: Scope
    parents: "array[int]"
    choices: "array[int]"
    good: bytearray
    sources: "array[int]"
    targets: "array[int]"
    transitions: int = 0
    pairs: dict[tuple[str, str], int] = {}
    findings: list[Finding] = []

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.parents)


class BoundError(Exception):
    """More states than allowed: the scope's abstraction does not hold."""


def fingerprint(key: Hashable) -> bytes:
    """Return what stands for a key in memory."""
    return blake2b(_pack(key), digest_size=KEY_BYTES).digest()


def search(
    scope: Scope,
    *,
    states_max: int,
    findings_max: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Graph:
    """Walk the scope; stop at `findings_max` findings.

    `progress` is called now and then with the states seen and those still to be looked
    at. Raises `BoundError` beyond `states_max`.
    """
    graph = Graph(scope, array("q"), array("q"), bytearray(), array("Q"), array("Q"))
    seen: dict[bytes, int] = {}
    held = scope.subject.held
    frontier: deque[tuple[int, State, Surroundings, int]] = deque()

    def visit(
        parent: int, choice: int, state: State, world: Surroundings, seq: int
    ) -> int:
        key = fingerprint(scope.subject.key(state, world))
        number = seen.setdefault(key, len(seen))
        if number == len(graph.parents):
            graph.parents.append(parent)
            graph.choices.append(choice)
            graph.good.append(_is_good(scope, state, world))
            frontier.append((number, state, world, seq))
        return number

    visit(-1, -1, scope.subject.start, scope.environment.begin, 0)
    while frontier and len(graph.findings) < findings_max:
        number, state, world, seq = frontier.popleft()
        for what in problems_of_state(scope, state, world, seq):
            graph.findings.append(Finding(scope.name, what, moves_to(graph, number)))
        for choice, move in enumerate(scope.environment.moves(world, held(state))):
            graph.transitions += 1
            after, surroundings, last, problems = _make(graph, move, state, seq)
            if problems:
                way = (*moves_to(graph, number), choice)
                found = [Finding(scope.name, what, way) for what in problems]
                graph.findings.extend(found)
                break
            # Many a move changes nothing: no key is needed to see that.
            stays = after is state and surroundings is world
            target = (
                number if stays else visit(number, choice, after, surroundings, last)
            )
            if move.good:
                graph.sources.append(number)
                graph.targets.append(target)
        if len(graph.parents) > states_max:
            raise BoundError(f"{scope.name}: more than {states_max} states")
        if progress is not None and number % PROGRESS_STATES == 0:
            progress(len(graph.parents), len(frontier))
    return graph


def moves_to(graph: Graph, number: int) -> tuple[int, ...]:
    """Return the shortest row of choices that leads to a state."""
    way: list[int] = []
    while number > 0:
        way.append(graph.choices[number])
        number = graph.parents[number]
    return tuple(reversed(way))


def walk(scope: Scope, moves: tuple[int, ...]) -> Iterator[Step]:
    """Make the moves of a path again, fact by fact."""
    state, world, seq = scope.subject.start, scope.environment.begin, 0
    for number, choice in enumerate(moves, 1):
        move = scope.environment.moves(world, scope.subject.held(state))[choice]
        for step in made(scope, number, move, state, seq):
            state, world, seq = step.after, step.world, seq + (step.fact is not None)
            yield step


def made(
    scope: Scope, number: int, move: Move, state: State, seq: int
) -> Iterator[Step]:
    """Make the nth move of a path in a state, fact by fact.

    A fact that the reducer raises for is the last one, and changes nothing.
    """
    world, by, what = move.world, move.by, move.what
    if not move.events:
        yield Step(number, by, what, None, [], state, state, world)
    for event in move.events:
        seq += 1
        fact, before = Fact(seq, world.now_ms, event), state
        try:
            state, commands = scope.subject.step(before, fact, scope.policy)
        except MISTAKES:
            yield Step(number, by, what, fact, [], before, before, world)
            return
        world, _ = scope.environment.obey(world, fact, commands)
        yield Step(number, by, what, fact, commands, before, state, world)


def _make(
    graph: Graph, move: Move, state: State, seq: int
) -> tuple[State, Surroundings, int, list[str]]:
    """Make one move: fold its facts, and let the world obey."""
    scope, world = graph.scope, move.world
    step, obey, policy = scope.subject.step, scope.environment.obey, scope.policy
    problems: list[str] = []
    for event in move.events:
        seq += 1
        fact, before = Fact(seq, world.now_ms, event), state
        _count(graph, before, event)
        try:
            state, commands = step(before, fact, policy)
        except MISTAKES as error:
            return before, world, seq, [f"it raised {type(error).__name__}: {error}"]
        problems += scope.subject.broken(before, fact, state, commands, policy)
        world, complaints = obey(world, fact, commands)
        problems += complaints
    return state, world, seq, problems


def doomed(graph: Graph) -> list[Finding]:
    """Return the first state from which a peer that is well does not bring health.

    Ends are states that are healthy, and those where somebody was told. What a host, a
    human or a new process could do does not count: nobody would know that they had to.
    """
    saved = _saved(graph)
    for number in range(graph.states):
        if not saved[number]:
            return [Finding(graph.scope.name, DOOMED, moves_to(graph, number))]
    return []


def _saved(graph: Graph) -> bytearray:
    """Mark every state from which a good one can be reached, going backwards."""
    first = array("Q", bytes(8 * (graph.states + 1)))
    for target in graph.targets:
        first[target + 1] += 1
    for number in range(graph.states):
        first[number + 1] += first[number]
    places, before = array("Q", first), array("Q", bytes(8 * len(graph.targets)))
    for source, target in zip(graph.sources, graph.targets, strict=True):
        before[places[target]] = source
        places[target] += 1
    saved = bytearray(graph.good)
    frontier = [number for number in range(graph.states) if saved[number]]
    while frontier:
        number = frontier.pop()
        for source in before[first[number] : first[number + 1]]:
            if not saved[source]:
                saved[source] = 1
                frontier.append(source)
    return saved


def _count(graph: Graph, state: State, event: Event) -> None:
    pair = graph.scope.subject.phases(state), type(event).__name__
    graph.pairs[pair] = graph.pairs.get(pair, 0) + 1


def _is_good(scope: Scope, state: State, world: Surroundings) -> bool:
    subject = scope.subject
    return bool(
        world.stopping
        or not world.running
        or subject.healthy(state, world)
        or subject.told(state, world)
    )


def problems_of_state(
    scope: Scope, state: State, world: Surroundings, seq: int
) -> Iterator[str]:
    """Name what is wrong with a state as such, whatever led to it."""
    subject = scope.subject
    quiet = nothing_goes_on(world) and seq > 0
    if quiet and not world.stopping:
        yield "[1] nothing is under way and no timer is set"
    if subject.timers is not None and not world.stopping:
        believed = {name: due for name, due in subject.timers(state).items() if due}
        if believed != dict(world.timers):
            yield f"[1] the timers are {dict(world.timers)}, not {believed}"
    if subject.stale is not None:
        for fact in subject.stale(state, world):
            try:
                after, commands = subject.step(state, fact, scope.policy)
            except MISTAKES as error:
                yield f"a stale fact raised {type(error).__name__}: {error}"
                continue
            if after is state and not commands:
                continue
            if commands or subject.key(after, world) != subject.key(state, world):
                yield f"[2] a stale {type(fact.event).__name__} changes something"
