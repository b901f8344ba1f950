"""Credentials: each way to give a token, and what is said when there is none."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.io.config_accounts import BASE_URL, WeixinAccount
from holdfast.io.credentials import (
    FILE_BYTES_MAX,
    Credentials,
    CredentialSource,
    MissingCredentials,
)

BOT = "b1c2d3e4f5a6@im.bot"
LOGIN = f"{BOT}:0600dd44ee55ff66"
USER = "o9cq80ExampleUser0000000001@im.wechat"
OPAQUE = "opaque"
VARIABLE = "ALICE"
HOST = "https://ilinkai.wechat.com"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alice.json"


def load(file: Path, raw: str | bytes, **keys: str) -> Credentials | MissingCredentials:
    file.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    file.chmod(0o600)
    return source(file, **keys).load()


def source(file: Path, **keys: str) -> CredentialSource:
    account = WeixinAccount(name="alice", platform="weixin", token_file=file)
    return CredentialSource(replace(account, **keys), {})


@pytest.mark.parametrize(
    "raw", [LOGIN, f"{LOGIN}\n", f"\n  {LOGIN}\t\r\n", f"\ufeff{LOGIN}\r\n"]
)
def test_one_line_of_text_is_a_token_whatever_surrounds_it(
    file: Path, raw: str
) -> None:
    assert load(file, raw) == Credentials(
        token=LOGIN, account_id=BOT, base_url=BASE_URL
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"token": LOGIN, "base_url": HOST, "user_id": USER, "platform": "weixin"},
        {"token": LOGIN, "baseUrl": f"{HOST}/", "userId": USER, "savedAt": "2026"},
        {"token": LOGIN, "base_url": HOST, "user_id": USER, "saved_at": 1.5},
        {"bot_token": "old", "token": LOGIN, "base_url": HOST, "user_id": USER},
        {
            "bot_token": LOGIN,
            "ilink_bot_id": BOT,
            "baseurl": HOST,
            "ilink_user_id": USER,
        },
    ],
    ids=["holdfast", "openclaw", "hermes", "mixed", "weclaw"],
)
def test_the_files_of_holdfast_and_of_other_clients_are_read(
    file: Path, fields: dict[str, object]
) -> None:
    expected = Credentials(token=LOGIN, account_id=BOT, base_url=HOST, user_id=USER)
    assert load(file, json.dumps(fields)) == expected
    assert load(file, json.dumps(fields, indent=2) + "\n") == expected


def test_what_a_file_leaves_open_has_a_default(file: Path) -> None:
    raw = json.dumps({"token": OPAQUE, "base_url": "", "user_id": None})
    assert load(file, raw) == Credentials(token=OPAQUE, base_url=BASE_URL)


def test_an_account_id_of_the_file_wins_over_none(file: Path) -> None:
    raw = json.dumps({"token": OPAQUE, "account_id": BOT})
    assert load(file, raw) == Credentials(
        token=OPAQUE, account_id=BOT, base_url=BASE_URL
    )


def test_the_configuration_wins_over_the_file(file: Path) -> None:
    raw = json.dumps({"token": OPAQUE, "account_id": BOT, "base_url": HOST})
    keys = {"account_id": "other@im.bot", "base_url": "http://127.0.0.1:9000"}
    assert load(file, raw, **keys) == replace(
        Credentials(token=OPAQUE, base_url=BASE_URL), **keys
    )


def test_a_token_of_another_bot_is_used_with_a_warning(file: Path) -> None:
    found = load(file, LOGIN, account_id="other@im.bot")
    assert isinstance(found, Credentials)
    assert found.account_id == "other@im.bot"
    text = f"{file}: the token is {BOT}'s, account_id is other@im.bot"
    assert found.warnings == (text,)


def test_a_token_file_that_everybody_can_read_is_used_with_a_warning(
    file: Path,
) -> None:
    file.write_text(LOGIN)
    file.chmod(0o644)
    found = source(file).load()
    assert isinstance(found, Credentials)
    text = f"{file} can be read by every user of this machine: chmod 600 it"
    assert found.warnings == (text,)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "the token file is empty"),
        (" \n\n", "the token file is empty"),
        (f"{LOGIN}\nx", "the token file has several lines and is not JSON"),
        (b"\xff", "the token file is not UTF-8 text"),
        ("x" * (FILE_BYTES_MAX + 1), "the token file is larger than 64 KiB"),
        (
            "two words",
            "the token is not printable ASCII without spaces",
        ),
        ("токен", "the token is not printable ASCII without spaces"),
        (
            f'{{"token": "{LOGIN}"',
            "in the token file, Input data was truncated",
        ),
        (
            f'{{"token": "x" {LOGIN}}}',
            "in the token file, JSON is malformed: expected ',' or '}' (byte 14)",
        ),
        ('{"token":' + "[" * 9999, "the token file is nested too deeply"),
        ("{}", "the token file has no token"),
        ('{"token": ""}', "the token file has no token"),
        ('{"token": 5}', "in the token file, token is not text"),
        ('{"bot_token": ["x"]}', "in the token file, bot_token is not text"),
        (
            '{"token": "x", "base_url": "host"}',
            "the token file's base URL is not an http(s) address",
        ),
        (
            '{"token": "x", "platform": "qq"}',
            "the token file is a login for no weixin account",
        ),
    ],
)
def test_an_unusable_file_is_a_reason_without_token_or_path(
    file: Path, raw: str | bytes, reason: str
) -> None:
    assert load(file, raw) == MissingCredentials(reason, str(file))


def test_what_is_no_file_is_a_reason(tmp_path: Path) -> None:
    def reason(path: Path) -> str:
        found = source(path).load()
        assert isinstance(found, MissingCredentials)
        return found.reason

    (tmp_path / "text").write_text(LOGIN)
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "none") == "the token file does not exist"
    assert reason(tmp_path) == "the token file is a directory"
    assert reason(tmp_path / "pipe") == "the token file is no regular file"
    assert reason(tmp_path / "text" / "x") == (
        "the token file cannot be read: Not a directory"
    )


@given(st.binary() | st.text().map(lambda text: b"{" + text.encode(errors="replace")))
def test_whatever_a_file_holds_there_is_an_answer(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    found = load(tmp_path_factory.getbasetemp() / "fuzz.json", raw)
    assert isinstance(found, Credentials | MissingCredentials)


def test_a_token_of_the_configuration_is_taken_as_it_is() -> None:
    account = WeixinAccount(name="alice", platform="weixin", token=LOGIN)
    found = CredentialSource(account, {}).load()
    assert found == Credentials(token=LOGIN, account_id=BOT, base_url=BASE_URL)


def test_a_token_of_the_environment_is_read_anew_each_time() -> None:
    environ: dict[str, str] = {}
    account = WeixinAccount(name="alice", platform="weixin", token_env=VARIABLE)
    alice = CredentialSource(account, environ)
    reason = "the environment variable is not set or empty"
    missing = MissingCredentials(reason, f"environment variable {VARIABLE}")
    assert alice.load() == missing
    environ[VARIABLE] = f" {LOGIN}\n"
    assert alice.load() == Credentials(token=LOGIN, account_id=BOT, base_url=BASE_URL)
    environ[VARIABLE] = "\udcff"
    assert isinstance(alice.load(), MissingCredentials)


def test_a_fingerprint_changes_with_its_source_and_shows_nothing(file: Path) -> None:
    alice = source(file)
    seen = [alice.fingerprint()]
    file.write_text(LOGIN)
    seen.append(alice.fingerprint())
    assert alice.fingerprint() == seen[-1]
    os.utime(file, ns=(1, 1))
    seen.append(alice.fingerprint())
    file.write_text("x")
    os.utime(file, ns=(1, 1))
    seen.append(alice.fingerprint())
    other = file.with_name("new")
    other.write_text("y")
    os.utime(other, ns=(1, 1))
    other.replace(file)
    seen.append(alice.fingerprint())
    assert len(set(seen)) == len(seen)


def test_a_fingerprint_of_a_variable_follows_its_value() -> None:
    environ: dict[str, str] = {}
    account = WeixinAccount(name="alice", platform="weixin", token_env=VARIABLE)
    alice = CredentialSource(account, environ)
    seen = [alice.fingerprint()]
    for value in (LOGIN, "\udcff"):
        environ[VARIABLE] = value
        assert alice.fingerprint() == alice.fingerprint()
        seen.append(alice.fingerprint())
    assert len(set(seen)) == 3
    assert LOGIN not in "".join(seen)


def test_credentials_do_not_show_their_token() -> None:
    found = Credentials(token=LOGIN, account_id=BOT, base_url=BASE_URL)
    assert "0600dd44" not in repr(found)
    assert f"account_id='{BOT}'" in repr(found)


@pytest.mark.parametrize(
    ("where", "can_change"),
    [
        ({"token": LOGIN}, False),
        ({"token_file": Path("alice.token")}, True),
        ({"token_env": VARIABLE}, True),
    ],
    ids=["token", "token_file", "token_env"],
)
def test_only_a_given_text_can_never_change(
    where: dict[str, Any], *, can_change: bool
) -> None:
    account = WeixinAccount(name="alice", **where)
    assert CredentialSource(account, {}).can_change is can_change
