"""Weixin accounts of the configuration."""

from pathlib import Path

from holdfast.core.policy import Policy
from holdfast.io.config_accounts import WEIXIN_LOGINS, WeixinAccount
from holdfast.io.config_logins import keep_one_login
from holdfast.io.config_policy import lay_policy
from holdfast.io.config_tables import Document, KeyPath, kinds_of


def read_weixin(
    document: Document, name: str, login_file: Path, policy: Policy
) -> WeixinAccount:
    """Return the account; what is wrong with it is noted."""
    path: KeyPath = ("accounts", name)
    kinds = kinds_of(WeixinAccount, without=("name", "policy"))
    values = document.read(path, kinds, inner=("policy",))
    keep_one_login(document, path, values, WEIXIN_LOGINS)
    if not any(key in document.table(path) for key in WEIXIN_LOGINS):
        values["token_file"] = login_file
    for key in ("base_url", "cdn_url"):
        if key in values:
            values[key] = values[key].rstrip("/")
    values["policy"] = lay_policy(document, (*path, "policy"), policy)
    return WeixinAccount(name=name, **values)
