"""The simulated QQ platform online in virtual time, with a client that has manners."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
from trio.testing import MockClock
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection, connect

from holdfast.replay.world.online import clock_from
from holdfast.replay.world.qq_say import USER
from holdfast.replay.world.qq_settings import INTENTS_ALL, Settings
from holdfast.replay.world.serve_qq import ServedQq, serve_qq


class Gateway:
    """One WebSocket of a client."""

    def __init__(self, ws: ClientConnection, token: str) -> None:
        self.ws = ws
        self.token = token

    async def get(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.ws.recv())
        return found

    async def tell(self, op: int, d: Any = None) -> None:
        await self.ws.send(json.dumps({"op": op, "d": d}))

    async def identify(self, **fields: Any) -> dict[str, Any]:
        assert (await self.get())["op"] == 10
        asked = {"intents": INTENTS_ALL, "shard": [0, 1]} | fields
        await self.tell(2, {"token": f"QQBot {self.token}"} | asked)
        return await self.get()

    async def resume(self, session_id: str, seq: int) -> dict[str, Any]:
        assert (await self.get())["op"] == 10
        token = f"QQBot {self.token}"
        await self.tell(6, {"token": token, "session_id": session_id, "seq": seq})
        return await self.get()

    async def end(self) -> tuple[int | None, str]:
        """Return code and reason of the close frame; None: there was none."""
        try:
            while True:
                await self.ws.recv()
        except ConnectionClosed as closed:
            rcvd = closed.rcvd
            return (rcvd.code, rcvd.reason) if rcvd else (None, "")


class Client:
    """httpx and websockets with a QQ client's manners."""

    def __init__(self, served: ServedQq, http: httpx.AsyncClient) -> None:
        self._served = served
        self._http = http
        self.token = ""

    async def log_in(self) -> dict[str, Any]:
        settings = self._served.peer.settings
        asked = {"appId": settings.app_id, "clientSecret": settings.secret}
        answer = await self._http.post(self._served.token_url, json=asked)
        found: dict[str, Any] = answer.json()
        self.token = found["access_token"]
        return found

    async def get(self, path: str) -> httpx.Response:
        return await self._http.get(path, headers=self._headers())

    async def send(self, text: str = "hi", **fields: Any) -> httpx.Response:
        body = {"msg_type": 0, "content": text} | fields
        path = f"/v2/users/{USER}/messages"
        return await self._http.post(path, json=body, headers=self._headers())

    @asynccontextmanager
    async def dial(self) -> AsyncIterator[Gateway]:
        async with connect(
            self._served.peer.settings.address,
            proxy=None,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=1 << 24,
        ) as ws:
            yield Gateway(ws, self.token)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"QQBot {self.token}"}


@asynccontextmanager
async def online(
    settings: Settings | None = None, *, timeout_s: float = 30
) -> AsyncIterator[tuple[ServedQq, Client]]:
    async with (
        serve_qq(settings, now_ms=clock_from(0)) as served,
        httpx.AsyncClient(
            base_url=served.url, timeout=timeout_s, trust_env=False
        ) as http,
    ):
        client = Client(served, http)
        await client.log_in()
        yield served, client


async def raw_socket(served: ServedQq) -> trio.SocketStream:
    """Dial and shake hands without a WebSocket library."""
    host, port = served.url.removeprefix("http://").split(":")
    stream = await trio.open_tcp_stream(host, int(port))
    lines = [
        "GET /websocket/ HTTP/1.1",
        f"Host: {host}:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    await stream.send_all("\r\n".join([*lines, "", ""]).encode())
    return stream


async def drain(stream: trio.SocketStream) -> bytes:
    """Return all that still comes, until the end."""
    data = b""
    while more := await stream.receive_some():
        data += more
    return data


def seconds(clock: MockClock) -> float:
    return round(clock.current_time(), 3)
