"""Scripted: the account that a script drives, on the platform of its folder."""

from collections.abc import Mapping, Sequence

from holdfast.core import qq, qq_socket, weixin
from holdfast.core.account import Account
from holdfast.core.commands import ClearTimer, Command, SetTimer
from holdfast.core.events import (
    CredentialsLoaded,
    Event,
    Fact,
    NotifyAnswered,
    PollAnswered,
    Started,
    TimerFired,
)
from holdfast.core.policy import Policy
from holdfast.core.qq_account import NONE, Qq
from holdfast.core.qq_events import (
    GatewayAnswered,
    HeartbeatAcked,
    HelloReceived,
    PongReceived,
    ReadyReceived,
    SocketOpened,
    TokenAnswered,
)
from holdfast.replay.describe import phases, quote
from holdfast.replay.platforms import PLATFORMS, Platform

TIME = "at_ms="
HANDLE = "token-1"
URL = "wss://api.bot.qq.com/websocket/"
WEIXIN, QQ = PLATFORMS[weixin.PLATFORM], PLATFORMS[qq.PLATFORM]
# A login that works: an idle poll was answered, or a socket's first heartbeat.
STARTS: Mapping[str, Sequence[tuple[int, Event]]] = {
    weixin.PLATFORM: (
        (25_000, Started(seed=7)),
        (25_000, CredentialsLoaded(credential="login-1", account_id="bot-1")),
        (25_000, NotifyAnswered(call="start")),
        (60_000, PollAnswered(epoch=1, cursor="cursor-1")),
    ),
    qq.PLATFORM: (
        (18_750, Started(seed=7)),
        (18_750, CredentialsLoaded(credential="login-1", account_id="app-1")),
        (18_750, TokenAnswered("login-1", token=HANDLE, expires_in="7200")),
        (
            18_750,
            GatewayAnswered(1, url=URL, remaining=998, reset_after_ms=14_400_000),
        ),
        (18_750, SocketOpened(1)),
        (18_750, HelloReceived(1, 41_250)),
        (18_750, ReadyReceived(1, 1, "session-1")),
    ),
}
START_MS = 60_000
BEATS = (qq_socket.BEAT, qq_socket.PING)


class ScriptError(Exception):
    """A line of a script that says nothing usable, or a step that broke a promise."""


class Scripted:
    """Folds facts as an owner does, and holds every step against the invariants."""

    def __init__(self, platform: Platform, policy: Policy | None = None) -> None:
        self.platform = platform
        self.state: Account = platform.state()
        self.policy = policy or platform.policy
        self.seq = 0
        self.at_ms = 0
        self.timers: dict[str, int] = {}

    def start(self) -> None:
        """Come to a login that works, proved so a moment ago."""
        if self.seq:
            raise ScriptError("start comes first; a later process is a `started` fact")
        for at_ms, event in STARTS[self.platform.name]:
            self.take(event, at_ms)
        if self.platform is QQ:
            self.idle(START_MS)

    def take(self, event: Event, at_ms: int) -> Sequence[Command]:
        """Fold one fact; raise `ScriptError` for a promise that it broke."""
        if at_ms < max(self.at_ms, 1):
            raise ScriptError(f"{TIME}{at_ms}: time never goes back, nor starts at 0")
        if isinstance(event, Started):
            self.policy = event.policy or self.policy
            self.timers.clear()
        self.seq, self.at_ms = self.seq + 1, at_ms
        fact, before = Fact(self.seq, at_ms, event), self.state
        self.state, commands = self.platform.step(before, fact, self.policy)
        found = self.platform.broken(before, fact, self.state, commands, self.policy)
        if found:
            raise ScriptError(f"broken: {'; '.join(found)}")
        for command in commands:
            if isinstance(command, SetTimer):
                self.timers[command.name] = command.due_ms
            elif isinstance(command, ClearTimer):
                self.timers.pop(command.name, None)
        return commands

    def fire(self, name: str) -> Sequence[Command]:
        """Let a timer run out when it is due, or at once when that is past."""
        if name not in self.timers:
            raise ScriptError(f"no timer {name!r} is set; set are {[*self.timers]}")
        due_ms = self.timers.pop(name)
        return self.take(TimerFired(name, due_ms), max(due_ms, self.at_ms))

    def idle(self, until_ms: int) -> None:
        """Let pings and heartbeats be answered until then, and nothing else happen."""
        if not isinstance(self.state, Qq) or qq_socket.ACK not in self.timers:
            raise ScriptError("idle: there is no socket that beats")
        while True:
            name = min(self.timers, key=lambda name: (self.timers[name], name))
            if self.timers[name] > until_ms:
                return
            if name not in BEATS:
                raise ScriptError(f"idle: {name} is due at {self.timers[name]}")
            epoch = self.state.connection.epoch
            self.fire(name)
            alive = HeartbeatAcked(epoch) if name == BEATS[0] else PongReceived(epoch)
            self.take(alive, self.at_ms)


def standing(state: Account) -> str:
    """Return an account's phases, and those of its counts that are not zero."""
    login, link, box = state.session, state.connection, state.outbox
    told: Mapping[str, object] = {
        **phases(state),
        **(gateway_standing(state) if isinstance(state, Qq) else {}),
        "refusals": login.refusals,
        "unanswered": login.unanswered,
        "needs_login": "yes" if login.needs_login else "",
        "lost": link.attempt,
        "strangers": link.strangers,
        "outbox": _join(
            {name: orders[0].parts[0].phase for name, orders in box.queues.items()}
        ),
        "parts": box.parts,
        "spent": _join({name: peer.spent for name, peer in box.peers.items()}),
        "pushes": _join({name: peer.pushes for name, peer in box.peers.items()}),
        "done": _join(
            {
                name: "+".join(map(str, (each.through, *each.ahead)))
                for name, each in state.inbox.consumers.items()
            }
        ),
        "stopping": "yes" if state.stopping else "",
    }
    return " ".join(f"{name}={quote(value)}" for name, value in told.items() if value)


def gateway_standing(state: Qq) -> Mapping[str, object]:
    """Return the way to the socket or its stage, its session, and what is known."""
    socket, kept = state.socket, state.resumption
    stage = "" if socket.stage is NONE else socket.stage
    closing = "+closing" if socket.closing else ""
    parting = f"+{socket.parting}" if socket.parting else ""
    return {
        "socket": f"{stage}{closing}{parting}",
        "kept": kept.session,
        "seq": kept.seq,
        "early": "+".join(map(str, kept.early)),
        "unconfirmed": kept.unconfirmed,
        "denials": state.denials,
        "token": state.token.handle,
    }


def _join(values: Mapping[str, object]) -> str:
    return ",".join(f"{name}:{value}" for name, value in values.items() if value)
