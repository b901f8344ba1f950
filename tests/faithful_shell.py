"""A shell that does all it is told, before a peer that does what it likes.

Numbers decide what happens next, out of what can happen then; see `walks`.
"""

from walks import CODES, DRAWS, KINDS, PEERS, STATUSES, Dice

from holdfast.core import connection, session, weixin
from holdfast.core import events as ev
from holdfast.core.commands import (
    ClearTimer,
    Command,
    NotifyStart,
    NotifyStop,
    Poll,
    ReloadCredentials,
    Send,
    SetTimer,
)
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.core.weixin_invariants import broken


class Shell:
    """A shell that carries commands out faithfully, before a peer that may do anything.

    `asked` holds what was asked and not answered yet, `timers` what is set. `step` lets
    something happen that can happen then; `heal` lets all go well from now on.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.state = Weixin()
        self.seq, self.at_ms = 0, 1
        self.login = 1
        self.asked: list[Command] = []
        self.timers: dict[str, int] = {}
        self.take(ev.Started(seed=7))

    @property
    def alive(self) -> bool:
        """Say whether something is bound to happen, or the account shall stop."""
        return bool(self.state.stopping or self.asked or self.timers)

    def take(self, event: ev.Event) -> None:
        """Fold an event and carry out what it leads to."""
        if isinstance(event, ev.Started):
            self.asked.clear()
            self.timers.clear()
        self.seq += 1
        fact, before = ev.Fact(self.seq, self.at_ms, event), self.state
        self.state, commands = weixin.step(before, fact, self.policy)
        found = broken(before, fact, self.state, commands, self.policy)
        assert not found, f"{fact}: {found}"
        for command in commands:
            self._act(command)

    def _act(self, command: Command) -> None:
        match command:
            case SetTimer(name, due_ms):
                self.timers[name] = due_ms
            case ClearTimer(name):
                self.timers.pop(name, None)
            case Poll():
                self.asked = [c for c in self.asked if not isinstance(c, Poll)]
                self.asked.append(command)
            case ReloadCredentials() | NotifyStart() | NotifyStop() | Send():
                self.asked.append(command)

    def step(self, number: int) -> None:
        """Let one of the things happen that can happen now."""
        dice = Dice(number)
        self.at_ms += dice.of((0, 1, 200, 5_000))
        ways = [*[self._answer] * 6, *[self._fire] * 4, *[self._surprise] * 3]
        dice.of(ways)(dice)

    def _answer(self, dice: Dice) -> None:
        if self.asked:
            command = self.asked.pop(dice.below(len(self.asked)))
            self.take(self._badly(command, dice) if dice.below(2) else well(command, 1))

    def _badly(self, command: Command, dice: Dice) -> ev.Event:
        """Return one of the many answers that are no good, or none at all."""
        status, ret = dice.of(STATUSES), dice.of(CODES)
        events: list[ev.Event]
        match command:
            case Poll(epoch):
                hint_ms = dice.of((None, 50))
                answered = ev.PollAnswered(epoch, status, ret, hint_ms=hint_ms)
                events = [answered, ev.PollFailed(epoch, dice.of(KINDS))]
            case Send(delivery=number, part=part):
                left = bool(dice.below(2))
                failed = ev.SendFailed(number, part, "reset", left)
                events = [ev.SendAnswered(number, part, status, ret), failed]
            case NotifyStart(credential=login):
                answer = ev.NotifyAnswered("start", status, ret, credential=login)
                failure = ev.NotifyFailed("start", "timeout", credential=login)
                events = [answer, answer, failure]
            case ReloadCredentials():
                events = [ev.CredentialsMissing("no such file")]
            case _:
                events = [ev.NotifyAnswered("stop", status, ret)]
        return dice.of(events)

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

    def heal(self, steps_max: int) -> bool:
        """Let the peer and the disk be good; return whether all became well in time."""
        if self.state.stopping:
            self.take(ev.Started(seed=8))
        for number in range(steps_max):
            self.at_ms += 1_000
            if self.asked:
                self.take(well(self.asked.pop(0), number))
            elif self.timers:
                self._fire(Dice(0))
            for peer in PEERS:
                message = ev.MessageReceived(
                    peer, "body", by_id=f"well-{number}-{peer}"
                )
                self.take(message)
            if self.well:
                return True
        return False

    @property
    def well(self) -> bool:
        return (
            self.state.session.phase is session.Phase.ACTIVE
            and self.state.connection.phase is connection.Phase.HEARTBEATING
            and not self.state.session.needs_login
            and not self.state.outbox.queues
        )


def well(command: Command, number: int) -> ev.Event:
    """Return what a good peer and a good disk answer."""
    match command:
        case Poll(epoch):
            return ev.PollAnswered(epoch, cursor=f"cursor-{number}", messages=1)
        case Send(delivery=number, part=part):
            return ev.SendAnswered(number, part, ret=0, message_id="1")
        case ReloadCredentials():
            return ev.CredentialsLoaded("login-1", "bot-1")
        case NotifyStart(credential=login):
            return ev.NotifyAnswered("start", ret=0, credential=login)
        case _:
            return ev.NotifyAnswered("stop", ret=0)
