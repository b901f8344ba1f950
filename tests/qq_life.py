"""A QQ account's life before the simulated platform, in virtual time, without sockets.

The reducer, the platform's model and the functions between them (what is asked, how
answers and frames are read) are the real ones; here is only what carries bytes and
waits. All chance comes from one seed.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from lives import Chance
from qq_wires import (
    TRIP_MS,
    URL,
    Calls,
    Memory,
    arrived,
    finished,
    frame_of,
    request_of,
)

from holdfast.core import commands as cmd
from holdfast.core import events as ev
from holdfast.core import qq, qq_events
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq
from holdfast.core.qq_invariants import broken
from holdfast.io.credentials import Credentials
from holdfast.io.http import make_tls_context
from holdfast.io.qq.peer import Place, QqPeer
from holdfast.io.vault import Vault
from holdfast.replay.world import qq as world
from holdfast.replay.world.qq_faults import AnyFault
from holdfast.replay.world.qq_say import Say
from holdfast.replay.world.qq_settings import Settings
from holdfast.replay.world.qq_wire import Close, Cut, Frame, Mute, Pong
from holdfast.replay.world.wire import Reply

BEGIN_MS = 1_788_231_600_000
APP_ID, SECRET = "102000001", "EXAMPLESECRET"
TLS = make_tls_context()


class QqLife:
    """Call `live` for so many milliseconds; then look at what came of it.

    `offered` counts how often each message reached the app, `said` are those that the
    users wrote. `replies`: a message is answered so often of four times.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        settings: Settings | None = None,
        policy: Policy = qq.POLICY,
        say_gap_ms: int = 0,
        replies: int = 0,
    ) -> None:
        self.now_ms = BEGIN_MS
        self.chance = Chance(seed)
        self.policy = policy
        self.state = Qq()
        self.peer = world.new_qq(settings, at_ms=BEGIN_MS)
        self.facts: list[tuple[ev.Fact, list[cmd.Command], Qq]] = []
        self.keeps = self.quiet = False  # Keep `facts`; keep the users silent.
        self.seq = 0
        self.said: list[str] = []
        self.offered: dict[str, int] = {}
        self.told: list[cmd.Command] = []  # Reports, escalations and the like.
        self.open_sockets = self.open_most = 0
        self._ids: dict[int, tuple[str, str]] = {}
        self._replies = replies
        self._say_gap_ms = say_gap_ms
        self._order = count()
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        # What goes on whatever process runs: the users, and the faults.
        self._lasting: dict[Callable[[], None], None] = {}
        self._timers: dict[str, int] = {}
        self._socket: tuple[int, int] | None = None  # (epoch, the model's number)
        self._generation = 0
        memory = Memory()
        self._memory = memory
        self._vault = Vault(b"k" * 32, "bob", memory)
        self._calls = Calls(self)
        place = Place(APP_ID, URL, f"{URL}/app/getAppAccessToken", TLS, None)
        calls: Any = self._calls
        self._link = QqPeer(place, self._vault, calls, calls)
        self.boot()
        if say_gap_ms:
            self.after(self._pause_ms(), self._say)

    # What tests do.

    def live(self, for_ms: int, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; return whether `until` came true."""
        end_ms = self.now_ms + for_ms
        while True:
            if until is not None and until():
                return True
            wake_ms = world.wake_ms(self.peer, self.now_ms)
            next_ms = self._coming[0][0] if self._coming else end_ms + 1
            if wake_ms is not None and wake_ms <= next_ms and wake_ms <= end_ms:
                self.now_ms = max(self.now_ms, wake_ms)
                self.peer = world.tick(self.peer, self.now_ms)
                self.collect()
                continue
            if next_ms > end_ms:
                self.now_ms = end_ms
                return False
            due_ms, _, happen = heappop(self._coming)
            self.now_ms = max(self.now_ms, due_ms)
            happen()

    def arm(self, fault: AnyFault) -> None:
        self.peer = world.arm(self.peer, self.now_ms, fault)
        self.collect()

    def say(self, said: Say | None = None) -> str:
        """Let a user write; return the message's id."""
        self.peer = world.say(self.peer, self.now_ms, said or Say())
        message_id = self.peer.reply_to
        self.said.append(message_id)
        self.offered.setdefault(message_id, 0)
        self.collect()
        return message_id

    def boot(self) -> None:
        """Start a process; what the last one waited for is gone with it."""
        self._generation += 1
        self._coming = [entry for entry in self._coming if entry[2] in self._lasting]
        self._coming.sort()
        self._timers.clear()
        self._hang_up()
        self.take(ev.Started(self.chance.bits() >> 11, "0.1.0", self.policy))

    def send(self, to: str, *bodies: str, reply_to: str = "") -> int:
        draft = request_of(self._vault, to, bodies, reply_to)
        self._keep(draft.kept)
        self.take(*draft.events)
        return self.seq

    def take(self, *events: ev.Event) -> None:
        """Fold facts that came together, and carry out what they lead to."""
        for event in events:
            self.seq += 1
            fact, before = ev.Fact(self.seq, self.now_ms, event), self.state
            if isinstance(event, ev.MessageReceived):
                self._ids[self.seq] = event.message_id, event.peer
            self.state, commands = qq.step(before, fact, self.policy)
            found = broken(before, fact, self.state, commands, self.policy)
            assert not found, f"{fact}: {found}\n{before}\n{self.state}\n{commands}"
            if self.keeps:
                self.facts.append((fact, commands, self.state))
            for command in commands:
                self._act(command)

    def after(self, delay_ms: int, happen: Callable[[], None]) -> None:
        """Let something happen whatever process runs then."""
        self._lasting[happen] = None
        heappush(self._coming, (self.now_ms + delay_ms, next(self._order), happen))

    def _later(self, delay_ms: int, *events: ev.Event) -> None:
        generation = self._generation

        def happen() -> None:
            if generation == self._generation:
                self.take(*events)

        heappush(self._coming, (self.now_ms + delay_ms, next(self._order), happen))

    def _act(self, command: cmd.Command) -> None:
        match command:
            case cmd.SetTimer() | cmd.ClearTimer():
                self._set_timer(command)
            case cmd.ReloadCredentials():
                handle = self._vault.hold_login(Credentials(token=SECRET))
                self._later(2, ev.CredentialsLoaded(handle, APP_ID))
            case cmd.FetchToken() | cmd.FetchGateway() | cmd.Send():
                draft = finished(self._link.perform(command))
                self._keep(draft.kept)
                self._later(self._calls.delay_ms, *draft.events)
            case cmd.OpenSocket():
                self._dial(command)
            case cmd.CloseSocket(epoch):
                if self._socket is not None and self._socket[0] == epoch:
                    self._hang_up()
                    self._later(1, qq_events.SocketClosed(epoch, "dropped"))
            case cmd.Identify() | cmd.Resume() | cmd.Heartbeat() | cmd.Ping():
                self._tell(command)
            case cmd.Offer(message):
                self._consume(message)
            case _:
                self.told.append(command)

    def _set_timer(self, command: cmd.SetTimer | cmd.ClearTimer) -> None:
        name = command.name
        if isinstance(command, cmd.ClearTimer):
            self._timers.pop(name, None)
            return
        due_ms = self._timers[name] = command.due_ms
        generation = self._generation

        def happen() -> None:
            if generation == self._generation and self._timers.get(name) == due_ms:
                del self._timers[name]
                self.take(ev.TimerFired(name, due_ms))

        heappush(self._coming, (due_ms, next(self._order), happen))

    def _dial(self, command: cmd.OpenSocket) -> None:
        assert self._socket is None, "a second socket is dialled"
        if not world.is_listening(self.peer, self.now_ms):
            failed = qq_events.DialFailed(command.epoch, "connect", reason="refused")
            self._later(TRIP_MS, failed)
            return
        self.peer, got = world.connect(self.peer, self.now_ms)
        if isinstance(got, Reply):
            why = qq_events.DialFailed(command.epoch, "handshake", got.status)
            self._later(TRIP_MS, why)
            return
        self._socket = command.epoch, got
        self.open_sockets += 1
        self.open_most = max(self.open_most, self.open_sockets)
        self._later(TRIP_MS, qq_events.SocketOpened(command.epoch))
        self.collect()

    def _hang_up(self) -> None:
        if self._socket is not None:
            _, number = self._socket
            self._socket = None
            self.open_sockets -= 1
            self.peer = world.leave(self.peer, self.now_ms, number, 4000)
            self.collect()

    def _tell(
        self, order: cmd.Identify | cmd.Resume | cmd.Heartbeat | cmd.Ping
    ) -> None:
        if self._socket is None or self._socket[0] != order.epoch:
            return
        number = self._socket[1]
        if isinstance(order, cmd.Ping):
            self.peer = world.ping(self.peer, self.now_ms, number)
        else:
            text = frame_of(order, self._vault)
            self.peer = world.hear(self.peer, self.now_ms, number, text)
        self.collect()

    def collect(self) -> None:
        """Carry what the platform does on its sockets."""
        self.peer, outs = world.collect(self.peer)
        for out in outs:
            if isinstance(out, Mute) or self._socket is None:
                continue
            epoch, number = self._socket
            if out.socket == number:
                self._arrive_later(epoch, number, out)

    def _arrive_later(
        self, epoch: int, number: int, out: Frame | Close | Cut | Pong
    ) -> None:
        generation = self._generation

        def happen() -> None:
            if generation == self._generation and self._socket == (epoch, number):
                self._arrive(epoch, out)

        heappush(self._coming, (self.now_ms + TRIP_MS, next(self._order), happen))

    def _arrive(self, epoch: int, out: Frame | Close | Cut | Pong) -> None:
        draft = arrived(out, epoch, self._vault)
        if isinstance(out, Close | Cut):
            self._socket = None
            self.open_sockets -= 1
        self._keep(draft.kept)
        self.take(*draft.events)

    def _keep(self, kept: tuple[Any, ...]) -> None:
        for value in kept:
            self._memory.kept[value.handle] = value.value

    def _consume(self, message: int) -> None:
        message_id, peer = self._ids.pop(message)
        self.offered[message_id] = self.offered.get(message_id, 0) + 1
        self._later(300, ev.MessageDone("agent", message, message))
        if self.chance.below(4) < self._replies:
            self.send(peer, f"answer to {message}", reply_to=message_id)

    def _pause_ms(self) -> int:
        return 1 + self.chance.below(2 * self._say_gap_ms)

    def _say(self) -> None:
        if not self.quiet:
            self.say()
        self.after(self._pause_ms(), self._say)
