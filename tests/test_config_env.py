"""Environment overrides: what they set, and what is said of those that fit nowhere."""

from pathlib import Path

import pytest

from holdfast.io.config import ConfigError, WeixinAccount, load_config

ALICE = '[accounts.alice]\nplatform = "weixin"\n'
LOGIN = "b1c2d3e4f5a6@im.bot:0600dd44"
ENV_ALICE = "HOLDFAST__ACCOUNTS__ALICE__"

# What is wrong; the variables over a file with the account alice; what is said about
# them. An indented line goes on with the one before.
TRANSCRIPT = """
# a value
HOLDFAST__ACCOUNTS__ALICE__BASE_URL=host
----
HOLDFAST__ACCOUNTS__ALICE__BASE_URL: found "host";
  expected an address such as "https://host/path", without query or password

# an empty value
HOLDFAST__POLICY__POLL__GRACE_MS=
----
HOLDFAST__POLICY__POLL__GRACE_MS: found "";
  expected a whole number of milliseconds from 0 to 31622400000

# a key
HOLDFAST__SERVICE__LISEN=x
----
HOLDFAST__SERVICE__LISEN: unknown key; did you mean "listen"?

# a table
HOLDFAST__SERVIC__LISTEN=x
----
HOLDFAST__SERVIC__LISTEN: expected HOLDFAST__ and then SERVICE__KEY,
  POLICY__SECTION__KEY or ACCOUNTS__NAME__KEY

# an account
HOLDFAST__ACCOUNTS__ALICIA__TOKEN=b1c2d3e4f5a6@im.bot:0600dd44
----
HOLDFAST__ACCOUNTS__ALICIA__TOKEN: there is no account "alicia", and no
  HOLDFAST__ACCOUNTS__ALICIA__PLATFORM to make one; did you mean "alice"?

# one key twice
HOLDFAST__ACCOUNTS__ALICE__ROUTE_TAG=a
HOLDFAST__ACCOUNTS__ALICE__route_tag=a
----
HOLDFAST__ACCOUNTS__ALICE__route_tag: says the same as
  HOLDFAST__ACCOUNTS__ALICE__ROUTE_TAG; keep one

# two tokens
HOLDFAST__ACCOUNTS__ALICE__TOKEN=b1c2d3e4f5a6@im.bot:0600dd44
HOLDFAST__ACCOUNTS__ALICE__TOKEN_FILE=x
----
HOLDFAST__ACCOUNTS__ALICE__TOKEN_FILE: given beside token; keep one of them

# bytes that are no text
HOLDFAST__ACCOUNTS__ALICE__ROUTE_TAG=\udcff
----
HOLDFAST__ACCOUNTS__ALICE__ROUTE_TAG: is not UTF-8 text
"""
CASES = dict(block.split("\n", 1) for block in TRANSCRIPT.strip().split("\n\n"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "holdfast.toml"


def only_account(file: Path, text: str, **environ: str) -> WeixinAccount:
    file.write_text(text)
    (account,) = load_config(file, environ).accounts.values()
    assert isinstance(account, WeixinAccount)
    return account


def test_the_environment_alone_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "HOME": str(tmp_path),
        "HOLDFAST__SERVICE__DATA_DIR": "data",
        "HOLDFAST__ACCOUNTS__MY_BOT__PLATFORM": "weixin",
        "HOLDFAST__ACCOUNTS__MY_BOT__TOKEN": LOGIN,
        "HOLDFAST__ACCOUNTS__MY_BOT__POLICY__SESSION__PROBES_BEFORE_LOGIN": "7",
    }
    config = load_config(None, environ)
    assert config.service.data_dir == tmp_path / "data"
    bot = config.accounts["my_bot"]
    assert isinstance(bot, WeixinAccount)
    assert bot.token == LOGIN
    assert bot.policy.session.probes_before_login == 7


def test_names_and_keys_of_the_environment_match_whatever_their_case(
    file: Path,
) -> None:
    text = '[accounts."Shop.bot-1"]\nplatform = "weixin"\n'
    environ = {"HOLDFAST__accounts__SHOP_BOT_1__Account_Id": "b2@im.bot"}
    shop = only_account(file, text, **environ)
    assert (shop.name, shop.account_id) == ("Shop.bot-1", "b2@im.bot")


def test_an_account_name_may_hold_two_underscores(file: Path) -> None:
    text = '[accounts.a__b]\nplatform = "weixin"\n'
    environ = {
        "HOLDFAST__ACCOUNTS__A__B__ROUTE_TAG": "x",
        "HOLDFAST__ACCOUNTS__A__B__POLICY__POLL__GRACE_MS": "1",
    }
    account = only_account(file, text, **environ)
    assert (account.route_tag, account.policy.poll.grace_ms) == ("x", 1)


def test_a_token_of_the_environment_replaces_the_token_of_the_file(
    file: Path,
) -> None:
    environ = {"HOLDFAST__ACCOUNTS__ALICE__TOKEN_FILE": "secrets/alice"}
    alice = only_account(file, f'{ALICE}token = "{LOGIN}"\n', **environ)
    assert (alice.token, alice.token_file) == ("", file.parent / "secrets/alice")


@pytest.mark.parametrize("what", CASES)
def test_a_wrong_variable_is_refused_under_its_name(file: Path, what: str) -> None:
    variables, expected = CASES[what].split("----\n")
    file.write_text(ALICE)
    with pytest.raises(ConfigError) as caught:
        load_config(file, dict(line.split("=") for line in variables.splitlines()))
    assert str(caught.value) == expected.replace("\n  ", " ").strip()


def test_a_variable_that_means_two_accounts_is_refused(file: Path) -> None:
    file.write_text(f'{ALICE}[accounts.Alice]\nplatform = "weixin"\n')
    with pytest.raises(ConfigError, match='more than one account: "alice", "Alice"'):
        load_config(file, {f"{ENV_ALICE}ROUTE_TAG": "a"})


@pytest.mark.parametrize("text", ["service = 1", "accounts = 1", "policy = 1"])
def test_a_variable_for_what_is_no_table_leaves_the_blame_to_the_file(
    file: Path, text: str
) -> None:
    file.write_text(text)
    environ = {
        "HOLDFAST__SERVICE__DATA_DIR": "x",
        "HOLDFAST__POLICY__SESSION__SLOW_PROBE_MS": "1",
        f"{ENV_ALICE}PLATFORM": "weixin",
    }
    with pytest.raises(ConfigError, match="found a number; expected a table") as caught:
        load_config(file, environ)
    assert len(caught.value.problems) == 1


def test_without_a_file_a_missing_key_is_named_as_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), f"{ENV_ALICE}PLATFORM": "qq"}
    with pytest.raises(ConfigError, match=f"{ENV_ALICE}APP_ID: missing"):
        load_config(None, environ)
