"""Failures: what a bug in a reducer raises, while recorded facts are folded."""

# A fold does no I/O, so nothing else can come of it.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class StepError(Exception):
    """Today's code cannot fold a recorded fact; the text names it."""
