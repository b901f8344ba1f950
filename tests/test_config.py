"""Configuration that is right: files, defaults, the environment, policies."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core import weixin
from holdfast.core.policy import Policy
from holdfast.io.config import BASE_URL, Account, Address, ConfigError, load_config
from holdfast.io.config_policy import ASCENDING

ALICE = '[accounts.alice]\nplatform = "weixin"\n'
SECRET = "b1c2d3e4f5a6@im.bot:0600dd44"
FIELDS = [
    (section.name, field.name, field.default)
    for section in msgspec.structs.fields(Policy)
    for field in msgspec.structs.fields(section.type)
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "holdfast.toml"


def only_account(file: Path, text: str, **environ: str) -> Account:
    write(file, text)
    (account,) = load_config(file, environ).accounts.values()
    return account


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text)


def test_all_that_is_left_out_has_a_default(file: Path) -> None:
    write(file, ALICE)
    config = load_config(file, {"HOME": "/home/ann"})
    data_dir = Path("/home/ann/.local/share/holdfast")
    assert config.file == file
    assert config.service.data_dir == data_dir
    assert config.service.listen is None
    assert config.service.api_token_file == data_dir / "api_token"
    alice = config.accounts["alice"]
    assert alice.token_file == data_dir / "credentials" / "alice.json"
    assert (alice.token, alice.token_env, alice.proxy) == ("", "", None)
    assert alice.base_url is None
    assert alice.policy is weixin.POLICY or alice.policy == weixin.POLICY


def test_all_that_can_be_said_is_taken(file: Path) -> None:
    write(
        file,
        """
        [service]
        data_dir = "data"
        listen = "[::1]:8710"
        api_token_file = "~/api"
        [accounts.alice]
        platform = "weixin"
        base_url = "http://127.0.0.1:9000/"
        cdn_url = "http://cdn.example/c2c"
        account_id = "b1c2d3e4f5a6@im.bot"
        token_env = "ALICE_TOKEN"
        proxy = "http://ann:pw@proxy.example:3128"
        route_tag = "blue"
        bot_agent = "Shop/1.0 (a comment) Holdfast/0.1.0"
        """,
    )
    config = load_config(file, {"HOME": "/home/ann", "HTTPS_PROXY": "http://no"})
    assert config.service.data_dir == file.parent / "data"
    assert config.service.listen == Address("::1", 8710)
    assert str(config.service.listen) == "[::1]:8710"
    assert config.service.api_token_file == Path("/home/ann/api")
    alice = config.accounts["alice"]
    assert alice.base_url == "http://127.0.0.1:9000"
    assert alice.cdn_url == "http://cdn.example/c2c"
    assert alice.account_id == "b1c2d3e4f5a6@im.bot"
    assert (alice.token_env, alice.token_file) == ("ALICE_TOKEN", None)
    assert alice.proxy == "http://ann:pw@proxy.example:3128"
    assert alice.route_tag == "blue"
    assert alice.bot_agent == "Shop/1.0 (a comment) Holdfast/0.1.0"


def test_proxies_of_the_environment_are_never_taken(file: Path) -> None:
    alice = only_account(file, ALICE, HTTPS_PROXY="http://p", all_proxy="http://p")
    assert alice.proxy is None


def test_an_account_does_not_show_its_secrets(file: Path) -> None:
    text = f'{ALICE}token = "{SECRET}"\nproxy = "http://ann:hunter2@proxy"\n'
    alice = only_account(file, text)
    assert alice.token == SECRET
    assert "0600" not in repr(alice)
    assert "hunter2" not in repr(alice)
    assert "name='alice'" in repr(alice)


def test_a_windows_editor_may_have_saved_the_file(file: Path) -> None:
    write(file, "\ufeff" + ALICE.replace("\n", "\r\n"))
    assert list(load_config(file, {}).accounts) == ["alice"]


def test_the_file_of_this_folder_wins_over_that_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    write(here / "holdfast.toml", ALICE)
    write(home / ".config/holdfast/holdfast.toml", ALICE)
    environ = {"HOME": str(home)}
    monkeypatch.chdir(here)
    assert load_config(None, environ).file == here / "holdfast.toml"
    (here / "holdfast.toml").unlink()
    assert load_config(None, environ).file == home / ".config/holdfast/holdfast.toml"


def test_xdg_folders_are_used_and_relative_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "conf/holdfast/holdfast.toml", ALICE)
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
    environ["XDG_DATA_HOME"] = "/srv/data"
    config = load_config(None, environ)
    assert list(config.accounts) == ["alice"]
    assert config.service.data_dir == Path("/srv/data/holdfast")
    config = load_config(None, environ | {"XDG_CONFIG_HOME": "conf"})
    assert config.file is None


def test_the_environment_alone_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "HOME": str(tmp_path),
        "HOLDFAST__SERVICE__DATA_DIR": "data",
        "HOLDFAST__ACCOUNTS__MY_BOT__PLATFORM": "weixin",
        "HOLDFAST__ACCOUNTS__MY_BOT__TOKEN": SECRET,
        "HOLDFAST__ACCOUNTS__MY_BOT__POLICY__SESSION__PROBES_BEFORE_LOGIN": "7",
    }
    config = load_config(None, environ)
    assert config.service.data_dir == tmp_path / "data"
    assert config.accounts["my_bot"].token == SECRET
    assert config.accounts["my_bot"].policy.session.probes_before_login == 7


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
    alice = only_account(file, f'{ALICE}token = "{SECRET}"\n', **environ)
    assert (alice.token, alice.token_file) == ("", file.parent / "secrets/alice")


@pytest.mark.parametrize(("section", "key", "default"), FIELDS)
def test_every_number_can_be_set_for_all_and_for_one(
    file: Path, section: str, key: str, default: int
) -> None:
    one, two, three = (not default,) * 3, default + 1, default + 2
    numbers = one if isinstance(default, bool) else (default + 1, two, three)
    assert default is not numbers


def test_an_accounts_own_number_is_laid_over_the_one_for_all(file: Path) -> None:
    text = f"""
        {ALICE}
        [accounts.alice.policy.session]
        probes_before_login = 9
        [policy.session]
        probes_before_login = 8
        backoff_ms_first = 70
        """
    environ = {"HOLDFAST__POLICY__SESSION__BACKOFF_MS_FIRST": "80"}
    alice = only_account(file, text, **environ)
    assert alice.policy.session.probes_before_login == 9
    assert alice.policy.session.backoff_ms_first == 80
    assert alice.policy.connection == weixin.POLICY.connection
