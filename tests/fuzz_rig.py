"""Fuzz: samples of what is well made, spoiled in every way, and where facts then go."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Struct

from holdfast.core.events import Event, Fact
from holdfast.core.policy import Policy
from holdfast.io.draft import Draft
from holdfast.io.http import Failure, Response
from holdfast.io.platforms import PLATFORMS, Platform
from holdfast.io.recovery import policy_from
from holdfast.replay.recording import read_recording

INCIDENTS = Path(__file__).parent.parent / "fixtures" / "incidents"
# What every call of a test shows to its peer.
SECRET = "a1@im.bot:0600EXAMPLE"  # noqa: S105 - invented.
WORDS = ("reason", "errmsg", "message", "malformed", "trace", "url", "expires_in")
# What a peer sends belongs into the vault; a fact is short whatever it was.
FACT_BYTES_MAX = 16_384
Place = tuple[str | int, ...]
encode = msgspec.json.encode

# What may stand where a value is expected, as it would be written.
ODD = [
    *(b"null", b"true", b"false", b"0", b"-1", b"1.5", b"-0.0", b'""', b"[]", b"{}"),
    *(b"-14", b'"-14"', b"-2", b'"7"', b"4009", b"1e999", b"NaN", b"-Infinity"),
    *(b"9007199254740993", b"9223372036854775807", b"9223372036854775808"),
    *(b"18446744073709551616", b"-9223372036854775809", b"9" * 18, b"9" * 5_000),
    *(b'"\\ud800"', b'"a\\udc00b"', b'"\\u0000"', b'"\x00"', b'"\xff\xfe"', b'"\xc3"'),
    *(b'"' + b"x" * 70_000 + b'"', b'"' + "龘💥é".encode() * 300 + b'"', b'"a\nb"'),
    *(b"[" * 900 + b"]" * 900, b"[" * 5_000, b'{"a":' * 1_200 + b"1" + b"}" * 1_200),
    *(
        b'[1,"a",null,{}]',
        b'[[],[[]],{"a":[]}]',
        b'{"id":{"id":1}}',
        b"[" + b"0," * 999,
    ),
    *(b'"2026-13-45T99:99:99Z"', b'"0001-01-01T00:00:00+23:59"', b'"c2c:.."', b"'x'"),
    *(b'"%s"' % SECRET.encode(), b'"you said %s"' % SECRET.encode()),
]
odd = st.sampled_from(ODD)


class Change(Struct, frozen=True):
    """What becomes of one value: another one, none at all, or two with one name."""

    written: bytes | None
    twice: bool = False


def places_in(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, one in inner:
        yield from places_in(one, (*place, key))


def written(value: Any, changes: Mapping[Place, Change], place: Place = ()) -> bytes:
    """Write JSON, with some values as the changes say."""
    change = changes.get(place)
    if change is not None and not change.twice:
        return change.written or b""
    if isinstance(value, dict):
        return b"{%s}" % b",".join(_members(value, changes, place))
    if isinstance(value, list):
        inner = (written(v, changes, (*place, i)) for i, v in enumerate(value))
        return b"[%s]" % b",".join(inner)
    return encode(value)


def _members(
    value: Mapping[str, Any], changes: Mapping[Place, Change], place: Place
) -> Iterator[bytes]:
    for name, one in value.items():
        here = (*place, name)
        change = changes.get(here)
        if change is not None and change.written is None:
            continue
        if change is not None and change.twice:
            yield b"%s:%s" % (encode(name), change.written)
        yield b"%s:%s" % (encode(name), written(one, changes, here))


@st.composite
def spoiled(draw: st.DrawFn, samples: Sequence[Any]) -> bytes:
    """Bytes that were a sample: some values odd, gone or doubled, some bytes lost."""
    sample = draw(st.sampled_from(samples))
    places = [*places_in(sample)][1:] or [()]
    changes = draw(
        st.dictionaries(
            st.sampled_from(places),
            st.builds(Change, st.none() | odd, st.booleans()),
            max_size=3,
        )
    )
    changes = {
        place: it if it.written is not None else Change(None)
        for place, it in changes.items()
    }
    raw = written(sample, changes)
    match draw(st.integers(0, 9)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            place = draw(st.integers(0, len(raw)))
            return raw[:place] + draw(st.binary(max_size=4)) + raw[place + 1 :]
        case 2:
            return (
                draw(st.sampled_from([b"\xef\xbb\xbf", b" \n", b"\0", b"<html>"])) + raw
            )
        case 3:
            return raw + draw(st.sampled_from([b"\n", b"\0", raw, b"}", b"garbage"]))
        case _:
            return raw


def anything(samples: Sequence[Any]) -> st.SearchStrategy[bytes]:
    return st.one_of(spoiled(samples), spoiled(samples), st.binary(max_size=300), odd)


class Answering:
    """A channel whose every answer is the same."""

    def __init__(self, answer: Response | Failure) -> None:
        self._answer = answer

    async def post(self, *_: Any) -> Response:
        if isinstance(self._answer, Failure):
            raise self._answer
        return self._answer

    request = post


# Where facts go.


class Moment(Struct, frozen=True):
    """An account just before a fact that was recorded."""

    platform: Platform
    policy: Policy
    state: Any
    fact: Fact


@cache
def moments(platform: str) -> Sequence[Moment]:
    """Return one moment for every kind of fact in every stage of every incident."""
    found: dict[tuple[str, ...], Moment] = {}
    for path in sorted(INCIDENTS.glob("*.jsonl")):
        recording = read_recording(path)
        if recording.header.platform != platform:
            continue
        kind = PLATFORMS[platform]
        state, policy = kind.state(), recording.header.policy
        for line in (one for chunk in recording.read() for one in chunk):
            fact = Fact(line.seq, line.at_ms, line.event)
            policy = policy_from(fact, policy)
            stage = (state.session.phase, state.connection.phase)
            key = (path.stem, type(fact.event).__name__, *stage)
            found.setdefault(key, Moment(kind, policy, state, fact))
            state, _ = kind.step(state, fact, policy)
    return [*found.values()]


def moments_of(platform: str, *kinds: type[Event]) -> st.SearchStrategy[Moment]:
    """Draw a moment at which a fact of these kinds came."""
    fit = [it for it in moments(platform) if isinstance(it.fact.event, kinds)]
    assert fit, kinds
    return st.sampled_from(fit)


def fold(moment: Moment, draft: Draft) -> None:
    """Fold what came instead of the fact that was recorded; no promise may break.

    All of it can be written down and read back, and no words repeat the secret.
    """
    state, platform = moment.state, moment.platform
    seq, at_ms = moment.fact.seq, moment.fact.at_ms
    for event in draft.events:
        raw = encode(event)
        assert len(raw) < FACT_BYTES_MAX
        assert msgspec.json.decode(raw, type=Event) == event
        assert not any(SECRET in getattr(event, name, "") for name in WORDS), event
        fact = Fact(seq, at_ms, event)
        before = state
        state, commands = platform.step(before, fact, moment.policy)
        problems = platform.broken(before, fact, state, commands, moment.policy)
        assert not problems, (problems, event)
        encode(commands)
        assert msgspec.json.decode(encode(state), type=platform.state) == state
        seq, at_ms = seq + 1, at_ms + 1
    for kept in draft.kept:
        assert isinstance(kept.value, bytes)
        kept.handle.encode()
