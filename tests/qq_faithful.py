"""A shell that does all that a QQ account tells it, before a peer that does anything.

Numbers decide what happens next, out of what can happen then; see `walks`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from qq_walks import CLOSE_CODES, CODES, DRAWS, ENDS, KINDS, PEERS, STATUSES
from walks import Dice

from holdfast.core import commands as cmd
from holdfast.core import connection, qq, session
from holdfast.core import events as ev
from holdfast.core import qq_events as evq
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq, Stage
from holdfast.core.qq_invariants import broken

URL = "wss://one"
RESET_MS = 60_000


class Greet(Struct, frozen=True):
    """What a peer does of its own once a socket is open."""

    epoch: int


ON_SOCKET = (Greet, cmd.Identify, cmd.Resume, cmd.Heartbeat, cmd.Ping)
Owed = cmd.Command | Greet


class Shell:
    """A shell that carries commands out faithfully, whatever the peer answers.

    `owed` holds what was asked and not answered yet, `timers` what is set, `socket` the
    epoch of the one that is open, 0 when none is. `step` lets something happen that can
    happen then; `heal` lets all go well from now on.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.state = Qq()
        self.seq, self.at_ms = 0, 1
        self.socket = 0
        self.owed: list[Owed] = []
        self.timers: dict[str, int] = {}
        self.take(ev.Started(seed=7))

    @property
    def alive(self) -> bool:
        """Say whether something is bound to happen, or the account shall stop."""
        return bool(self.state.stopping or self.owed or self.timers)

    def take(self, event: ev.Event) -> None:
        """Fold an event and carry out what it leads to."""
        if isinstance(event, ev.Started):
            self.owed.clear()
            self.timers.clear()
            self.socket = 0
        if isinstance(event, evq.SocketOpened):
            assert not self.socket, "a second socket is open"
            self.socket = event.epoch
            self.owed.append(Greet(event.epoch))
        if isinstance(event, evq.SocketClosed):
            self.socket = 0
            self.owed = [one for one in self.owed if not isinstance(one, ON_SOCKET)]
        self.seq += 1
        fact, before = ev.Fact(self.seq, self.at_ms, event), self.state
        self.state, commands = qq.step(before, fact, self.policy)
        found = broken(before, fact, self.state, commands, self.policy)
        assert not found, f"{fact}: {found}"
        for command in commands:
            self._act(command)

    def _act(self, command: cmd.Command) -> None:
        match command:
            case cmd.SetTimer(name, due_ms):
                self.timers[name] = due_ms
            case cmd.ClearTimer(name):
                self.timers.pop(name, None)
            case cmd.ReloadCredentials() | cmd.FetchGateway() | cmd.Send():
                self.owed.append(command)
            case cmd.FetchToken() | cmd.OpenSocket():
                kinds = [type(one) for one in self.owed]
                assert type(command) not in kinds, f"asked twice at once: {command}"
                assert not (isinstance(command, cmd.OpenSocket) and self.socket)
                self.owed.append(command)
            case cmd.CloseSocket(epoch) if epoch == self.socket:
                bound = (*ON_SOCKET, cmd.CloseSocket)
                self.owed = [one for one in self.owed if not isinstance(one, bound)]
                self.owed.append(command)
            case cmd.Identify() | cmd.Resume() | cmd.Heartbeat() | cmd.Ping():
                assert command.epoch == self.socket, "a frame for another socket"
                self.owed.append(command)

    @property
    def _closing(self) -> bool:
        return any(isinstance(one, cmd.CloseSocket) for one in self.owed)

    def step(self, number: int) -> None:
        """Let one of the things happen that can happen now."""
        dice = Dice(number)
        self.at_ms += dice.of((0, 1, 200, 5_000))
        ways = [*[self._answer] * 8, *[self._fire] * 4, *[self._surprise] * 3]
        dice.of([*ways, self._shake])(dice)

    def _answer(self, dice: Dice) -> None:
        if not self.owed:
            return
        one = self.owed.pop(dice.below(len(self.owed)))
        event = well(one, self.seq) if dice.below(3) else self._badly(one, dice)
        if event is not None:
            self.take(event)

    def _badly(self, one: Owed, dice: Dice) -> ev.Event | None:
        """Return one of the many answers that are no good; None: there is none."""
        status, code, kind = dice.of(STATUSES), dice.of(CODES), dice.of(KINDS)
        events: list[ev.Event | None] = [None]
        match one:
            case cmd.ReloadCredentials():
                events = [ev.CredentialsMissing("no such file")]
            case cmd.FetchToken(login):
                answer = evq.TokenAnswered(login, status, code)
                events = [answer, evq.TokenFailed(login, kind)]
            case cmd.FetchGateway(epoch):
                refused = evq.GatewayAnswered(epoch, status, code)
                events = [gateway(epoch, 0), refused, evq.GatewayFailed(epoch, kind)]
            case cmd.OpenSocket(epoch):
                events = [evq.DialFailed(epoch, kind)]
            case cmd.Send(delivery=number, part=part):
                left = bool(dice.below(2))
                answered = ev.SendAnswered(number, part, status, code=code)
                events = [ev.SendFailed(number, part, kind, left), answered, answered]
            case cmd.Identify() | cmd.Resume():
                refusal = evq.SessionInvalidated(one.epoch, dice.of((True, False)))
                events = [None, refusal, self._closed(dice)]
            case cmd.CloseSocket():
                events = [self._closed(dice)]
        return dice.of(events)

    def _closed(self, dice: Dice) -> ev.Event:
        return evq.SocketClosed(self.socket, dice.of(ENDS), dice.of(CLOSE_CODES))

    def _fire(self, _dice: Dice) -> None:
        if self.timers:
            name = min(self.timers, key=lambda name: (self.timers[name], name))
            due_ms = self.timers.pop(name)
            self.at_ms = max(self.at_ms, due_ms)
            self.take(ev.TimerFired(name, due_ms))

    def _surprise(self, dice: Dice) -> None:
        """Do what the host, the user or the operator may do at any time."""
        talk = (*[ev.MessageReceived] * 4, *[ev.SendRequested] * 4)
        rare = (ev.RetryRequested, ev.CredentialsLoaded, ev.StopRequested, ev.Started)
        draw = dice.of([DRAWS[kind] for kind in (*talk, *rare)])
        self.take(draw(dice, self.state, self.at_ms))

    def _shake(self, dice: Dice) -> None:
        """Let the peer do what it may do to an open socket of its own accord."""
        if not self.socket or self._closing:
            return
        epoch = self.socket
        quiet = (evq.ReconnectAsked(epoch), evq.HeartbeatAsked(epoch))
        loud = (evq.SessionInvalidated(epoch, dice.of((True, False))),)
        self.take(dice.of((*quiet, *loud, self._closed(dice))))

    def heal(self, steps_max: int) -> bool:
        """Let peer and disk be good; return whether all became well in time."""
        if self.state.stopping:
            self.take(ev.Started(seed=8))
        for number in range(steps_max):
            self.at_ms += 1_000
            if self.owed:
                self.take(well(self.owed.pop(0), number))
            else:
                self._fire(Dice(0))
            self._write(number)
            if self.well:
                return True
        return False

    def _write(self, number: int) -> None:
        """Let every peer write, where there is a socket to hear it on."""
        if self.state.socket.stage is not Stage.READY or self._closing:
            return
        for peer in PEERS:
            name, s = f"well-{number}-{peer}", self.state.resumption.seq + 1
            epoch = self.socket
            self.take(
                ev.MessageReceived(
                    peer, "body", context=name, by_id=name, epoch=epoch, s=s
                )
            )

    @property
    def well(self) -> bool:
        return (
            self.state.session.phase is session.Phase.ACTIVE
            and self.state.connection.phase is connection.Phase.HEARTBEATING
            and self.state.socket.stage is Stage.READY
            and not self.state.session.needs_login
            and not self.state.outbox.queues
        )


