"""What a host may ask to be sent: targets and the message answered, per platform."""

import msgspec
import pytest

from holdfast.core.events import SendRequested
from holdfast.core.policy import DeliveryPolicy
from holdfast.io.draft import Draft
from holdfast.io.platforms import QQ, WEIXIN
from holdfast.io.qq import inbound, wire
from holdfast.io.sending import SendRefusedError, Wish, draft_text
from holdfast.io.vault import BODY, CONTEXT, Vault

MESSAGE = "ROBOT1.0_Ex4mple.C2C-0001_a!"


class Nothing:
    def value(self, _handle: str) -> bytes | None:
        return None


VAULT = Vault(bytes(32), "bob", Nothing())


def draft(platform: object = QQ, **wish: str) -> Draft:
    asked = Wish(**{"to": "c2c:A", "text": "hi"} | wish)
    assert isinstance(platform, type(QQ))
    return draft_text(VAULT, DeliveryPolicy(), platform, asked)


def event_of(found: Draft) -> SendRequested:
    (event,) = found.events
    assert isinstance(event, SendRequested)
    return event


@pytest.mark.parametrize("to", ["c2c:A", "group:F0", "guild:100010", "dm:99", "dm:a:b"])
def test_what_a_message_is_from_is_a_target(to: str) -> None:
    assert event_of(draft(to=to)).peer == to


@pytest.mark.parametrize(
    "to",
    [
        "",
        "A",
        "c2c:",
        "user:A",
        "C2C:A",
        "c2c:A B",
        "c2c:\n",
        "dm:..",
        "dm:" + "x" * 300,
    ],
)
def test_anything_else_is_refused_with_what_would_be_right(to: str) -> None:
    with pytest.raises(SendRefusedError) as caught:
        draft(to=to)
    assert str(caught.value) == f"to: found {to[:40]!r}, expected {wire.TARGETS}"


def test_the_answered_message_is_a_context_beside_the_text() -> None:
    found = draft(reply_to=MESSAGE)
    body, context = found.kept
    assert (body.kind, body.value) == (BODY, b"hi")
    assert (context.kind, context.handle) == (CONTEXT, event_of(found).reply_to)
    assert msgspec.json.decode(context.value) == {"msg_id": MESSAGE}


def test_the_context_is_the_one_that_came_with_the_message() -> None:
    raw = f'{{"op":0,"t":"C2C_MESSAGE_CREATE","d":{{"id":"{MESSAGE}"}}}}'
    came = inbound.receive(wire.open_frame(raw), 1, VAULT)
    assert came.kept[1] == draft(reply_to=MESSAGE).kept[1]


def test_a_message_without_an_id_of_the_peers_is_answered_like_the_newest() -> None:
    handle = VAULT.handle(BODY, "{}")
    assert event_of(draft(reply_to=handle)).reply_to == ""
    assert event_of(draft()).reply_to == ""


@pytest.mark.parametrize("reply_to", ["a b", "a\n", "x" * 300, "\ud83d"])
def test_an_id_that_is_none_is_refused(reply_to: str) -> None:
    with pytest.raises(SendRefusedError, match=r"reply_to: found .*expected the `id`"):
        draft(reply_to=reply_to)


def test_where_people_are_answered_the_message_plays_no_part() -> None:
    found = draft(WEIXIN, to="o9@im.wechat", reply_to="7")
    assert event_of(found).reply_to == ""
    assert len(found.kept) == 1
