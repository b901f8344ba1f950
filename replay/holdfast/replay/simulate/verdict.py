"""The verdict: whether a run kept every promise, told when all had time to heal."""

from collections import Counter
from pathlib import Path

from holdfast.core import connection, session
from holdfast.core.inbox import Consumer, is_done
from holdfast.core.outbox import Phase
from holdfast.io import Service
from holdfast.replay.player import Verdict, play_facts
from holdfast.replay.simulate.ledger import Ledger
from holdfast.replay.simulate.life import CONSUMER
from holdfast.replay.simulate.side import Side
from holdfast.replay.sources import (
    UnreadableError,
    journaled_life,
    open_journal_reader,
)

SETTLED = {
    Phase.ACCEPTED,
    Phase.UNCONFIRMED,
    Phase.REJECTED,
    Phase.UNKNOWN,
    Phase.PARKED,
}


def judge_messages(ledger: Ledger, side: Side, service: Service) -> None:
    """Find what was said and never done; a kill may have swallowed the last word."""
    consumers = service.owners[side.account].state.inbox.consumers
    progress = consumers.get(CONSUMER, Consumer())
    for text in ledger.said:
        seq = ledger.finished.get(text)
        if text not in ledger.done and (seq is None or not is_done(progress, seq)):
            seen = "offered" if text in ledger.offers else "never offered"
            ledger.find("lost", f"{text!r} was said and {seen}, and is not done")


def judge_replies(ledger: Ledger, side: Side, service: Service) -> Counter[str]:
    """Find replies that did not reach the user as was said; count what was said."""
    counts: Counter[str] = Counter()
    shown = side.shown()
    for reply, delivery in ledger.promised.items():
        ids = shown.get(reply, ())
        if len(ids) > 1:
            ledger.find("repeated", f"{reply!r} was shown under {len(ids)} ids")
        status = service.delivery(delivery)
        if status is None:
            ledger.find("lost", f"delivery {delivery} of {reply!r} is not known")
            continue
        counts[status.state] += 1
        if status.state not in SETTLED:
            ledger.find("unhealed", f"{reply!r} is still {status.state}")
        if status.state == Phase.ACCEPTED and not ids:
            ledger.find("lost", f"{reply!r} is accepted, and no user saw it")
    return counts


def judge_health(ledger: Ledger, side: Side, service: Service) -> None:
    """Find what did not heal, and what the peer has against us."""
    health = service.health(side.account)
    well = {
        "session": session.Phase.ACTIVE,
        "connection": connection.Phase.HEARTBEATING,
    }
    if health.phases != well:
        ledger.find("unhealed", f"the account is {health.phases}: {health.last_error}")
    if health.needs_login or health.fatal:
        ledger.find("unhealed", f"the account waits for a human: {health}")
    for words in side.violations:
        ledger.find("broken", f"protocol: {words}")


def judge_journal(ledger: Ledger, folder: Path, account: str) -> int:
    """Replay the whole journal; return how many facts it holds."""
    try:
        with open_journal_reader(folder) as reader:
            life = journaled_life(reader, account)
            result = play_facts(life.lines, life.start, life.platform, life.policy)
    except UnreadableError as error:
        ledger.find("lost", f"the journal is refused: {error}")
        return 0
    if result.verdict is not Verdict.SAME:
        what = (
            f"{result.verdict}: {result.divergence or result.broken or result.damage}"
        )
        ledger.find("different", f"the journal replays {what}")
    if result.unknown:
        ledger.find("different", f"{result.unknown} facts have no commands noted")
    return result.facts
