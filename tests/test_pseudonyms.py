import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from lives import ACCOUNT, Life, recorded
from spoiled import facts_of, sealed

from holdfast.core.commands import Command, Escalate, Report
from holdfast.core.events import Event, PollAnswered
from holdfast.core.qq_account import Qq
from holdfast.core.recorded import PeerId, Recorded
from holdfast.core.weixin_account import Weixin
from holdfast.replay.platforms import PLATFORMS
from holdfast.replay.player import Verdict, play
from holdfast.replay.private import MARKED, SAFE, Renamer, UnmarkedError
from holdfast.replay.pseudonyms import (
    PseudonymError,
    known_ids,
    prove,
    pseudonymised,
    renaming,
)
from holdfast.replay.recording import Recording, RecordingError, read_recording

KEY = b"a key of this export"
LIFE = recorded(Life(2, trouble=150, boot_facts=300), 1_500)
LINES = LIFE.splitlines(keepends=True)
ORIGINAL = read_recording(LIFE)


def renamed(key: bytes = KEY) -> bytes:
    return b"".join(pseudonymised(ORIGINAL, key))


COPY = renamed()


def test_nobody_is_named_in_the_copy() -> None:
    assert b"@im.wechat" in LIFE
    assert ACCOUNT.encode() in LIFE
    for word in (b"o9cq", b"@im", b"e06f2a9c", b'"alice"', b'"lives"'):
        assert word not in COPY
    for _, value in known_ids(ORIGINAL):
        assert value.encode() not in COPY


def test_the_copy_replays_to_the_same_commands() -> None:
    copy = read_recording(COPY)
    assert play(copy).verdict is Verdict.SAME
    assert play(copy).facts == 1_500
    prove(ORIGINAL, copy)


def test_one_key_gives_one_name_and_another_gives_others() -> None:
    assert renamed() == COPY
    names = [
        set(re.findall(rb"peer-[0-9a-f]{12}", copy)) for copy in (COPY, renamed(b"k"))
    ]
    assert len(names[0]) == len(names[1]) > 3
    assert not names[0] & names[1]


def test_what_ties_facts_together_stays() -> None:
    for one, other in zip(facts_of(LIFE), facts_of(COPY), strict=True):
        assert (one.seq, one.at_ms) == (other.seq, other.at_ms)
        assert len(bytes(one.state)) > 0 or not bytes(other.state)
    assert re.findall(rb"holdfast-[0-9a-f]{16}-\d+-\d+", LIFE) == re.findall(
        rb"holdfast-[0-9a-f]{16}-\d+-\d+", COPY
    )


def test_ids_in_the_words_of_peers_are_renamed() -> None:
    assert re.search(rb"no user o9cq[0-9a-f]+@im.wechat", LIFE)
    assert re.search(rb'"errmsg":"no user peer-[0-9a-f]{12}"', COPY)
    assert re.search(rb'"error":"-3 no user peer-[0-9a-f]{12}"', COPY)


def test_the_longest_id_in_words_is_the_one_that_is_meant() -> None:
    rename = renaming({("peer", "anna"): "p1", ("peer", "annabel"): "p2"})
    assert rename("words", "annabel and anna") == "p2 and p1"
    assert rename("peer", "anna") == "p1"
    short = renaming({("message", "7"): "m1"})
    assert short("words", "77 of 7") == "77 of 7"


def spoiled(old: bytes, new: bytes) -> Recording:
    """Return the copy with something else in one place, sealed again."""
    assert old in COPY
    lines = COPY.replace(old, new, 1).splitlines(keepends=True)
    return read_recording(sealed(lines))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seed":', b'"seed":1'),
        (b'"timeout_ms":45000', b'"timeout_ms":45001'),
        (b'"ret":0', b'"ret":1'),
        (b'"context":"', b'"context":"f'),
        (b'"error":"-3 no user ', b'"error":"-3 no person '),
    ],
)
def test_a_copy_that_tells_another_story_is_found(old: bytes, new: bytes) -> None:
    with pytest.raises(PseudonymError, match="another story"):
        prove(ORIGINAL, spoiled(old, new))


def test_two_people_under_one_name_are_found() -> None:
    first, second = list(dict.fromkeys(re.findall(rb"peer-[0-9a-f]{12}", COPY)))[:2]
    with pytest.raises(PseudonymError, match="another story"):
        prove(ORIGINAL, spoiled(second, first))


