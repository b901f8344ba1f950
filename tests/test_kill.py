"""The plug is pulled on the real process, again and again, while people write."""

from collections import defaultdict
from itertools import count
from pathlib import Path

import trio
from kill_rig import Begun, Process, moments

from holdfast.replay.world import qq_settings, weixin_settings
from holdfast.replay.world.qq_say import USER as QQ_USER
from holdfast.replay.world.qq_state import Peer
from holdfast.replay.world.serve import serve_weixin
from holdfast.replay.world.serve_qq import ServedQq, serve_qq
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_inbound import USER

KILLS, QQ_KILLS = 100, 40
# Start-up takes about a third of it, so that every phase of a life is hit.
LIFE_S_MAX = 0.7
UP_S_MAX = 0.3
CHAT = f"c2c:{QQ_USER}"

CONFIG = """
[service]
data_dir = "data"
[policy.delivery]
gap_ms_min = 0
gap_ms_base = 0
gap_ms_per_part = 0
budget = 0
[policy.poll]
hold_ms_min = 500
interval_ms_min = 10
[policy.connection]
backoff_ms_first = 20
backoff_ms_max = 100
cooldown_ms = 20
[policy.journal]
snapshot_facts = 40
"""
WEIXIN = """
[accounts.alice]
platform = "weixin"
base_url = "{served.url}"
token = "{served.peer.token}"
"""
QQ = """
[accounts.bob]
platform = "qq"
app_id = "{settings.app_id}"
secret = "{settings.secret}"
api_url = "{served.url}"
token_url = "{served.token_url}"
intents = ["group_and_c2c"]
"""


async def test_a_hundred_kills_lose_nothing_and_repeat_nothing_after_done(
    tmp_path: Path,
) -> None:
    process, chance = Process(tmp_path), moments()
    settings = weixin_settings.Settings(hold_ms=1_000, hint_ms=1_000, budget=None)
    async with serve_weixin(settings) as served:
        configure(tmp_path, WEIXIN.format(served=served))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, served)
            for _ in range(KILLS):
                await process.live(chance.uniform(0.02, LIFE_S_MAX))
            nursery.cancel_scope.cancel()
        said = {
            str(message.wire["item_list"][0]["text_item"]["text"])
            for message in served.peer.inbound
        }

        async def answered() -> None:
            await served.until(lambda peer: said <= texts(peer.shown.get(USER, ())))

        await process.live_until(answered)
        check_answers(served)
    process.check_offers(said)
    process.check_journal("alice", len(said))


async def test_forty_kills_of_a_qq_account_lose_and_repeat_nothing(
    tmp_path: Path,
) -> None:
    process, chance = Process(tmp_path), moments()
    settings = qq_settings.Settings(log_max=1_000_000, recycle_ms=300)
    said: list[str] = []
    async with serve_qq(settings) as served:
        configure(tmp_path, QQ.format(served=served, settings=settings))
        # What is said before there is a session, the platform tells nobody.
        await process.live_until(lambda: greet(served, said))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat, served, said)
            for number in range(QQ_KILLS):
                # On a slow machine, too, every fourth life gets as far as READY.
                if number % 4:
                    await process.live(chance.uniform(0.02, LIFE_S_MAX))
                else:
                    await process.live(chance.uniform(0, UP_S_MAX), dialled(served))
            nursery.cancel_scope.cancel()

        up = dialled(served)

        async def answered() -> None:
            await up()
            await served.until(lambda peer: {*said} <= texts(peer.shown.get(CHAT, ())))

        await process.live_until(answered)
        check_replies(served)
        assert served.peer.counts.identifies == 1
    process.check_offers({*said})
    process.check_journal("bob", len(said))


def configure(folder: Path, account: str) -> None:
    (folder / "holdfast.toml").write_text(CONFIG + account)


async def talk(served: Served) -> None:
    """Let the user write whenever a poll is held, and once when it is cut off."""
    for number in count():
        await served.until(lambda peer: peer.waiting)
        served.say(f"message {number}")
        await served.until(lambda peer: not peer.waiting)
        if not number % 10:
            served.say(f"nobody listens {number}")


def is_ready(peer: Peer) -> bool:
    return any(socket.ready_ms is not None for socket in peer.sockets.values())


def dialled(served: ServedQq) -> Begun:
    """Return what waits for a session on a socket that is not there yet."""
    dials = served.peer.counts.connections

    def is_up(peer: Peer) -> bool:
        return peer.counts.connections > dials and is_ready(peer)

    return lambda: served.until(is_up)


async def greet(served: ServedQq, said: list[str]) -> None:
    """Let the user write once, and be answered: then the session is on record."""
    await served.until(is_ready)
    said.append("hello")
    served.say(said[-1])
    await served.until(lambda peer: is_seen(peer, said[-1]))


async def chat(served: ServedQq, said: list[str]) -> None:
    """Let the user write, again as soon as it was answered, and while nobody is up."""
    for number in count():
        await served.until(is_ready)
        said.append(f"message {number}")
        served.say(said[-1])
        await served.until(lambda peer: is_seen(peer, said[-1]) or not is_ready(peer))
        if not is_ready(served.peer):
            said.append(f"nobody listens {number}")
            served.say(said[-1])


def is_seen(peer: Peer, text: str) -> bool:
    shown = peer.shown.get(CHAT)
    return bool(shown) and any(one.text == text for one in [*(shown or ())][-5:])


def texts(shown: object) -> set[str]:
    assert hasattr(shown, "__iter__")
    return {str(getattr(one, "text", "")) for one in shown}


def check_answers(served: Served) -> None:
    """Each text was answered under one client id, however often it was tried."""
    ids = defaultdict(set)
    for shown in served.peer.shown[USER]:
        ids[shown.text].add(shown.client_id)
    assert {text: found for text, found in ids.items() if len(found) > 1} == {}
    assert served.peer.violations == ()


def check_replies(served: ServedQq) -> None:
    """Each text was sent under one message id and number, and shown once."""
    keys = defaultdict(set)
    for line in served.peer.log:
        if line.what == "request" and line.name == "c2c" and line.body:
            body = line.body
            keys[body["content"]].add((body.get("msg_id"), body.get("msg_seq")))
    assert {text: found for text, found in keys.items() if len(found) > 1} == {}
    shown = [one.text for one in served.peer.shown[CHAT]]
    assert len(shown) == len({*shown})
    assert served.peer.violations == ()
