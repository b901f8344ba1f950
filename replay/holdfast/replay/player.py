"""Player: fold a recording again, and compare every command and state.

`play` takes a recording, `play_facts` the facts of a journal. Both return a `Result`;
`Result.verdict` says in one word what came of it, and the first difference is in
`divergence`, explained. Nothing that a file can hold makes them raise, but for a header
that cannot be read.
"""

import os
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, Encoder

from holdfast.core.commands import Command
from holdfast.core.policy import Policy
from holdfast.replay.damage import placed
from holdfast.replay.digests import encode_state, state_digest
from holdfast.replay.divergence import (
    Divergence,
    Moment,
    commands_differ,
    end_differs,
    reducer_failed,
    state_differs,
)
from holdfast.replay.lines import NO_STATE, UNKNOWN, End, FactLine, disorder
from holdfast.replay.platforms import PLATFORMS, Platform, State
from holdfast.replay.recording import Recording, RecordingError, read_recording

CHUNK_FACTS = 512
BROKEN_MAX = 100
# What a bug in a reducer raises. A fold has no I/O, so nothing else can come of it.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

_encode = Encoder().encode
_commands = Decoder(list[Command])
