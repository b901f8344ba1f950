"""Every place that opens foreign bytes is known, and fuzzed somewhere.

Whoever adds a decoder adds its line here, and a test that feeds it.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tidy_source import ROOT, SOURCE_ROOTS, Source, last_name, nodes, python_sources

# What turns bytes or text into values.
OPENERS = {
    *("Decoder", "b64decode", "convert", "decode", "decode_lines", "decompressobj"),
    *("fromisoformat", "literal_eval", "loads", "parse_qs", "unpack", "unpack_from"),
}
# Encodings of text are no formats; nor are our own functions of such a name.
TEXT = {"decode"}
PEERS = "test_fuzz_peers.py"
RECORDINGS = "test_fuzz_recordings.py"
CONFIG = "test_fuzz_config.py"
# {file: how many decoders it has, and what feeds them}
KNOWN = {
    "io/holdfast/io/config.py": (1, CONFIG),
    "io/holdfast/io/config_accounts.py": (1, CONFIG),
    "io/holdfast/io/config_file.py": (1, CONFIG),
    "io/holdfast/io/config_tables.py": (1, CONFIG),
    "io/holdfast/io/credentials.py": (2, CONFIG),
    "io/holdfast/io/unpacking.py": (1, "test_fuzz_wires.py"),
    "io/holdfast/io/journal_log.py": (5, "test_journal_exhaustive.py"),
    "io/holdfast/io/journal_salvage.py": (2, "test_salvage.py"),
    "io/holdfast/io/messages.py": (2, PEERS),
    "io/holdfast/io/opening.py": (8, PEERS),
    "io/holdfast/io/qq/inbound.py": (1, PEERS),
    "io/holdfast/io/qq/wire.py": (2, PEERS),
    "io/holdfast/io/recovery.py": (3, "test_fuzz_journal.py"),
    "io/holdfast/io/weixin/inbound.py": (2, PEERS),
    "io/holdfast/io/weixin/wire.py": (2, PEERS),
    "replay/holdfast/replay/damage.py": (5, RECORDINGS),
    # Fixtures, which people write.
    "replay/holdfast/replay/describe.py": (1, "test_describe.py"),
    "replay/holdfast/replay/exporting.py": (1, CONFIG),
    "replay/holdfast/replay/faking.py": (1, RECORDINGS),
    "replay/holdfast/replay/fold.py": (4, RECORDINGS),
    # Commands of a recording that `show` folds.
    "replay/holdfast/replay/no_return.py": (2, RECORDINGS),
    # A recording that was folded before.
    "replay/holdfast/replay/pseudonyms.py": (3, "test_pseudonyms.py"),
    "replay/holdfast/replay/recording.py": (9, RECORDINGS),
    "replay/holdfast/replay/world/faults.py": (1, RECORDINGS),
    # Requests of a client to a simulated peer on loopback.
    "replay/holdfast/replay/world/weixin_cursor.py": (1, "test_world_weixin.py"),
    "replay/holdfast/replay/world/weixin_strict.py": (1, "test_world_weixin.py"),
    "replay/holdfast/replay/world/wire.py": (1, "test_world_serve.py"),
}


def decoders(source: Source) -> Iterator[ast.Call]:
    for _, call in nodes([source], ast.Call):
        name = last_name(call.func)
        if name in OPENERS and not (name in TEXT and _is_text(call)):
            yield call


def _is_text(call: ast.Call) -> bool:
    """Tell `raw.decode()`, also with an encoding's name, from a decoder's `decode`."""
    args = [it.value for it in call.args if isinstance(it, ast.Constant)]
    return len(args) == len(call.args) and all(isinstance(it, str) for it in args)


def test_every_decoder_of_the_sources_is_known_and_fed() -> None:
    found = Counter[str]()
    for source in python_sources(*SOURCE_ROOTS):
        found[source.path] += sum(1 for _ in decoders(source))
    expected = {path: count for path, (count, _) in KNOWN.items()}
    assert {path: count for path, count in found.items() if count} == expected


def test_what_feeds_a_decoder_is_there() -> None:
    here = Path(__file__).parent
    for _, test in KNOWN.values():
        assert (here / test).exists(), test
    assert (ROOT / "tests").samefile(here)
