"""Scripts: a fact, `----`, what it led to. This is their form, and their runner.

A script drives a whole Weixin account. Its blocks are separated by blank lines; lines
that begin with `#` explain, and the first of them say what broke. A block holds one or
more directives, `----`, then what happened: a line with the phases and with the counts
that are not zero after the last directive, and the commands of all of them in order.

    policy delivery.budget=2    numbers unlike the platform's; before all else, alone
    start                       a login that works; one idle poll was answered at 60000
    poll_answered at_ms=61000 epoch=2 errcode=-14       any fact, and its time
    fire session.retry          the timer of this name runs out, at its due time

Facts read as `describe_event` writes them; their seqs count by themselves. Nothing in
a script is ever skipped: what the runner cannot use is an error with file and line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from holdfast.core import weixin
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
from holdfast.core.weixin_account import Weixin
from holdfast.core.weixin_invariants import broken
from holdfast.replay.describe import (
    DescriptionError,
    describe_command,
    parse_event,
    phases,
    quote,
)

FIXTURES = Path(__file__).parent.parent / "fixtures"
MACHINES = ("session", "connection", "delivery", "inbox")
RULE = "----"
TIME = "at_ms="
START: Sequence[tuple[int, Event]] = (
    (25_000, Started(seed=7)),
    (25_000, CredentialsLoaded(credential="login-1", account_id="bot-1")),
    (25_000, NotifyAnswered(call="start")),
    (60_000, PollAnswered(epoch=1, cursor="cursor-1")),
)


class ScriptError(Exception):
    """A line of a script that says nothing usable, or a step that broke a promise."""


@dataclass(frozen=True)
class Block:
    """A run of lines: comments and directives, and what was said to have happened.

    `line` is the number of its first line; `said` is None where there is no `----`.
    """

    line: int
    head: Sequence[str]
    said: Sequence[str] | None

    @property
    def directives(self) -> Sequence[tuple[int, str]]:
        numbered = enumerate(self.head, self.line)
        return [(line, text) for line, text in numbered if not text.startswith("#")]


class Account:
    """Folds facts as an owner does, and holds every step against the invariants."""

    def __init__(self, policy: Policy = weixin.POLICY) -> None:
        self.state = Weixin()
        self.policy = policy
        self.seq = 0
        self.at_ms = 0
        self.timers: dict[str, int] = {}

    def take(self, event: Event, at_ms: int) -> Sequence[Command]:
        """Fold one fact; raise `ScriptError` for a promise that it broke."""
        if at_ms < max(self.at_ms, 1):
            raise ScriptError(f"{TIME}{at_ms}: time never goes back, nor starts at 0")
        if isinstance(event, Started):
            self.policy = event.policy or self.policy
            self.timers.clear()
        self.seq, self.at_ms = self.seq + 1, at_ms
        fact, before = Fact(self.seq, at_ms, event), self.state
        self.state, commands = weixin.step(before, fact, self.policy)
        if found := broken(before, fact, self.state, commands, self.policy):
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


def scripts() -> Sequence[Path]:
    return sorted(path for name in MACHINES for path in (FIXTURES / name).iterdir())


def play(name: str, text: str) -> Iterator[tuple[Block, Sequence[str]]]:
    """Yield each block with what happened in it; raise `ScriptError` with its place."""
    account = Account()
    for block in parse(text):
        happened: list[str] = []
        for line, directive in block.directives:
            try:
                if directive.startswith("policy "):
                    _check_alone(block, account)
                    account = Account(read_policy(directive))
                else:
                    happened += map(_told, _obey(account, directive))
            except (ScriptError, DescriptionError, msgspec.ValidationError) as error:
                raise ScriptError(f"{name}:{line}: {error}") from error
        if account.seq and block.directives:
            happened.insert(0, standing(account.state))
        yield block, happened


def differences(name: str, text: str) -> Iterator[str]:
    """Yield one text for each block in which something else happened than was said."""
    for block, happened in play(name, text):
        said = [] if block.said is None else list(block.said)
        if happened and block.said is None:
            yield f"{name}:{block.line}: no {RULE}, so nothing is compared"
        elif said != happened:
            line = block.line + len(block.head) + 1
            yield "\n".join([f"{name}:{line}: said", *said, "happened", *happened])


def rewritten(name: str, text: str) -> str:
    """Return the script with what happens today."""
    blocks = [
        "\n".join([*block.head, RULE, *happened] if happened else block.head)
        for block, happened in play(name, text)
    ]
    return "\n\n".join(blocks) + "\n"


def parse(text: str) -> Iterator[Block]:
    """Cut a script into its blocks."""
    lines = text.splitlines()
    first = 0
    for end in range(len(lines) + 1):
        if end == len(lines) or not lines[end].strip():
            if first < end:
                yield _block(first + 1, lines[first:end])
            first = end + 1


def _block(line: int, lines: Sequence[str]) -> Block:
    if RULE not in lines:
        return Block(line, lines, None)
    at = lines.index(RULE)
    said = lines[at + 1 :]
    if any(text.startswith("#") for text in said):
        raise ScriptError(f"the block at line {line}: comments stand above {RULE}")
    return Block(line, lines[:at], said)


def read_policy(directive: str) -> Policy:
    """Read `policy name.field=value …`; unknown names and bad values are refused."""
    changed: dict[str, Any] = msgspec.to_builtins(weixin.POLICY)
    for word in directive.split()[1:]:
        path, _, value = word.partition("=")
        group, _, field = path.partition(".")
        if field not in changed.get(group, {}):
            raise ScriptError(f"{path!r} is no number of the policy")
        try:
            changed[group][field] = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ScriptError(f"{word}: {error}") from error
    return msgspec.convert(changed, Policy)


def _check_alone(block: Block, account: Account) -> None:
    if account.seq or len(block.directives) > 1 or block.said is not None:
        raise ScriptError(f"policy stands alone, without {RULE}, before all else")


def _obey(account: Account, directive: str) -> Sequence[Command]:
    """Carry out one directive; the well-known commands of `start` are not told."""
    if directive.startswith("fire "):
        return account.fire(directive.removeprefix("fire "))
    if directive != "start":
        at_ms, event = read_fact(directive)
        return account.take(event, at_ms)
    if account.seq:
        raise ScriptError("start comes first; a later process is a `started` fact")
    for at_ms, event in START:
        account.take(event, at_ms)
    return ()


def read_fact(directive: str) -> tuple[int, Event]:
    """Read `tag at_ms=… field=value …`."""
    tag, _, rest = directive.partition(" ")
    time, _, fields = rest.partition(" ")
    at_ms = time.removeprefix(TIME)
    if at_ms == time or not at_ms.isdecimal():
        raise ScriptError(f"{tag or directive!r} needs {TIME} as its first field")
    return int(at_ms), parse_event(f"{tag} {fields}")


def _told(command: Command) -> str:
    return f"  {describe_command(command)}"


def standing(state: Weixin) -> str:
    """Return an account's phases, and those of its counts that are not zero."""
    login, link, box = state.session, state.connection, state.outbox
    told: Mapping[str, object] = {
        **phases(state),
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
        "done": _join(
            {
                name: "+".join(map(str, (each.through, *each.ahead)))
                for name, each in state.inbox.consumers.items()
            }
        ),
        "stopping": "yes" if state.stopping else "",
    }
    return " ".join(f"{name}={quote(value)}" for name, value in told.items() if value)


def _join(values: Mapping[str, object]) -> str:
    return ",".join(f"{name}:{value}" for name, value in values.items() if value)
