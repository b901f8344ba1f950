import msgspec
from lives import ACCOUNT, Life, recorded
from spoiled import changed, diverged, sealed

from holdfast.core.account import Trouble
from holdfast.core.commands import Command, Offer
from holdfast.core.outbox import Outbox, Peer
from holdfast.core.session import Phase, Session
from holdfast.core.weixin_account import Weixin
from holdfast.replay.describe import parse_command
from holdfast.replay.differences import Change, command_differences, differences
from holdfast.replay.divergence import CHANGES_MAX, Divergence, explain
from holdfast.replay.player import Verdict, play
from holdfast.replay.recording import RecordingError

SMALL = recorded(Life(3, trouble=120), 60)
LINES = SMALL.splitlines(keepends=True)
LOGIN = "cd365e0074f8ebf6531f5131"


def spoiled(old: bytes, new: bytes, lines: list[bytes] = LINES) -> Divergence:
    """Replace something in the first fact line that has it, and replay."""
    number = next(i for i, line in enumerate(lines) if i and old in line)
    other = lines[number].replace(old, new, 1)
    found = diverged(play(sealed([*lines[:number], other, *lines[number + 1 :]])))
    assert found.seq == number
    return found


def damage(content: bytes) -> RecordingError:
    """Replay what is damaged, but folds to the same."""
    result = play(content)
    assert result.verdict is Verdict.DAMAGED
    assert result.divergence is None
    assert result.damage is not None
    return result.damage


def test_commands_that_differ_are_told_in_words() -> None:
    found = spoiled(b'"timeout_ms":10000}]', b'"timeout_ms":90000}]')
    assert explain(found).splitlines() == [
        "seq 2 at 2026-09-01 03:00:00.054 UTC: the commands differ",
        f"  fact       credentials_loaded credential={LOGIN} account_id={ACCOUNT}",
        "  session    expired -> recovering",
        "  connection reconnecting",
        "  commands (- recorded, + produced, = both)",
        f"    - notify_start credential={LOGIN} timeout_ms=90000",
        f"    + notify_start credential={LOGIN} timeout_ms=10000",
        "  commands[0].timeout_ms: 90000 -> 10000",
    ]


def test_a_divergence_has_a_json_form() -> None:
    found = spoiled(b'"timeout_ms":10000}]', b'"timeout_ms":90000}]')
    told = msgspec.json.decode(msgspec.json.encode(found))
    assert told["kind"] == "commands"
    assert (told["seq"], told["at_ms"]) == (2, 1_788_231_600_054)
    assert told["phases_before"] == {"session": "expired", "connection": "reconnecting"}
    assert told["phases_after"]["session"] == "recovering"
    assert told["changes"] == [
        {"path": "commands[0].timeout_ms", "recorded": "90000", "produced": "10000"}
    ]
    assert len(told["recorded"]) == len(told["produced"]) == 1


def test_a_command_too_many_is_shown_where_it_stands() -> None:
    begin, rest = b'"commands":[', b'{"type":"report",'
    found = spoiled(begin + rest, begin + b'{"type":"offer","message":3},' + rest)
    text = explain(found)
    assert "    - offer message=3\n    = report delivery=" in text
    assert '  commands[0]: {"type":"offer","message":3} -> (absent)' in text
    assert "+" not in [line.strip()[:1] for line in text.splitlines()]


def test_a_checkpoint_that_differs_is_told_by_its_fields() -> None:
    head, state = LINES[-2].split(b',"state":')
    other = state.replace(b'"context":"', b'"context":"x', 1)
    found = diverged(
        play(sealed([*LINES[:-2], head + b',"state":' + other, LINES[-1]]))
    )
    assert (found.kind, found.seq) == ("state", 60)
    (change,) = found.changes
    assert change.path.startswith("outbox.peers.o9cq")
    assert change.path.endswith("@im.wechat.context")
    assert change.recorded == change.produced.replace('"', '"x', 1)
    assert "the state differs from the recorded checkpoint" in explain(found)


def test_a_final_state_without_a_checkpoint_has_its_digest_compared() -> None:
    lines = [*LINES]
    lines[-2] = lines[-2].partition(b',"state":')[0] + b"}\n"
    assert play(sealed(lines)).verdict is Verdict.SAME
    found = diverged(play(sealed(lines, state="no digest")))
    assert "the final state differs from the recorded digest" in explain(found)
    assert "  digest: " in explain(found)


