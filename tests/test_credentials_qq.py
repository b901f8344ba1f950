"""Secrets of QQ apps: where they may be, and what is said when there is none."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.io.config import QqAccount
from holdfast.io.credentials import Credentials, CredentialSource, MissingCredentials

APP_ID = "102000001"
SECRET = "EXAMPLESECRET"  # noqa: S105 - invented.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bob.json"


def source(**keys: object) -> CredentialSource:
    account = replace(QqAccount(name="bob", app_id=APP_ID), **keys)
    return CredentialSource(account, {"BOB_SECRET": f" {SECRET}\n"})


def load(file: Path, text: str) -> Credentials | MissingCredentials:
    file.write_text(text)
    file.chmod(0o600)
    return source(secret_file=file).load()


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRET}\n",
        json.dumps({"secret": SECRET}),
        json.dumps({"client_secret": SECRET, "app_id": APP_ID}),
        json.dumps({"clientSecret": SECRET, "appId": APP_ID, "platform": "qq"}),
    ],
)
def test_a_file_is_a_line_or_json(file: Path, text: str) -> None:
    found = load(file, text)
    assert found == Credentials(
        token=SECRET, account_id=APP_ID, base_url="https://api.bot.qq.com"
    )
    assert SECRET not in repr(found)


@pytest.mark.parametrize("keys", [{"secret": SECRET}, {"secret_env": "BOB_SECRET"}])
def test_it_may_stand_elsewhere(keys: dict[str, str]) -> None:
    found = source(**keys).load()
    assert isinstance(found, Credentials)
    assert found.token == SECRET


def test_the_secret_of_another_app_is_worth_a_warning(file: Path) -> None:
    found = load(file, json.dumps({"secret": SECRET, "app_id": "7"}))
    assert isinstance(found, Credentials)
    assert found.account_id == APP_ID
    assert found.warnings == (f"{file}: the secret is 7's, app_id is {APP_ID}",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the secret file is empty"),
        ("a\nb", "the secret file has several lines and is not JSON"),
        ("{}", "the secret file has no secret"),
        ('{"secret":"a b"}', "the secret is not printable ASCII without spaces"),
        ('{"secret":7}', "in the secret file, secret is not text"),
        ('{"token":"x","platform":"weixin"}', "the secret file is a login for no qq"),
    ],
)
def test_what_is_no_secret_says_so(file: Path, text: str, reason: str) -> None:
    found = load(file, text)
    assert isinstance(found, MissingCredentials)
    assert found.reason.startswith(reason)


def test_a_place_is_named_for_a_human(file: Path) -> None:
    assert source(secret_file=file).source == str(file)
    assert source(secret=SECRET).source == "accounts.bob.secret"
    where = source(secret_env="X")  # noqa: S106 - a name.
    assert where.source == "environment variable X"
    assert isinstance(where.load(), MissingCredentials)
    gone = source(secret_file=file).load()
    assert isinstance(gone, MissingCredentials)
    assert gone.reason == "the secret file does not exist"