def test_a_shorter_copy_is_found() -> None:
    with pytest.raises(PseudonymError, match="another story"):
        prove(
            ORIGINAL, read_recording(recorded(Life(2, trouble=150, boot_facts=300), 3))
        )


def test_a_reducer_that_fails_fails_alike_in_the_copy() -> None:
    def step(*_: object) -> Any:
        raise KeyError

    platform = PLATFORMS["weixin"]._replace(step=step)
    copy = read_recording(COPY)._replace(platform=platform)
    prove(ORIGINAL._replace(platform=platform), copy)
    with pytest.raises(PseudonymError, match="seq 1 on"):
        prove(ORIGINAL, copy)


def test_facts_of_unknown_outcome_stay_unknown() -> None:
    lines = [
        re.sub(rb'"commands":\[.*?\](,"state"|}$)', rb'"commands":null\1', line)
        for line in LINES[:-1]
    ]
    original = read_recording(sealed([*lines, LINES[-1]]))
    copy = read_recording(b"".join(pseudonymised(original, KEY)))
    prove(original, copy)
    assert play(copy).unknown == play(original).unknown > 1_000


def test_a_recording_without_a_last_checkpoint_cannot_be_renamed() -> None:
    last = LINES[-2].partition(b',"state":')[0] + b"}\n"
    original = read_recording(sealed([*LINES[:-2], last, LINES[-1]]))
    with pytest.raises(PseudonymError, match="seq 1500 has no checkpoint"):
        list(pseudonymised(original, KEY))


def test_a_damaged_recording_is_not_renamed() -> None:
    with pytest.raises(RecordingError):
        list(pseudonymised(read_recording(b"".join(LINES[:-1])), KEY))


def text_fields(kind: Any) -> Iterator[str]:
    """Yield `Struct.field` of every text field, marked or not, by plain reflection."""
    for struct in get_args(kind):
        for field in msgspec.structs.fields(struct):
            if getattr(field.type, "__origin__", field.type) is str:
                marked = hasattr(field.type, "__metadata__")
                yield ("+" if marked else "") + f"{struct.__name__}.{field.name}"


def test_every_text_of_facts_and_commands_is_marked_or_listed() -> None:
    texts = [*text_fields(Event), *text_fields(Command)]
    assert len(texts) > 40
    unjudged = [
        text for text in texts if text[0] != "+" and text not in {*SAFE, *MARKED}
    ]
    assert not unjudged
    assert not SAFE & MARKED.keys()


def test_the_lists_name_nothing_that_is_gone() -> None:
    names: set[str] = set()

    def note(kind: Any) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            names.update(f"{kind.cls.__name__}.{field.name}" for field in kind.fields)
        for name in getattr(kind, "__struct_fields__", ()):
            below = getattr(kind, name)
            for one in below if isinstance(below, tuple) else (below,):
                if isinstance(one, msgspec.inspect.Type | msgspec.inspect.Field):
                    note(one)

    for kind in (Event, Command, Weixin, Qq):
        note(msgspec.inspect.type_info(kind))
    assert not (SAFE | MARKED.keys()) - names


class Rumour(Recorded, frozen=True, tag="rumour"):
    about: PeerId
    text: str


def test_a_text_that_nobody_judged_stops_every_export() -> None:
    with pytest.raises(UnmarkedError, match=r"Rumour\.text"):
        Renamer(Event | Rumour, lambda _, value: value)


def test_a_value_without_ids_is_left_as_it_is() -> None:
    renamer = Renamer(Event, lambda kind, value: f"{kind}:{value}")
    quiet = PollAnswered(1, ret=0)
    assert renamer(quiet) is quiet
    state = Weixin()
    assert Renamer(Weixin, lambda kind, value: f"{kind}:{value}")(state) is state


def test_what_core_does_not_mark_is_renamed_too() -> None:
    renamer = Renamer(Command, lambda kind, value: f"{kind}:{value}")
    assert renamer(Report(1, 0, "accepted", 1, "77")) == Report(
        1, 0, "accepted", 1, "message:77"
    )
    assert renamer(Escalate("fatal", "why")) == Escalate("fatal", "words:why")