def test_long_lists_of_changes_are_cut() -> None:
    life = Life(4, message_gap_ms=500)
    lines = recorded(life, 2_000).splitlines(keepends=True)
    head, state = lines[-2].split(b',"state":')
    for digit in b"123456789":
        state = state.replace(b'":178823%c' % digit, b'":278823%c' % digit)
    lines[-2] = head + b',"state":' + state
    found = diverged(play(sealed(lines)))
    assert len(found.changes) == CHANGES_MAX
    assert found.more > 100
    assert explain(found).endswith(f"… and {found.more} more")


def test_a_value_nobody_looks_at_is_damage_without_a_place() -> None:
    assert b'"errmsg":"session' in SMALL
    fault = damage(SMALL.replace(b'"body":"3db7', b'"body":"ffff', 1))
    assert fault.line == len(LINES)
    assert "have sha256" in fault.what
    assert "every line is well written" in fault.right


def test_a_line_in_another_form_is_where_the_damage_is() -> None:
    spaced = LINES[20].replace(b'"seq":20,', b'"seq": 20,')
    fault = damage(b"".join([*LINES[:20], spaced, *LINES[21:]]))
    assert fault.line == 21
    assert "is not written as a recorder writes it" in fault.what


def test_a_file_in_another_form_has_damage_without_a_place() -> None:
    spaced = [line.replace(b'":', b'": ') for line in LINES]
    fault = damage(b"".join(spaced).replace(b'"body": "3db7', b'"body": "ffff', 1))
    assert fault.line == len(LINES)
    assert "no line is written as a recorder writes it" in fault.right


def test_a_changed_header_is_where_the_damage_is() -> None:
    fault = damage(SMALL.replace(b'"alice"', b'"bob"', 1))
    assert fault.line == len(LINES)


def test_a_difference_in_a_damaged_file_is_told_too() -> None:
    result = play(changed(SMALL, SMALL.find(b'"epoch":2') + 8))
    assert result.verdict is Verdict.DAMAGED
    assert diverged(result).kind == "commands"


def weixin(**fields: object) -> Weixin:
    return msgspec.structs.replace(Weixin(), **fields)


def test_a_path_leads_to_what_differs() -> None:
    recorded_peers = {"o9cq": Peer("ctx-1"), "b": Peer()}
    one = weixin(outbox=Outbox(peers=recorded_peers))
    other = weixin(outbox=Outbox(peers={"o9cq": Peer(""), "b": Peer()}))
    assert [*differences("", one, other)] == [
        Change("outbox.peers.o9cq.context", '"ctx-1"', '""')
    ]


def test_what_one_side_lacks_is_absent() -> None:
    one = weixin(outbox=Outbox(peers={"a": Peer("x")}))
    trouble = Trouble(1, "poll", "-14", "no")
    other = weixin(trouble=trouble, session=Session(phase=Phase.ACTIVE))
    assert [*differences("", one, other)] == [
        Change("session.phase", '"expired"', '"active"'),
        Change("outbox.peers.a", '{"context":"x"}', "(absent)"),
        Change(
            "trouble", "null", '{"at_ms":1,"where":"poll","code":"-14","text":"no"}'
        ),
    ]


def test_the_order_of_a_mapping_is_a_difference() -> None:
    one = Outbox(peers={"a": Peer("x"), "b": Peer("y")})
    other = Outbox(peers={"b": Peer("y"), "a": Peer("x")})
    assert [*differences("", one, other)] == [
        Change("order of peers", '["a","b"]', '["b","a"]')
    ]


def commands(*texts: str) -> list[Command]:
    return [parse_command(text) for text in texts]


def test_commands_in_the_middle_are_paired() -> None:
    old = commands("offer message=1", "set_timer name=a due_ms=1", "forget handle=x")
    new = commands("offer message=1", "set_timer name=a due_ms=2", "forget handle=x")
    assert [*command_differences(old, new)] == [Change("commands[1].due_ms", "1", "2")]
    assert [*command_differences(old, old)] == []
    assert [*command_differences([], [Offer(4)])] == [
        Change("commands[0]", "(absent)", '{"type":"offer","message":4}')
    ]
