"""Scripts: a fact, `----`, what it led to. This is their form, and their runner.

A script drives a whole account, whose platform is that of its folder. Its blocks are
separated by blank lines; lines that begin with `#` explain, and the first of them say
what broke. A block holds one or more directives, `----`, then what happened: a line
with the phases and with the counts that are not zero after the last directive, and the
commands of all of them in order.

    policy delivery.budget=2    numbers unlike the platform's; before all else, alone
    start                       a login that works, and a proof of it at 60000
    poll_answered at_ms=61000 epoch=2 errcode=-14       any fact, and its time
    fire session.retry          the timer of this name runs out, at its due time
    idle at_ms=1800000          until then, a socket's pings and heartbeats are answered

What `start` and `idle` lead to is well known and not told. Facts read as
`describe_event` writes them; their seqs count by themselves. Nothing in a script is
ever skipped: what the runner cannot use is an error with file and line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from scripted import QQ, TIME, WEIXIN, Scripted, ScriptError, standing

from holdfast.core.commands import Command
from holdfast.core.policy import Policy
from holdfast.replay.describe import DescriptionError, describe_command, parse_event
from holdfast.replay.platforms import Platform

FIXTURES = Path(__file__).parent.parent / "fixtures"
MACHINES = ("session", "connection", "delivery", "inbox")
# {folder: the platform of its scripts}
FOLDERS: Mapping[str, Platform] = {**dict.fromkeys(MACHINES, WEIXIN), "gateway": QQ}
RULE = "----"


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


def scripts() -> Sequence[Path]:
    return sorted(path for name in FOLDERS for path in (FIXTURES / name).iterdir())


def platform_of(path: Path) -> Platform:
    return FOLDERS[path.parent.name]


def play(
    name: str, text: str, platform: Platform = WEIXIN
) -> Iterator[tuple[Block, Sequence[str]]]:
    """Yield each block with what happened in it; raise `ScriptError` with its place."""
    account = Scripted(platform)
    for block in parse(text):
        happened: list[str] = []
        for line, directive in block.directives:
            try:
                if directive.startswith("policy "):
                    _check_alone(block, account)
                    account = Scripted(platform, read_policy(directive, platform))
                else:
                    happened += map(_told, _obey(account, directive))
            except (ScriptError, DescriptionError, msgspec.ValidationError) as error:
                raise ScriptError(f"{name}:{line}: {error}") from error
        if account.seq and block.directives:
            happened.insert(0, standing(account.state))
        yield block, happened


def differences(name: str, text: str, platform: Platform = WEIXIN) -> Iterator[str]:
    """Yield one text for each block in which something else happened than was said."""
    for block, happened in play(name, text, platform):
        said = [] if block.said is None else list(block.said)
        if happened and block.said is None:
            yield f"{name}:{block.line}: no {RULE}, so nothing is compared"
        elif said != happened:
            line = block.line + len(block.head) + 1
            yield "\n".join([f"{name}:{line}: said", *said, "happened", *happened])


def rewritten(name: str, text: str, platform: Platform = WEIXIN) -> str:
    """Return the script with what happens today."""
    blocks = [
        "\n".join([*block.head, RULE, *happened] if happened else block.head)
        for block, happened in play(name, text, platform)
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


def read_policy(directive: str, platform: Platform) -> Policy:
    """Read `policy name.field=value …`; unknown names and bad values are refused."""
    changed: dict[str, Any] = msgspec.to_builtins(platform.policy)
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


def _check_alone(block: Block, account: Scripted) -> None:
    if account.seq or len(block.directives) > 1 or block.said is not None:
        raise ScriptError(f"policy stands alone, without {RULE}, before all else")


def _obey(account: Scripted, directive: str) -> Sequence[Command]:
    """Carry out one directive; what is well known is not told."""
    if directive.startswith("fire "):
        return account.fire(directive.removeprefix("fire "))
    if directive == "start":
        account.start()
        return ()
    tag, at_ms, rest = read_directive(directive)
    if tag == "idle" and not rest:
        account.idle(at_ms)
        return ()
    return account.take(parse_event(f"{tag} {rest}"), at_ms)


def read_directive(directive: str) -> tuple[str, int, str]:
    """Read `tag at_ms=… field=value …`; return tag, time and fields."""
    tag, _, rest = directive.partition(" ")
    time, _, fields = rest.partition(" ")
    at_ms = time.removeprefix(TIME)
    if at_ms == time or not at_ms.isdecimal():
        raise ScriptError(f"{tag or directive!r} needs {TIME} as its first field")
    return tag, int(at_ms), fields


def _told(command: Command) -> str:
    return f"  {describe_command(command)}"
