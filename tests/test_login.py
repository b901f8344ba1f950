"""Logins: a new one is used only after its fact, and each only where it belongs."""

import json
from pathlib import Path

import pytest
import trio
from shell_rig import ALICE, Gate, account, config, living, online, polling
from trio.testing import MockClock

from holdfast.io.login import WATCH_S
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_state import Peer

OTHER_TOKEN = "c1d2e3f4a5b6@im.bot:0600ee55ff667788"  # noqa: S105 - invented.


def write_login(path: Path, served: Served) -> None:
    """Write what a login leaves behind, with the address that came with it."""
    login = {"token": served.peer.token, "base_url": served.url}
    path.write_text(json.dumps(login))
    path.chmod(0o600)


def asked(peer: Peer, endpoint: str) -> bool:
    return any(call.endpoint == endpoint for call in peer.log)


async def test_what_goes_out_under_the_old_login_goes_to_the_old_address(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with online(autojump_clock) as old, online(autojump_clock) as new:
        new.rebind(token=OTHER_TOKEN)
        where = account(old, tmp_path, base_url=None)
        token_file = tmp_path / f"{ALICE}.token"
        write_login(token_file, old)
        async with (
            living(config(tmp_path, where)) as shell,
            trio.open_nursery() as nursery,
        ):
            old.say()
            await shell.until(lambda state: state.cursor and polling(state))
            gate.shut()
            # Durable, but not acted upon yet: meanwhile the new login is read.
            nursery.start_soon(shell.service.send, ALICE, USER, "hi")
            await gate.reached()
            write_login(token_file, new)
            await trio.sleep(2 * WATCH_S)
            gate.open()
            await new.until(lambda peer: asked(peer, "getupdates"))
        assert [one.text for one in old.peer.shown[USER]] == ["hi"]
        for served in (old, new):
            bearers = {call.headers["authorization"] for call in served.peer.log}
            assert bearers == {f"Bearer {served.peer.token}"}
            assert served.peer.violations == ()


async def test_a_configured_address_is_kept_whatever_a_login_says(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served, online(autojump_clock) as other:
        where = account(served, tmp_path)
        login = {"token": served.peer.token, "base_url": other.url}
        (tmp_path / f"{ALICE}.token").write_text(json.dumps(login))
        async with living(config(tmp_path, where)) as shell:
            await shell.until(polling)
        assert served.peer.calls
        assert not other.peer.calls
