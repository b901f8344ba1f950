"""Unwrapping: what a nursery raises, as the one error that it is about.

A nursery wraps whatever ends it in a group. Who opened the service did not open the
nursery, so a single error leaves it as itself. Cancellation is no error; neither is
what somebody was told because of the error, nor the same failure met by several tasks.
"""

from types import TracebackType

import trio


class Unwrapped:
    """Lets the one error of a nursery inside it out as itself; several stay a group.

    Errors of `consequence` do not count beside others.
    """

    def __init__(self, consequence: type[Exception] | None = None) -> None:
        self._consequence = consequence

    def __enter__(self) -> None:
        """Enter before the nursery."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise the error that the group is about, if it is about one."""
        if not isinstance(error, BaseExceptionGroup):
            return
        only = self._only(error)
        if only is None:
            return
        # Raised anew it would name the group as what it came of, which holds it.
        context = only.__context__
        try:
            raise only
        finally:
            only.__context__ = context

    def _only(self, group: BaseExceptionGroup[BaseException]) -> BaseException | None:
        """Return the single error of a group; None when it is about several."""
        errors = [it for it in group.exceptions if not _is_cancellation(it)]
        if kind := self._consequence:
            errors = [it for it in errors if not isinstance(it, kind)] or errors
        first, *others = errors or group.exceptions
        return first if all(_is_same(it, first) for it in others) else None


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)


def _is_same(error: BaseException, other: BaseException) -> bool:
    """Say whether one failure was told to both, as a dead journal tells everybody."""
    return type(error) is type(other) and _root(error) is _root(other)


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
