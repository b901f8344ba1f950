"""Whatever a peer answers: facts come of it, which can be kept and folded."""

from typing import Any

import msgspec
from fuzz_rig import (
    SECRET,
    Answering,
    Moment,
    anything,
    fold,
    moments_of,
)
from hypothesis import given
from hypothesis import strategies as st
from qq_wires import Memory, finished
from test_qq_inbound import C2C, GROUP
from test_weixin_wire import USER

from holdfast.core import events as ev
from holdfast.core import qq_events as qev
from holdfast.core.commands import (
    Command,
    FetchGateway,
    FetchToken,
    NotifyStart,
    Poll,
    Send,
)
from holdfast.io.credentials import Credentials
from holdfast.io.draft import Draft
from holdfast.io.http import Failure, Response, make_tls_context
from holdfast.io.messages import read_body
from holdfast.io.opening import ERRMSG_MAX, masked
from holdfast.io.platforms import QQ, WEIXIN
from holdfast.io.qq import inbound, wire
from holdfast.io.qq.peer import Place, QqPeer
from holdfast.io.vault import BODY, CONTEXT, Vault
from holdfast.io.weixin.peer import Address, WeixinPeer

TLS = make_tls_context()
MESSAGE = {
    "seq": 41,
    "message_id": 7500000000000000123,
    "from_user_id": USER,
    "to_user_id": "a1@im.bot",
    "client_id": "phone-1",
    "create_time_ms": 1_790_000_000_123,
    "message_type": 1,
    "message_state": 2,
    "context_token": "AARzJWEXAMPLE0001",
    "item_list": [
        {"type": 1, "text_item": {"text": "hello"}, "msg_id": "9"},
        {"type": 3, "voice_item": {"text": "two"}, "ref_msg": {"title": "q"}},
    ],
}
POLLS = [
    {"ret": 0, "msgs": [MESSAGE, MESSAGE], "get_updates_buf": "Y3Vyc29y"},
    {"ret": 0, "msgs": [], "get_updates_buf": "c2", "longpolling_timeout_ms": 35_000},
    {"ret": -14, "errcode": -14, "errmsg": "session timeout"},
]
SENDS = [
    {"ret": 0, "message_id": 7500000000000000124},
    {"ret": -2, "errmsg": "unknown error"},
    {},
    {"code": 22009, "message": "msg limit exceed", "err_code": 22009, "trace_id": "t"},
    {"id": "ROBOT1.0_x!", "timestamp": 1_790_000_000},
    {"code": 304023, "message": "wait", "data": {"message_audit": {"audit_id": "1"}}},
]
TOKENS = [
    {"access_token": SECRET, "expires_in": "7200"},
    {"code": 100016, "message": "invalid appid or secret"},
]
GATEWAYS = [
    {
        "url": "wss://api.sgroup.qq.com/websocket",
        "shards": 9,
        "session_start_limit": {
            "total": 1000,
            "remaining": 999,
            "reset_after": 14_400_000,
            "max_concurrency": 1,
        },
    },
    {"code": 11281, "message": "check app privilege not pass"},
]
READY = {
    "version": 1,
    "session_id": "7d3c-52",
    "user": {"id": "117", "username": "demo", "bot": True},
    "shard": [0, 1],
}
FRAMES: list[Any] = [
    {"op": 10, "d": {"heartbeat_interval": 41_250}},
    {"op": 11},
    {"op": 1, "d": 251},
    {"op": 7},
    {"op": 9, "d": False},
    {"op": 9, "d": True},
    {"op": 77, "d": {"odd": [1]}},
    {"op": 0, "s": 1, "t": "READY", "d": READY},
    {"op": 0, "s": 257, "t": "RESUMED", "d": ""},
    *(
        {"op": 0, "s": 12, "t": t, "id": f"{t}:1", "d": C2C | {"group_openid": GROUP}}
        for t in (*inbound.MESSAGES, *inbound.CONTACTS, "INTERACTION_CREATE", "NEW")
    ),
    {
        "op": 0,
        "s": 13,
        "t": "C2C_MESSAGE_CREATE",
        "d": C2C
        | {
            "message_type": 103,
            "attachments": [{"content_type": "voice", "asr_refer_text": "hi"}],
            "msg_elements": [{"content": "quoted"}],
            "message_reference": {"message_id": "m0"},
        },
    },
]
STATUSES = st.sampled_from([200, 200, 200, 204, 302, 400, 401, 403, 429, 500, 524, 999])
FAILURES = st.builds(
    Failure,
    st.sampled_from(["timeout", "connect", "dns", "tls", "reset", "protocol"]),
    st.text(max_size=5) | st.sampled_from([SECRET, "\ud800", "x" * 9_999]),
    left=st.booleans(),
)


def answers(samples: list[Any]) -> st.SearchStrategy[Response | Failure]:
    trace = st.sampled_from(["", "9f00aa", "x" * 9_999, SECRET, "\xff\x00"])
    return st.builds(Response, STATUSES, anything(samples), trace) | FAILURES


