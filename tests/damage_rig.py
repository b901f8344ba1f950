"""A journal with a real past, copies of it that are damaged, and what is then read.

The past is that of four incidents of both platforms, lived side by side and written in
the entries that owners write. What a damaged copy gives must be a moment of that past.
"""

import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from msgspec import Raw, Struct

from holdfast.core.commands import Command, Forget, Offer
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.io.journal import Journal, open_journal
from holdfast.io.journal_errors import JournalError
from holdfast.io.journal_folder import LOCK_NAME
from holdfast.io.journal_log import log_path
from holdfast.io.journal_read import JournalReader, JournalReads
from holdfast.io.journal_rows import Entry, Kept, Snapshot
from holdfast.io.journal_schema import FILE_NAME
from holdfast.io.platforms import PLATFORMS, Platform
from holdfast.io.recovery import (
    Checkpoint,
    RecoveryError,
    beside,
    policy_from,
    read_facts,
    recover,
)
from holdfast.replay.recording import read_recording

INCIDENTS = Path(__file__).parent.parent / "fixtures" / "incidents"
NAMES = (
    "night_push_answered_minus_2",
    "same_message_twice",
    "events_replayed_and_repeated",
    "token_dies_while_the_socket_lives",
)
FACTS_MAX = 24
SNAPSHOT_FACTS = 8
PRUNED = "same_message_twice"
WAYS_OUT = ("salvage", "move", "put", "release", "check", "another data folder")
encode = msgspec.json.encode


class Past(Struct):
    """What one account lived through; index n is after n facts."""

    platform: Platform
    policy: Policy
    facts: list[Fact]
    states: list[Any]
    commands: list[list[Command]]

    def offers(self, seq: int) -> list[int]:
        turns = self.commands[:seq]
        return [it.message for turn in turns for it in turn if isinstance(it, Offer)]

    def forgotten(self, seq: int) -> set[str]:
        turns = self.commands[:seq]
        return {it.handle for turn in turns for it in turn if isinstance(it, Forget)}


class Story(Struct):
    """A folder with a journal that was never closed, and the past behind it.

    `moments` are the newest seqs after each commit, in the order of the accounts.
    """

    folder: Path
    pasts: dict[str, Past]
    moments: list[tuple[int, ...]]

    @property
    def main(self) -> bytes:
        return (self.folder / FILE_NAME).read_bytes()

    @property
    def log(self) -> bytes:
        return log_path(self.folder / FILE_NAME).read_bytes()


class Reading(Struct):
    """What came of reading a copy: the newest seqs, or why it was refused."""

    moment: tuple[int, ...] = ()
    refused: str = ""


def lived(name: str) -> Past:
    """Fold an incident's first facts, as they were recorded."""
    recording = read_recording(INCIDENTS / f"{name}.jsonl")
    platform = PLATFORMS[recording.header.platform]
    policy, state = recording.header.policy, platform.state()
    past = Past(platform, policy, [], [state], [])
    for line in [it for chunk in recording.read() for it in chunk][:FACTS_MAX]:
        fact = Fact(line.seq, line.at_ms, line.event)
        policy = policy_from(fact, policy)
        state, commands = platform.step(state, fact, policy)
        past.facts.append(fact)
        past.states.append(state)
        past.commands.append(commands)
    return past


def kept_with(fact: Fact) -> tuple[Kept, ...]:
    """Return a value for every handle that a fact brings, as an adapter seals them."""
    event: Any = fact.event
    kinds = ("body", "context", "cursor", "session")
    named = [(kind, getattr(event, kind, "")) for kind in kinds]
    named += [("body", part.body) for part in getattr(event, "parts", ())]
    return tuple(Kept(it, kind, value_of(it)) for kind, it in named if it)


def value_of(handle: str) -> bytes:
    return f"what {handle} stands for ".encode() * 3


