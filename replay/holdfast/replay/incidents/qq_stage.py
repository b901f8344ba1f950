"""The stage of a QQ account: what its plays do, and what they look back at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TypeVar

from msgspec.structs import replace

from holdfast.core.commands import (
    Command,
    Heartbeat,
    Identify,
    Offer,
    OpenSocket,
    Resume,
)
from holdfast.core.events import Event, Started
from holdfast.core.policy import Policy
from holdfast.core.qq import POLICY
from holdfast.core.qq_account import Qq
from holdfast.core.qq_account import Stage as Way
from holdfast.core.qq_events import SocketClosed, SocketOpened
from holdfast.io import Message
from holdfast.io.config import QqAccount
from holdfast.replay.incidents.qq_short import SHORT, SHORT_SETTINGS
from holdfast.replay.incidents.stage import (
    ExpectationError,
    House,
    Pace,
    Stage,
    Told,
    Wings,
)
from holdfast.replay.world.qq_say import USER
from holdfast.replay.world.qq_settings import DAY_MS, Settings
from holdfast.replay.world.qq_state import Logged, Shown
from holdfast.replay.world.serve_qq import serve_qq
from holdfast.replay.world.served_qq import ServedQq

E = TypeVar("E", bound=Event)
C = TypeVar("C", bound=Command)
# Users saw sessions resumed after a day (7); what is renewed, and when, says the play.
SETTINGS = Settings(recycle_ms=None, resume_ms=DAY_MS)


class QqStage(Stage[ServedQq, Qq]):
    """One QQ account at the simulated platform."""

    account = "bob"
    user = f"c2c:{USER}"

    def configured(self) -> QqAccount:
        """Return the account as a configuration would have it."""
        return QqAccount(
            name=self.account,
            app_id=self.peer.peer.settings.app_id,
            secret_file=self.login_file,
            api_url=self.peer.url,
            token_url=self.peer.token_url,
            policy=self.policy,
        )

    def __init__(self, served: ServedQq, policy: Policy, wings: Wings) -> None:
        super().__init__(served, policy, wings)
        self.said: list[str] = []
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        """Let the user write."""
        self.said.append(text)
        self.peer.say(text)

    async def open(self) -> None:
        """Start the service; what the last process left is not the state any more."""
        since = len(self.told)
        await super().open()
        await self.until(lambda _: self.events(Started, since))

    async def take(self, text: str) -> Message:
        """Take the next message, which must say this, as the bot, and finish it."""
        message = await super().take(text)
        self.heard.append(text)
        return message

    async def catch_up(self) -> None:
        """Take all that the user has said and the bot has not heard yet."""
        for text in self.said[len(self.heard) :]:
            await self.take(text)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no recording may show: logins, ids of people, what was written."""
        settings = self.peer.peer.settings
        logins = (settings.secret, SETTINGS.secret, "EXAMPLETOKEN")
        ids = (USER, settings.app_id, settings.bot_id, "7d3c0f52-", "ROBOT1.0_")
        # One word alone may be anything.
        texts = (text for text in (*self.said, *self.shown()) if " " in text)
        return (*logins, *ids, *texts)

    def set(self, **settings: object) -> None:
        """Let the platform behave otherwise from now on."""
        peer = self.peer.peer
        changed = replace(peer.settings, **settings)
        self.peer.become(replace(peer, settings=changed))

    async def until_ready(self) -> None:
        """Wait until a socket is confirmed."""
        await self.until(lambda state: state.socket.stage is Way.READY)

    async def until_lost(self) -> Told:
        """Wait until the socket that is up now has ended; return its end."""
        epoch = self.state.connection.epoch
        await self.until(
            lambda state: (
                state.connection.epoch != epoch or state.socket.stage is Way.NONE
            )
        )
        return next(
            told
            for told in reversed(self.told)
            if isinstance(told.fact.event, SocketClosed)
        )

    async def lose(self, code: int) -> None:
        """Let the platform close the socket, and wait until that was heard."""
        self.peer.close(code)
        await self.until_lost()

    def events(self, kind: type[E], since: int = 0) -> list[E]:
        """Return the facts of a kind, the first `since` of all facts left out."""
        facts = (told.fact.event for told in self.told[since:])
        return [event for event in facts if isinstance(event, kind)]

    def acts(self, kind: type[C], since: int = 0) -> list[tuple[int, C]]:
        """Return the commands of a kind, each with its time."""
        return [
            (told.fact.at_ms, act)
            for told in self.told[since:]
            for act in told.commands
            if isinstance(act, kind)
        ]

    def dial_gaps_ms(self, since: int = 0) -> list[int]:
        """Return the time between one dial and the next."""
        dials = [at_ms for at_ms, _ in self.acts(OpenSocket, since)]
        return [later - sooner for sooner, later in pairwise(dials)]

    def begun(self, since: int = 0) -> list[str]:
        """Return in order whether sessions were begun or gone on with."""
        names = {Identify: "identify", Resume: "resume"}
        acts = [act for told in self.told[since:] for act in told.commands]
        return [names[type(act)] for act in acts if type(act) in names]

    def shown(self) -> list[str]:
        """Return what the user sees from the bot."""
        return [one.text for one in self.seen()]

    def seen(self) -> tuple[Shown, ...]:
        """Return it with the ids that the platform gave."""
        return tuple(self.peer.peer.shown.get(self.user, ()))

    def asked(self, name: str, since: int = 0) -> list[Logged]:
        """Return the requests of an endpoint that reached the platform."""
        log = [*self.peer.peer.log][since:]
        return [line for line in log if line.what == "request" and line.name == name]

    def beats(self, number: int) -> list[int]:
        """Return when the platform got heartbeats on one of its sockets."""
        log = self.peer.peer.log
        mine = [line for line in log if line.socket == number and line.what == "heard"]
        return [line.at_ms for line in mine if line.name == "op 1"]

    def check(self) -> None:
        """Expect what holds in every play: one socket, one heartbeat, no repeats."""
        alive = 0
        for told in self.told:
            match told.fact.event:
                case Started():
                    alive = 0
                case SocketOpened():
                    alive += 1
                case SocketClosed():
                    alive -= 1
                case _:
                    pass
            self.expect(alive <= 1, f"there is one socket: {told.fact}")
        beats = [(at_ms, act.epoch) for at_ms, act in self.acts(Heartbeat)]
        self.expect(len({*beats}) == len(beats), "no heartbeat is sent twice")
        offers = self.acts(Offer)
        self.expect(self.said == self.heard, "every message was handled, in order")
        self.expect(len(offers) == len(self.said), "none was offered twice")


@asynccontextmanager
async def open_qq(pace: Pace, wings: Wings) -> AsyncIterator[QqStage]:
    """Serve a platform, open a service on it, and close both in the end."""
    async with serve_qq(pace.settings, port=wings.port, now_ms=wings.now_ms) as served:
        stage = QqStage(served, pace.policy, wings)
        stage.write_login(served.peer.settings.secret)
        await stage.open()
        try:
            # What is said before there is a session, the platform tells nobody.
            await stage.until_ready()
            yield stage
        finally:
            await stage.close()
        stage.check()
        for violation in served.peer.violations:
            raise ExpectationError(f"protocol: {violation}")


QQ = House(
    account=QqStage.account,
    real=Pace(POLICY, SETTINGS),
    short=Pace(SHORT, SHORT_SETTINGS),
    open_stage=open_qq,
)
