"""Sabotage: a reducer that breaks one promise on purpose, and what must be said of it.

A sabotage wraps the real `step`; the helpers here make the usual ones.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from holdfast.core.commands import Command, SetTimer
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.replay.explore.scope import Scope, State
from holdfast.replay.explore.scopes import SCOPES

Turn = tuple[State, list[Command]]
Step = Callable[[State, Fact, Policy], Turn]
Twist = Callable[[State, Fact, State, list[Command]], Turn]
"""Takes the state before, the fact, and what the real step returned."""


class Sabotage(NamedTuple):
    """What is broken, how, where that shows, in which words and how soon."""

    what: str
    words: str
    scope: Scope | str
    wrap: Callable[[Step], Step]
    moves_max: int = 12

    def sabotaged(self) -> Scope:
        """Return the scope with the broken reducer."""
        scope = SCOPES[self.scope] if isinstance(self.scope, str) else self.scope
        subject = scope.subject._replace(step=self.wrap(scope.subject.step))
        return scope._replace(subject=subject)


def twisted(twist: Twist) -> Callable[[Step], Step]:
    """Change what the real step returned."""

    def wrap(step: Step) -> Step:
        def broken(state: State, fact: Fact, policy: Policy) -> Turn:
            return twist(state, fact, *step(state, fact, policy))

        return broken

    return wrap


def under(change: Callable[[Policy], Policy]) -> Callable[[Step], Step]:
    """Let the reducer go by another policy than was agreed."""
    return lambda step: lambda state, fact, policy: step(state, fact, change(policy))


def without(kind: type[Command], named: str = "") -> Callable[[Step], Step]:
    """Leave commands of a kind out; of timers only those of a name."""
    return twisted(lambda _b, _f, state, told: (state, dropped(told, kind, named)))


def twice(kind: type[Command]) -> Callable[[Step], Step]:
    """Give commands of a kind twice."""
    return twisted(
        lambda _b, _f, state, told: (
            state,
            [one for c in told for one in ([c, c] if isinstance(c, kind) else [c])],
        )
    )


def altered(
    kind: type[Command], change: Callable[[State, Any], dict[str, Any]]
) -> Callable[[Step], Step]:
    """Change commands of a kind; `change` is told the state before."""
    return twisted(
        lambda before, _f, state, told: (
            state,
            [
                replace(c, **change(before, c)) if isinstance(c, kind) else c
                for c in told
            ],
        )
    )


def forgetful(part: str, timer: str, **unset: Any) -> Callable[[Step], Step]:
    """Unset a timer of a machine, in the state as in the commands."""

    def twist(_before: State, _fact: Fact, state: State, told: list[Command]) -> Turn:
        if not any(isinstance(c, SetTimer) and c.name == timer for c in told):
            return state, told
        machine = replace(getattr(state, part), **unset)
        return replace(state, **{part: machine}), dropped(told, SetTimer, timer)

    return twisted(twist)


def added(
    event: type, extra: Callable[[State, Fact], Sequence[Command]]
) -> Callable[[Step], Step]:
    """Do something more after facts of a type; `extra` is told the state before."""
    return twisted(
        lambda before, fact, state, told: (
            state,
            [*told, *(extra(before, fact) if isinstance(fact.event, event) else ())],
        )
    )


def dropped(
    told: Sequence[Command], kind: type[Command], named: str = ""
) -> list[Command]:
    """Return the commands without those of a kind and name."""
    return [
        c
        for c in told
        if not isinstance(c, kind) or (named and getattr(c, "name", "") != named)
    ]
