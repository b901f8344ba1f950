"""What bounds the cost of an answer, whatever it holds."""

import pytest
from msgspec import Raw
from test_weixin_wire import VAULT

from holdfast.io.opening import ID_MAX, PIECES_MAX, open_answer
from holdfast.io.weixin import inbound


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"0,", b'{"a":[]},', b'"",'])
@pytest.mark.parametrize("salt", [b"", b'"s":"\\ud800",'])
def test_an_answer_of_very_many_pieces_is_not_opened_piece_by_piece(
    piece: bytes, salt: bytes
) -> None:
    many = piece * (PIECES_MAX + 1) + b"0"
    opened = open_answer(b'{%s"msgs":[%s]}' % (salt, many))
    assert opened.malformed == "it has too many pieces"
    assert not opened.fields


def test_an_answer_of_very_many_fields_is_not_opened() -> None:
    fields = b",".join(b'"%d":0' % number for number in range(PIECES_MAX + 2))
    assert open_answer(b"{%s}" % fields).malformed


def test_a_sender_longer_than_any_id_does_not_become_part_of_the_state() -> None:
    for length, kept in ((ID_MAX, ID_MAX), (ID_MAX + 1, 0), (1_000_000, 0)):
        raw = b'{"from_user_id":"%s"}' % (b"x" * length)
        event, values = inbound.receive(Raw(raw), VAULT)
        assert len(event.peer) == kept
        assert values[0].value == raw
