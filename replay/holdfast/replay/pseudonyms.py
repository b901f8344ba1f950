"""Pseudonyms: a recording that may be shown around, proved to tell the same story.

Ids of people are replaced by keyed digests, `peer-3fa2…`: under one key the same id has
the same name in every export, and without the key nobody gets the id back. In the words
of peers and networks, ids that the recording knows are replaced too. Times, seqs and
handles stay, because they tie commands to their answers.

`prove` folds both recordings and compares every event, command and state, with ids
numbered in the order in which they appear.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b, sha256
from itertools import zip_longest
from typing import Any, NamedTuple

from msgspec import UNSET, Raw
from msgspec.json import Decoder, Encoder, decode
from msgspec.structs import replace

from holdfast.core.commands import Command
from holdfast.core.events import Event, Fact
from holdfast.replay.digests import digest, encode_state
from holdfast.replay.failures import FAULTS
from holdfast.replay.fold import Rules
from holdfast.replay.lines import NO_STATE, UNKNOWN, End, EndLine, WrittenLine
from holdfast.replay.platforms import Platform, State
from holdfast.replay.private import WORDS, Rename, Renamer
from holdfast.replay.recording import Recording

NAME_BYTES = 6
# A shorter id would be found in words where it is not meant.
IN_WORDS_CHARS_MIN = 4

# What an address begins with, as in `group:…`, says of which sort it is, and stays.
SORT = re.compile(r"[a-z0-9]{1,8}:|")

Id = tuple[str, str]
"""The kind of an id, and the id."""

_encode = Encoder().encode
_commands = Decoder(list[Command] | None)


class PseudonymError(Exception):
    """A recording that cannot be renamed, or whose copy tells another story."""


class Told(NamedTuple):
    """A fact line with everything decoded; `None` stands for what it lacks."""

    seq: int
    at_ms: int
    event: Event
    commands: list[Command] | None
    state: State | None


class Copier:
    """Copies what a recording holds with every private text passed through `rename`."""

    def __init__(self, platform: Platform, rename: Rename) -> None:
        self.state = Renamer(platform.state, rename)
        self.commands = Renamer(list[Command], rename)
        self._event = Renamer(Event, rename)

    def line(self, told: Told) -> Told:
        """Return the line with other names."""
        return told._replace(
            event=self._event(told.event),
            commands=None if told.commands is None else self.commands(told.commands),
            state=None if told.state is None else self.state(told.state),
        )


def pseudonymised(recording: Recording, key: bytes) -> Iterator[bytes]:
    """Yield the lines of a copy without ids of people; its `source` is empty.

    Raise `RecordingError` for a damaged recording, `PseudonymError` for one without a
    checkpoint on its last line: a final state that is not there cannot be renamed.
    """
    names = _keyed(known_ids(recording), key)
    copier = Copier(recording.platform, renaming(names))
    start = encode_state(copier.state(recording.start))
    account = _pseudonym(("account", recording.header.account), key)
    header = replace(recording.header, account=account, start=Raw(start), source={})
    checksum = sha256()

    def line(struct: Any) -> bytes:
        text = _encode(struct) + b"\n"
        checksum.update(text)
        return text

    yield line(header)
    last: Told | None = None
    for told in _lines(recording):
        last = copier.line(told)
        yield line(_written(last))
    if last is not None and last.state is None:
        raise PseudonymError(f"{recording.name}: seq {last.seq} has no checkpoint")
    final = start if last is None else encode_state(last.state)
    seq = 0 if last is None else last.seq
    yield line(EndLine(End(seq, digest(final), checksum.hexdigest())))


def prove(original: Recording, renamed: Recording) -> None:
    """Raise `PseudonymError` unless both tell the same, but for the names."""
    for one, other in zip_longest(_trace(original), _trace(renamed)):
        if one != other:
            seq, _ = one or other or (0, b"")
            what = f"{renamed.name}: tells another story from seq {seq} on"
            raise PseudonymError(what)


def known_ids(recording: Recording) -> list[Id]:
    """Return every id of the recording once, in order of appearance."""
    found: dict[Id, None] = {}

    def note(kind: str, value: str) -> str:
        if kind != WORDS:
            found[kind, value] = None
        return value

    copier = Copier(recording.platform, note)
    copier.state(recording.start)
    for told in _lines(recording):
        copier.line(told)
    return list(found)


def renaming(names: Mapping[Id, str]) -> Rename:
    """Return what replaces ids by their names, in words too."""
    by_value = {value: name for (_, value), name in names.items()}

    @cache
    def in_words(text: str) -> str:
        found = [v for v in by_value if len(v) >= IN_WORDS_CHARS_MIN and v in text]
        if not found:
            return text
        longest_first = sorted(found, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest_first))
        return re.sub(pattern, lambda match: by_value[match[0]], text)

    def rename(kind: str, value: str) -> str:
        return in_words(value) if kind == WORDS else names[kind, value]

    return rename


def _keyed(ids: Iterable[Id], key: bytes) -> dict[Id, str]:
    names = {known: _pseudonym(known, key) for known in ids}
    if len({*names.values()}) < len(names):
        raise PseudonymError("two ids got one name: take another key")
    return names


def _pseudonym(known: Id, key: bytes) -> str:
    kind, value = known
    person = kind.encode()
    keyed = blake2b(value.encode(), digest_size=NAME_BYTES, key=key, person=person)
    return f"{_sort(value)}{kind}-{keyed.hexdigest()}"


def _sort(value: str) -> str:
    found = SORT.match(value)
    return found[0] if found else ""


def _trace(recording: Recording) -> Iterator[tuple[int, bytes]]:
    """Yield all that a recording tells and leads to, ids numbered as they appear."""
    ids = known_ids(recording)
    names = {
        known: f"{_sort(known[1])}{known[0]}-{number}"
        for number, known in enumerate(ids)
    }
    copier = Copier(recording.platform, renaming(names))
    header, state = recording.header, recording.start
    rules, policy = Rules(recording.platform, header.policy), header.policy
    told = header.platform, header.seed, header.policy, header.core
    yield 0, _encode((told, copier.state(state)))
    for line in _lines(recording):
        fact = Fact(line.seq, line.at_ms, line.event)
        policy = rules.policy_from(line.event, policy)
        try:
            state, commands = recording.platform.step(state, fact, policy)
        except FAULTS as error:
            yield line.seq, type(error).__name__.encode()
            return
        yield line.seq, _encode((copier.line(line), copier.commands(commands)))
    yield 0, _encode(copier.state(state))


def _lines(recording: Recording) -> Iterator[Told]:
    for chunk in recording.read():
        for line in chunk:
            state = (
                None
                if line.state is NO_STATE
                else decode(line.state, type=recording.platform.state)
            )
            commands = _commands.decode(line.commands)
            yield Told(line.seq, line.at_ms, line.event, commands, state)


def _written(told: Told) -> WrittenLine:
    commands = UNKNOWN if told.commands is None else told.commands
    state = UNSET if told.state is None else told.state
    return WrittenLine(told.seq, told.at_ms, told.event, commands, state)