class Desk:
    """Both peers on one vault that is a dictionary; each call has the same answer."""

    def __init__(self, answer: Response | Failure) -> None:
        self.memory = Memory()
        self.vault = Vault(bytes(32), "alice", self.memory)
        channel: Any = Answering(answer)
        address = Address("http://127.0.0.1:9", "A/1", "")
        self.weixin = WeixinPeer(address, self.vault, channel, channel)
        place = Place("1", "http://127.0.0.1:9", "http://127.0.0.1:9", TLS, None)
        self.qq = QqPeer(place, self.vault, channel, channel)
        self.login = self.vault.hold_login(Credentials(token=SECRET))
        self.token = self.vault.hold_token(SECRET)

    def keep(self, kind: str, value: bytes) -> str:
        kept = self.vault.seal(kind, value)
        self.memory.kept[kept.handle] = kept.value
        return kept.handle

    def send(self, event: Any, peer: str, credential: str, context: bytes) -> Command:
        body, said = self.keep(BODY, b"a text"), self.keep(CONTEXT, context)
        place = (event.delivery, event.part)
        return Send(*place, peer, body, "id", credential, said, 15_000, number=3)

    def weixin_says(self, command: Command) -> Draft:
        return finished(self.weixin.perform(command))

    def qq_says(self, command: Command) -> Draft:
        return finished(self.qq.perform(command))


def offered(draft: Draft, read: Any) -> None:
    """Open every message as a host would see it."""
    kept = {one.handle: one.value for one in draft.kept}
    for event in draft.events:
        if isinstance(event, ev.MessageReceived):
            raw = read_body(kept[event.body])
            reading = read(raw)
            assert isinstance(reading.text, str)
            msgspec.json.encode([reading.text, event.peer])


# Weixin.


@given(moments_of("weixin", ev.PollAnswered, ev.PollFailed), answers(POLLS))
def test_whatever_a_poll_is_answered_it_is_folded(
    moment: Moment, answer: Response | Failure
) -> None:
    desk = Desk(answer)
    epoch = getattr(moment.fact.event, "epoch", 0)
    draft = desk.weixin_says(Poll(epoch, desk.login, "", 45_000))
    fold(moment, draft)
    offered(draft, WEIXIN.read)


@given(moments_of("weixin", ev.SendAnswered, ev.SendFailed), answers(SENDS))
def test_whatever_a_send_is_answered_it_is_folded(
    moment: Moment, answer: Response | Failure
) -> None:
    desk = Desk(answer)
    command = desk.send(moment.fact.event, USER, desk.login, b"context")
    fold(moment, desk.weixin_says(command))


@given(moments_of("weixin", ev.NotifyAnswered, ev.NotifyFailed), answers(SENDS))
def test_whatever_a_probe_is_answered_it_is_folded(
    moment: Moment, answer: Response | Failure
) -> None:
    desk = Desk(answer)
    fold(moment, desk.weixin_says(NotifyStart(desk.login, 10_000)))


@given(st.builds(Response, STATUSES, anything([{"ret": 0, "typing_ticket": "dA=="}])))
def test_whatever_a_typing_call_is_answered_it_says_so(answer: Response) -> None:
    desk = Desk(answer)
    typing = finished(desk.weixin.get_typing_ticket(desk.login, USER, "c"))  # type: ignore[arg-type]  # any coroutine.
    assert len(getattr(typing, "errmsg", "")) <= ERRMSG_MAX


# QQ.


@given(moments_of("qq", qev.TokenAnswered, qev.TokenFailed), answers(TOKENS))
def test_whatever_a_token_call_is_answered_it_is_folded(
    moment: Moment, answer: Response | Failure
) -> None:
    desk = Desk(answer)
    fold(moment, desk.qq_says(FetchToken(desk.login, 5_000)))


@given(moments_of("qq", qev.GatewayAnswered, qev.GatewayFailed), answers(GATEWAYS))
def test_whatever_the_gateway_call_is_answered_it_is_folded(
    moment: Moment, answer: Response | Failure
) -> None:
    desk = Desk(answer)
    epoch = getattr(moment.fact.event, "epoch", 0)
    fold(moment, desk.qq_says(FetchGateway(epoch, desk.token, 5_000)))


@given(
    moments_of("qq", ev.SendAnswered, ev.SendFailed),
    answers(SENDS),
    st.sampled_from(["c2c:A", "group:B", "guild:7", "dm:../x"]),
)
def test_whatever_a_send_to_qq_is_answered_it_is_folded(
    moment: Moment, answer: Response | Failure, peer: str
) -> None:
    desk = Desk(answer)
    context = wire.reply_context("m1")
    fold(moment, desk.qq_says(desk.send(moment.fact.event, peer, desk.token, context)))


ON_SOCKET = (
    qev.HelloReceived,
    qev.ReadyReceived,
    qev.ResumedReceived,
    qev.HeartbeatAcked,
    qev.DispatchReceived,
    qev.SessionInvalidated,
    qev.ReconnectAsked,
    ev.MessageReceived,
)


@given(moments_of("qq", *ON_SOCKET), anything(FRAMES), st.booleans())
def test_whatever_comes_over_the_socket_is_one_fact_and_folded(
    moment: Moment,
    raw: bytes,
    binary: bool,  # noqa: FBT001 - drawn.
) -> None:
    desk = Desk(Response(200, b""))
    message = raw if binary else raw.decode("utf-8", "replace")
    epoch = getattr(moment.fact.event, "epoch", 0)
    draft = inbound.receive(wire.open_frame(message), epoch, desk.vault)
    assert len(draft.events) == 1
    fold(moment, draft)
    offered(draft, QQ.read)


@given(
    moments_of("qq", *ON_SOCKET, qev.SocketClosed),
    st.sampled_from(["closed", "reset", "eof", "dropped", "stalled", "too_large"]),
    st.none() | st.integers(0, 65_535) | st.integers(4_000, 4_020) | st.just(4_914),
    st.text(max_size=123),
)
def test_whatever_a_socket_ends_with_it_is_folded(
    moment: Moment, kind: str, code: int | None, reason: str
) -> None:
    epoch = getattr(moment.fact.event, "epoch", 0)
    closed = qev.SocketClosed(epoch, kind, code, masked(reason, (SECRET,)))
    fold(moment, Draft((closed,)))