def gateway(epoch: int, remaining: int) -> ev.Event:
    return evq.GatewayAnswered(
        epoch, url=URL, remaining=remaining, reset_after_ms=RESET_MS
    )


def well(one: Owed, number: int) -> ev.Event:
    """Return what a good peer and a good disk answer."""
    return WELL[type(one)](one, number)


WELL: Mapping[type, Callable[[Any, int], ev.Event]] = {
    cmd.ReloadCredentials: lambda *_: ev.CredentialsLoaded("login-1", "app-1"),
    cmd.FetchToken: lambda one, number: evq.TokenAnswered(
        one.credential, token=f"token-{number}", expires_in="7200"
    ),
    cmd.FetchGateway: lambda one, _: gateway(one.epoch, 1_000),
    cmd.OpenSocket: lambda one, _: evq.SocketOpened(one.epoch),
    Greet: lambda one, _: evq.HelloReceived(one.epoch, 41_250),
    cmd.Identify: lambda one, _: evq.ReadyReceived(one.epoch, 1, "session-1"),
    cmd.Resume: lambda one, _: evq.ResumedReceived(one.epoch, one.seq + 1),
    cmd.Heartbeat: lambda one, _: evq.HeartbeatAcked(one.epoch),
    cmd.Ping: lambda one, _: evq.PongReceived(one.epoch),
    cmd.CloseSocket: lambda one, _: evq.SocketClosed(one.epoch, "dropped"),
    cmd.Send: lambda one, _: ev.SendAnswered(
        one.delivery, one.part, message_id="OUT-1"
    ),
}