def write_story(folder: Path, *, log_pages_max: int) -> Story:
    """Write all pasts into one journal, by turns, and copy it before it is closed."""
    story = Story(folder / "story", {name: lived(name) for name in NAMES}, [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.io.journal.LOG_PAGES_MAX", log_pages_max)
        patch.setattr("secrets.token_bytes", bytes)
        trio.run(_write, story, folder / "open")
    return story


async def _write(story: Story, folder: Path) -> None:
    async with open_journal(folder, threaded=False) as journal:
        for name, past in story.pasts.items():
            await journal.assign(name, past.platform.name)
        turns = zip_longest(*(past.facts for past in story.pasts.values()))
        for number, turn in enumerate(turns):
            for (name, past), fact in zip(story.pasts.items(), turn, strict=True):
                if fact is not None:
                    await _live(journal, name, past, fact)
                    story.moments.append(_moment(journal))
            if number == FACTS_MAX // 2:
                past = story.pasts[PRUNED]
                live = past.platform.live_handles(past.states[number])
                await journal.prune(PRUNED, bytes_max=0, live_handles=live)
        shutil.copytree(folder, story.folder)


async def _live(journal: Journal, name: str, past: Past, fact: Fact) -> None:
    """Record, then note what followed, as an owner does."""
    row = (fact.seq, fact.at_ms, encode(fact.event))
    await journal.append(Entry(name, (row,), kept=kept_with(fact)))
    commands = past.commands[fact.seq - 1]
    shot = None
    if fact.seq % SNAPSHOT_FACTS == 0:
        state = encode(Checkpoint(past.policy, Raw(encode(past.states[fact.seq]))))
        shot = Snapshot(fact.seq, state, "digest")
    journal.note(beside(name, commands, [(fact.seq, encode(commands))], shot))


def _moment(journal: JournalReads) -> tuple[int, ...]:
    newest = [journal.last(name) for name in NAMES]
    return tuple(fact.seq if fact else 0 for fact in newest)


def damaged_copy(story: Story, folder: Path, main: bytes, log: bytes | None) -> Path:
    """Lay out a copy with other files; without `log` there is none."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(main)
    if log is not None:
        log_path(folder / FILE_NAME).write_bytes(log)
    shutil.copy(story.folder / LOCK_NAME, folder)
    return folder


def read_copy(
    story: Story, folder: Path, *, write: bool = False, saved: bool = False
) -> Reading:
    """Recover every account; check that what is found is a moment of the past.

    A refusal must say what to do, and leave every file as it was. With `saved`, the
    values and accounts that were damaged may be missing.
    """
    before = files_of(folder)
    try:
        if write:
            return Reading(trio.run(_written, story, folder))
        with JournalReader(folder) as reader:
            return Reading(check(story, reader, saved=saved))
    except (JournalError, RecoveryError) as error:
        refused = str(error)
    assert str(folder / FILE_NAME) in refused
    assert any(way in refused for way in WAYS_OUT), refused
    assert files_of(folder) == before
    return Reading(refused=refused)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return what must not change: all but the lock, and what SQLite makes to read."""
    files = {it.name: it.read_bytes() for it in folder.iterdir() if it.is_file()}
    made = ("-shm", ".lock")
    return {name: it for name, it in files.items() if it and not name.endswith(made)}


async def _written(story: Story, folder: Path) -> tuple[int, ...]:
    async with open_journal(folder, threaded=False) as journal:
        return check(story, journal)


def check(
    story: Story, journal: JournalReads, *, saved: bool = False
) -> tuple[int, ...]:
    """Hold what is read against the past, and return which moment of it that is."""
    unknown = set(journal.accounts()) - set(NAMES)
    assert not unknown, unknown
    moment = _moment(journal)
    gone: set[str] = set()  # Forgotten for everybody; what one did is in its redo, too.
    for past, seq in zip(story.pasts.values(), moment, strict=True):
        gone |= past.forgotten(seq)
    for name, past in story.pasts.items():
        _check_account(journal, name, past)
        if not saved:
            _check_values(journal, name, past, gone)
    moments = [(0,) * len(NAMES), *story.moments]
    if saved:  # Whose last state was lost, too, begins anew.
        moments = [it for it in moments if _fits(moment, it)] and [moment]
    assert moment in moments, moment
    return moment


def _fits(moment: tuple[int, ...], known: tuple[int, ...]) -> bool:
    pairs = zip(moment, known, strict=True)
    return all(seq in (0, there) for seq, there in pairs)


def _check_account(journal: JournalReads, name: str, past: Past) -> None:
    recovered = recover(journal, name, past.platform, past.policy)
    seq = recovered.seq
    assert recovered.state == past.states[seq], name
    rows = list(read_facts(journal, name, 0))
    assert [decoded(row.event) for row in rows] == past_events(past, rows)
    noted = [(row.seq, row.commands) for row in rows if row.commands is not None]
    assert noted == [(it, encode(past.commands[it - 1])) for it, _ in noted]
    if not seq:
        return
    offers = {row.seq for row in journal.messages(name, 0, 1_000)}
    offers |= set(recovered.redo.offered)
    first = rows[0].seq
    assert offers == {it for it in past.offers(seq) if it >= first}


def _check_values(journal: JournalReads, name: str, past: Past, gone: set[str]) -> None:
    """What the facts that are left name, and what the state needs, is there."""
    last, first = journal.last(name), journal.first_seq(name)
    if last is None or first is None:
        return
    assert journal.platform(name) == past.platform.name
    here = past.facts[first - 1 : last.seq]
    needed = {kept.handle for fact in here for kept in kept_with(fact)}
    for handle in (needed | set(live_kept(past, last.seq))) - gone:
        assert journal.value(handle) == value_of(handle), handle


def live_kept(past: Past, seq: int) -> Iterator[str]:
    """Yield the handles that a state needs and a fact brought."""
    brought = {kept.handle for fact in past.facts[:seq] for kept in kept_with(fact)}
    live = past.platform.live_handles(past.states[seq])
    yield from (handle for handle in live if handle in brought)


def decoded(event: bytes) -> Any:
    return msgspec.json.decode(event)


def past_events(past: Past, rows: list[Any]) -> list[Any]:
    if not rows:
        return []
    events = past.facts[rows[0].seq - 1 : rows[-1].seq]
    return [decoded(encode(fact.event)) for fact in events]


def flipped(content: bytes, place: int, flip: int) -> bytes:
    return content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]
