"""QQ accounts of the configuration: intents by name, shards, hosts.

What the gateway is asked for travels in the policy, so that a replay knows it. Numbers
in brackets are sections of docs/qq-bot.md.
"""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from holdfast.core.policy import Policy
from holdfast.io.config_accounts import (
    QQ_LOGINS,
    SANDBOX_API_URL,
    SANDBOX_TOKEN_URL,
    QqAccount,
)
from holdfast.io.config_errors import shown, sort_of, unknown
from holdfast.io.config_intents import INTENTS
from holdfast.io.config_logins import keep_one_login
from holdfast.io.config_policy import lay_policy
from holdfast.io.config_tables import Document, KeyPath, kinds_of

SHARDS_MAX = 10_000


def read_qq(
    document: Document, name: str, login_file: Path, policy: Policy
) -> QqAccount | None:
    """Return the account, None without an app id; what is wrong with it is noted."""
    path: KeyPath = ("accounts", name)
    kinds = kinds_of(QqAccount, without=("name", "policy")) | {"sandbox": bool}
    values = document.read(path, kinds, inner=("policy", "intents", "shard"))
    keep_one_login(document, path, values, QQ_LOGINS)
    if not any(key in document.table(path) for key in QQ_LOGINS):
        values["secret_file"] = login_file
    if values.pop("sandbox", False):
        values.setdefault("api_url", SANDBOX_API_URL)
        values.setdefault("token_url", SANDBOX_TOKEN_URL)
    if "api_url" in values:
        values["api_url"] = values["api_url"].rstrip("/")
    policy = lay_policy(document, (*path, "policy"), policy)
    changes = _intents(document, path) | _shard(document, path)
    values["policy"] = replace(policy, gateway=replace(policy.gateway, **changes))
    if "app_id" not in values:
        if "app_id" not in document.table(path):
            document.blame((*path, "app_id"), "missing; expected the bot's app id")
        return None
    return QqAccount(name=name, **values)


def _intents(document: Document, path: KeyPath) -> dict[str, Any]:
    """Read the names of what to ask for into the bits of a mask."""
    here = (*path, "intents")
    names = _listed(document, here)
    if names is None:
        return {}
    mask = 0
    for name in names:
        if not isinstance(name, str):
            document.blame(here, f"found {shown(name)}; expected names in quotes")
        elif name in INTENTS:
            mask |= 1 << INTENTS[name]
        else:
            known = ", ".join(INTENTS)
            wrong = unknown(name, INTENTS, f"intent {shown(name)}")
            document.blame(here, wrong if known in wrong else f"{wrong} Known: {known}")
    if not names:
        document.blame(here, "found an empty list; expected at least one name")
    return {"intents": mask}


def _shard(document: Document, path: KeyPath) -> dict[str, Any]:
    """Read which shard of how many."""
    here = (*path, "shard")
    pair = _listed(document, here)
    match pair:
        case None:
            return {}
        case [index, count] if _fits(index, count):
            return {"shard": index, "shards": count}
        case _:
            found = f"[{', '.join(map(shown, pair))}]"
            right = f"[i, n] with 0 <= i < n <= {SHARDS_MAX}, such as [0, 1]"
            document.blame(here, f"found {found}; expected {right}")
            return {}


def _fits(index: object, count: object) -> bool:
    match index, count:
        case (bool(), _) | (_, bool()):
            return False  # Python takes true for 1.
        case int(), int():
            return 0 <= index < count <= SHARDS_MAX
        case _:
            return False


def _is_number(text: str) -> bool:
    """Tell a number that may be a shard's; Python refuses to read the longest."""
    return text.isdecimal() and len(text) <= len(str(SHARDS_MAX)) + 1


def _listed(document: Document, here: KeyPath) -> list[Any] | None:
    """Return a list, None when there is none; the environment gives it with commas."""
    *path, key = here
    found = document.table(tuple(path)).get(key)
    if isinstance(found, str) and here in document.origins:
        pieces = [piece.strip() for piece in found.split(",")]
        return [int(one) if _is_number(one) else one for one in pieces]
    if found is not None and not isinstance(found, list):
        document.blame(here, f"found {sort_of(found)}; expected a list")
        return None
    return found
