"""Digests: of a state, and of the source of core that computed it."""

from functools import cache
from hashlib import blake2b
from typing import Any

from msgspec.json import Encoder

DIGEST_BYTES = 16

_encode = Encoder().encode


def encode_state(state: Any) -> bytes:
    """Return the canonical JSON of a state.

    Fields stand in the order of their declaration, defaults are left out, and the keys
    of a dictionary keep their order: the order of queues is part of the state.
    """
    return _encode(state)


def state_digest(state: Any) -> str:
    """Return what tells this state from any other; the same in every process."""
    return digest(encode_state(state))


def digest(encoded: bytes) -> str:
    """Return the digest of a state that is encoded already."""
    return blake2b(encoded, digest_size=DIGEST_BYTES).hexdigest()


@cache
def core_digest() -> str:
    """Return the digest of core's source: equal digests, equal behaviour.

    Line ends are unified first, because a checkout on another system may change them.
    """
    from importlib import resources  # noqa: PLC0415 - 12 ms, and few replays ask.

    whole = blake2b(digest_size=DIGEST_BYTES)
    sources = {
        module.name: module.read_bytes().replace(b"\r\n", b"\n")
        for module in resources.files("holdfast.core").iterdir()
        if module.name.endswith(".py")
    }
    for name in sorted(sources):
        whole.update(b"%s %d\n" % (name.encode(), len(sources[name])))
        whole.update(sources[name])
    return whole.hexdigest()
