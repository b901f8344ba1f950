"""The stage of a Weixin account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    JournalPolicy,
    PollPolicy,
    SessionPolicy,
)
from holdfast.core.weixin import POLICY
from holdfast.core.weixin_account import Weixin
from holdfast.io.config import WeixinAccount
from holdfast.replay.incidents.stage import (
    ExpectationError,
    House,
    Pace,
    Stage,
    Wings,
)
from holdfast.replay.world.serve import Served, serve_weixin
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.weixin_state import Logged, Shown

HOLD_MS = 600
SHORT = type(POLICY)(
    session=SessionPolicy(backoff_ms_first=50, backoff_ms_max=300, slow_probe_ms=200),
    connection=ConnectionPolicy(
        backoff_ms_first=20, backoff_ms_max=200, cooldown_ms=100, stable_ms=300
    ),
    delivery=DeliveryPolicy(
        gap_ms_min=15,
        gap_ms_base=20,
        gap_ms_per_part=3,
        throttle_ms_first=80,
        throttle_ms_max=640,
        throttle_jitter_ms=10,
        throttles_max=4,
        unknown_ms_first=50,
        unreached_ms_first=20,
    ),
    poll=PollPolicy(
        hold_ms=HOLD_MS,
        hold_ms_min=100,
        grace_ms=250,
        interval_ms_min=20,
        notify_timeout_ms=500,
        send_timeout_ms=500,
    ),
    journal=JournalPolicy(snapshot_facts=50),
)


class WeixinStage(Stage[Served, Weixin]):
    """One Weixin account on a simulated peer."""

    account = "alice"
    user = USER

    @property
    def sends(self) -> list[Logged]:
        """Every send that reached the peer."""
        return [call for call in self.peer.peer.log if call.endpoint == "sendmessage"]

    def shown(self, user: str = USER) -> tuple[Shown, ...]:
        """Return what the user sees from the bot."""
        return self.peer.peer.shown.get(user, ())

    def configured(self) -> WeixinAccount:
        """Return the account as a configuration would have it."""
        return WeixinAccount(
            name=self.account,
            base_url=self.peer.url,
            token_file=self.login_file,
            policy=self.policy,
        )

    def say(self, text: str) -> None:
        """Let the user write."""
        self.peer.say(text)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no recording may show: logins, ids of people, what was written."""
        peer = self.peer.peer
        texts = [
            text
            for message in peer.inbound
            for item in message.wire.get("item_list", ())
            if " " in (text := str(item.get("text_item", {}).get("text", "")))
        ]
        shown = [one.text for one in self.shown() if " " in one.text]
        return (peer.token, USER, *texts, *shown)

    async def until_polling(self) -> None:
        """Wait until the peer holds a poll of ours."""
        await self.peer.until(lambda peer: peer.waiting)

    async def until_struck(self, number: int) -> None:
        """Wait until a fault strikes one of the calls after the first `number`."""
        await self.peer.until(
            lambda peer: any(call.faults for call in peer.log[number:])
        )


@asynccontextmanager
async def open_weixin(pace: Pace, wings: Wings) -> AsyncIterator[WeixinStage]:
    """Serve a peer, open a service on it, and close both in the end."""
    async with serve_weixin(
        pace.settings, port=wings.port, now_ms=wings.now_ms
    ) as served:
        stage = WeixinStage(served, pace.policy, wings)
        stage.write_login(served.peer.token)
        await stage.open()
        try:
            yield stage
        finally:
            await stage.close()
        for violation in served.peer.violations:
            raise ExpectationError(f"protocol: {violation}")


WEIXIN = House(
    account=WeixinStage.account,
    real=Pace(POLICY, Settings()),
    short=Pace(SHORT, Settings(hold_ms=HOLD_MS, hint_ms=HOLD_MS)),
    open_stage=open_weixin,
)
