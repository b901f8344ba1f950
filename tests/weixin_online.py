"""The simulated Weixin peer online in virtual time, with a client that has manners."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import msgspec
import trio
from trio.testing import MockClock
from weixin_client import URLS, about, headers_for, polling

from holdfast.replay.world.serve import Served, serve_weixin
from holdfast.replay.world.weixin_settings import Settings


class Client:
    """httpx with a Weixin client's manners."""

    def __init__(self, served: Served, http: httpx.AsyncClient) -> None:
        self._served = served
        self._http = http

    async def post(self, endpoint: str, body: dict[str, Any]) -> httpx.Response:
        headers = headers_for(self._served.peer.token)
        return await self._http.post(URLS[endpoint], json=body, headers=headers)

    async def poll(self, cursor: str = "") -> list[str]:
        answer = (await self.post("getupdates", polling(cursor))).json()
        items = [message["item_list"][0] for message in answer["msgs"]]
        return [item["text_item"]["text"] for item in items]

    async def notify(self) -> httpx.Response:
        return await self.post("notifystart", about())


def milliseconds(clock: MockClock) -> int:
    return round(clock.current_time() * 1_000)


@asynccontextmanager
async def online(
    clock: MockClock, settings: Settings | None = None, *, timeout_s: float = 60
) -> AsyncIterator[tuple[Served, Client]]:
    async with (
        serve_weixin(settings, now_ms=partial(milliseconds, clock)) as served,
        httpx.AsyncClient(
            base_url=served.url, timeout=timeout_s, trust_env=False
        ) as http,
    ):
        yield served, Client(served, http)


async def dial(served: Served) -> trio.SocketStream:
    host, port = served.url.removeprefix("http://").split(":")
    return await trio.open_tcp_stream(host, int(port))


def raw_poll(served: Served) -> bytes:
    """Return the bytes of a poll, for clients that are no httpx."""
    body = msgspec.json.encode(polling())
    lines = [f"POST {URLS['getupdates']} HTTP/1.1", "Host: weixin"]
    headers = headers_for(served.peer.token) | {"Content-Length": str(len(body))}
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
