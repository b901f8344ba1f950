"""Lives: what happens to an account that has a simple peer and a talkative host.

`Life` drives the Weixin reducer without a shell: it answers every command with a
plausible fact, fires timers, and now and then lets things go wrong. All chance comes
from one seed by plain arithmetic, so a life is the same on every machine.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from io import BytesIO
from typing import NamedTuple

from holdfast.core import commands as cmd
from holdfast.core import events as ev
from holdfast.core import weixin
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.replay.recording import LineEncoder, new_header

BEGIN_MS = 1_788_231_600_000  # 2026-09-01 03:00 UTC.
MASK = (1 << 64) - 1
ACCOUNT = "e06f2a9c@im.bot"
REFUSED_WORDS = "session timeout"


class Turn(NamedTuple):
    """One fact of a life, what it led to, and the state after it."""

    fact: ev.Fact
    commands: list[cmd.Command]
    after: Weixin


class Chance:
    """A stream of numbers that look random (splitmix64)."""

    def __init__(self, seed: int) -> None:
        self._state = seed & MASK

    def bits(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, limit: int) -> int:
        return self.bits() % limit

    def handle(self) -> str:
        """Return what a keyed digest looks like."""
        return f"{self.bits():016x}{self.bits() >> 32:08x}"


class Life:
    """Iterate `turns` for the facts of one account, in order, without end.

    `trouble` is how many of a thousand answers are bad news, `message_gap_ms` the mean
    time between inbound messages, `boot_facts` how long a process lives.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        trouble: int = 5,
        message_gap_ms: int = 60_000,
        boot_facts: int = 20_000,
        policy: Policy = weixin.POLICY,
    ) -> None:
        self.start = self.state = Weixin()
        self.policy = policy
        self._chance = Chance(seed)
        self._trouble = trouble
        self._gap_ms = message_gap_ms
        self._boot_facts = boot_facts
        self._now_ms = BEGIN_MS
        self._seq = 0
        self._order = 0
        self._coming: list[tuple[int, int, ev.Event]] = []
        self._timers: dict[str, int] = {}
        self._peers = [f"o9cq{self._chance.handle()}@im.wechat" for _ in range(40)]
        self._login = self._chance.handle()
        self._next_message_ms = BEGIN_MS
        self._senders: dict[int, str] = {}
        self._boot()

    def turns(self, count: int) -> Iterator[Turn]:
        """Live on for so many facts."""
        for _ in range(count):
            yield self._turn()

    def _turn(self) -> Turn:
        due_ms, event = self._next()
        self._now_ms = max(self._now_ms, due_ms)
        self._seq += 1
        fact = ev.Fact(self._seq, self._now_ms, event)
        if isinstance(event, ev.MessageReceived):
            self._senders[fact.seq] = event.peer
        self.state, commands = weixin.step(self.state, fact, self.policy)
        for command in commands:
            self._act(command)
        match self._seq % self._boot_facts:
            case 0:
                self._boot()
            case left if left == self._boot_facts - 5:
                self._later(0, ev.StopRequested("SIGTERM"))
        return Turn(fact, commands, self.state)

    def _next(self) -> tuple[int, ev.Event]:
        """Return what happens next; only an account that stops may run dry."""
        while self._coming:
            due_ms, _, event = heappop(self._coming)
            if not self._stale(event):
                return due_ms, event
        assert self.state.stopping, "the account went silent"
        self._boot()
        return self._next()

    def _boot(self) -> None:
        """Start a process: what the last one waited for is gone with it."""
        self._coming.clear()
        self._timers.clear()
        self._later(50, ev.Started(self._chance.bits() >> 1, "0.1.0"))

    def _stale(self, event: ev.Event) -> bool:
        """Say whether this is a timer that was replaced or cleared meanwhile."""
        if not isinstance(event, ev.TimerFired):
            return False
        if self._timers.get(event.name) != event.due_ms:
            return True
        del self._timers[event.name]
        return False

    def _later(self, delay_ms: int, event: ev.Event) -> None:
        self._order += 1
        heappush(self._coming, (self._now_ms + delay_ms, self._order, event))

    def _bad(self) -> bool:
        return self._chance.below(1000) < self._trouble

    def _act(self, command: cmd.Command) -> None:
        match command:
            case cmd.SetTimer(name, due_ms):
                self._timers[name] = due_ms
                self._later(due_ms - self._now_ms, ev.TimerFired(name, due_ms))
            case cmd.ClearTimer(name):
                self._timers.pop(name, None)
            case cmd.ReloadCredentials():
                self._reload()
            case cmd.NotifyStart():
                self._answer_notify("start", command.timeout_ms)
            case cmd.NotifyStop():
                self._answer_notify("stop", command.timeout_ms)
            case cmd.Poll():
                self._answer_poll(command)
            case cmd.Send():
                self._answer_send(command)
            case cmd.Offer(message):
                self._consume(message)
            case cmd.Escalate():
                self._later(9_000, ev.RetryRequested())
            case _:
                pass

    def _reload(self) -> None:
        if self._bad():
            self._later(4, ev.CredentialsMissing("token_file: no such file"))
            return
        if self._bad():
            self._login = self._chance.handle()
        self._later(4, ev.CredentialsLoaded(self._login, ACCOUNT))

    def _answer_notify(self, call: str, timeout_ms: int) -> None:
        if self._bad():
            failed = ev.NotifyFailed(call, "timeout", "no answer in time")
            self._later(timeout_ms, failed)
        elif self._bad():
            self._later(90, ev.NotifyAnswered(call, ret=-14, errmsg=REFUSED_WORDS))
        else:
            self._later(120, ev.NotifyAnswered(call, ret=0))

    def _answer_poll(self, poll: cmd.Poll) -> None:
        if self._bad():
            self._spoil_poll(poll)
            return
        waited_ms = max(60, self._next_message_ms - self._now_ms)
        if waited_ms >= 35_000:
            quiet = ev.PollAnswered(poll.epoch, cursor=poll.cursor, hint_ms=35_000)
            self._later(35_000, quiet)
            return
        count = 1 + (self._chance.below(5) == 0)
        for _ in range(count):
            self._later(waited_ms, self._message(self._now_ms + waited_ms))
        answer = ev.PollAnswered(
            poll.epoch,
            ret=0,
            cursor=self._chance.handle(),
            body=self._chance.handle(),
            hint_ms=35_000,
            messages=count,
        )
        self._later(waited_ms, answer)
        pause_ms = 1 + self._chance.below(2 * self._gap_ms)
        self._next_message_ms = self._now_ms + waited_ms + pause_ms

    def _spoil_poll(self, poll: cmd.Poll) -> None:
        epoch = poll.epoch
        bad: list[tuple[int, ev.Event]] = [
            (800, ev.PollAnswered(epoch, errcode=-14, errmsg=REFUSED_WORDS)),
            (800, ev.PollAnswered(epoch, ret=-14, errmsg=REFUSED_WORDS)),
            (30, ev.PollAnswered(epoch, status=502, body=self._chance.handle())),
            (80, ev.PollAnswered(epoch, ret=-1, errmsg="system busy")),
            (90, ev.PollAnswered(epoch, status=404)),
            (90, ev.PollAnswered(epoch, malformed="not JSON at byte 0")),
            (poll.timeout_ms, ev.PollFailed(epoch, "timeout", "no byte for 45 s")),
            (9_000, ev.PollFailed(epoch, "reset", "connection reset by peer")),
            (20, ev.PollFailed(epoch, "dns", "name or service not known")),
        ]
        self._later(*bad[self._chance.below(len(bad))])

    def _message(self, sent_ms: int) -> ev.MessageReceived:
        chance = self._chance
        return ev.MessageReceived(
            peer=self._peers[chance.below(len(self._peers))],
            body=chance.handle(),
            message_id=str(7_000_000_000_000_000_000 + (chance.bits() >> 8)),
            context=chance.handle(),
            sent_ms=sent_ms,
            by_id=chance.handle(),
            by_client=chance.handle(),
            by_wire_seq=chance.handle(),
            by_items=chance.handle(),
            by_content=chance.handle(),
        )

    def _answer_send(self, send: cmd.Send) -> None:
        if self._bad():
            self._spoil_send(send)
            return
        message_id = str(7_000_000_000_000_000_000 + (self._chance.bits() >> 8))
        sent = ev.SendAnswered(send.delivery, send.part, ret=0, message_id=message_id)
        self._later(150 + self._chance.below(200), sent)

    def _spoil_send(self, send: cmd.Send) -> None:
        at = send.delivery, send.part
        late = ev.SendFailed(*at, "timeout", reason="no answer in 15 s")
        bad: list[tuple[int, ev.Event]] = [
            (300, ev.SendAnswered(*at, ret=-14, errmsg=REFUSED_WORDS)),
            (300, ev.SendAnswered(*at, ret=-2, errmsg="rate limited")),
            (300, ev.SendAnswered(*at, ret=-3, errmsg=f"no user {send.peer}")),
            (300, ev.SendAnswered(*at, ret=0)),
            (300, ev.SendAnswered(*at, status=429)),
            (send.timeout_ms, late),
            (40, ev.SendFailed(*at, "connect", left=False, reason="refused")),
        ]
        self._later(*bad[self._chance.below(len(bad))])

    def _consume(self, message: int) -> None:
        """Be done with a message soon, and mostly say something to its sender."""
        self._later(400, ev.MessageDone("agent", message, message))
        if self._chance.below(4) == 0:
            return
        parts = tuple(
            ev.PartRequest(self._chance.handle(), 20 + self._chance.below(900))
            for _ in range(1 + self._chance.below(8) // 6)
        )
        key = self._chance.handle() if self._chance.below(2) else ""
        request = ev.SendRequested(self._senders.pop(message), parts, key)
        self._later(2_500, request)


def recorded(life: Life, count: int) -> bytes:
    """Return a recording of the next facts of a life."""
    header = new_header("weixin", "alice", life.state, life.policy, {"by": "lives"})
    lines = LineEncoder(header)
    content = BytesIO()
    content.write(lines.begin())
    for turn in life.turns(count):
        content.write(lines.add(*turn))
    content.write(lines.finish())
    return content.getvalue()
