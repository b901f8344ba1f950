"""Stepping: live through recorded facts one by one, with the states between them."""

from collections.abc import Iterator

from holdfast.core.commands import Command
from holdfast.core.events import Started
from holdfast.replay.failures import FAULTS, StepError
from holdfast.replay.lines import FactLine
from holdfast.replay.platforms import State
from holdfast.replay.sources import Life

Step = tuple[FactLine, State, State, list[Command]]


def steps(life: Life) -> Iterator[Step]:
    """Yield each fact with the state before, the state after, and the commands.

    Raises `StepError` for a fact at which the reducer fails.
    """
    state, policy = life.start, life.policy
    for line in life.lines:
        event = line.event
        if isinstance(event, Started) and event.policy is not None:
            policy = event.policy
        before = state
        try:
            state, commands = life.platform.step(state, line, policy)
        except FAULTS as error:
            what = f"{type(error).__name__} {error}".rstrip()
            raise StepError(f"seq {line.seq}: today's code fails: {what}") from error
        yield line, before, state, commands
