"""Causes: what is behind an error of a library that wraps the one that matters."""

import ssl
from collections.abc import Iterator


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, outermost first."""
    while error is not None:
        yield error
        # Of several addresses that were tried, the first tells why.
        group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        error = next(iter(group), error.__cause__ or error.__context__)


def is_tls(error: BaseException) -> bool:
    """Say whether the peer's TLS is wrong; a handshake that breaks off says nothing."""
    broken_off = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return isinstance(error, ssl.SSLError) and not broken_off
