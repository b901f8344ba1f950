"""Configuration that is right: files, defaults, the environment, policies."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core import weixin
from holdfast.core.policy import Policy
from holdfast.io.config import Address, ConfigError, WeixinAccount, load_config
from holdfast.io.config_policy import ASCENDING

ALICE = '[accounts.alice]\nplatform = "weixin"\n'
LOGIN = "b1c2d3e4f5a6@im.bot:0600dd44"
FIELDS = [
    (section.name, field.name, field.default)
    for section in msgspec.structs.fields(Policy)
    for field in msgspec.structs.fields(section.type)
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "holdfast.toml"


def only_account(file: Path, text: str, **environ: str) -> WeixinAccount:
    write(file, text)
    (account,) = load_config(file, environ).accounts.values()
    assert isinstance(account, WeixinAccount)
    return account


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text)


def test_all_that_is_left_out_has_a_default(file: Path) -> None:
    write(file, ALICE)
    config = load_config(file, {"HOME": "/srv/ann"})
    data_dir = Path("/srv/ann/.local/share/holdfast")
    assert config.file == file
    assert config.service.data_dir == data_dir
    assert config.service.listen is None
    assert config.service.api_token_file == data_dir / "api_token"
    alice = config.accounts["alice"]
    assert isinstance(alice, WeixinAccount)
    assert alice.token_file == data_dir / "credentials" / "alice.json"
    assert (alice.token, alice.token_env, alice.proxy) == ("", "", None)
    assert alice.base_url is None
    assert alice.policy == weixin.POLICY


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
    config = load_config(file, {"HOME": "/srv/ann", "HTTPS_PROXY": "http://no"})
    assert config.service.data_dir == file.parent / "data"
    assert config.service.listen == Address("::1", 8710)
    assert str(config.service.listen) == "[::1]:8710"
    assert config.service.api_token_file == Path("/srv/ann/api")
    alice = config.accounts["alice"]
    assert isinstance(alice, WeixinAccount)
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
    text = f'{ALICE}token = "{LOGIN}"\nproxy = "http://ann:hunter2@proxy"\n'
    alice = only_account(file, text)
    assert alice.token == LOGIN
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
    environ = {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "conf"),
    }
    environ["XDG_DATA_HOME"] = "/srv/data"
    config = load_config(None, environ)
    assert list(config.accounts) == ["alice"]
    assert config.service.data_dir == Path("/srv/data/holdfast")
    config = load_config(None, environ | {"XDG_CONFIG_HOME": "conf"})
    assert config.file is None


@pytest.mark.parametrize(("section", "key", "default"), FIELDS)
@pytest.mark.parametrize("prefix", ["policy", "accounts.alice.policy"])
def test_every_number_of_the_policy_can_be_set(
    file: Path, prefix: str, section: str, key: str, default: int
) -> None:
    number = not default if isinstance(default, bool) else default + 1
    text = str(number).lower()
    written = only_account(file, f"{ALICE}[{prefix}.{section}]\n{key} = {text}\n")
    assert getattr(getattr(written.policy, section), key) == number
    variable = f"HOLDFAST__{prefix}__{section}__{key}".replace(".", "__").upper()
    assert only_account(file, ALICE, **{variable: text}) == written


def test_every_first_step_and_least_value_is_compared_with_its_cap() -> None:
    keys = {key for _, key, _ in FIELDS}
    caps = {key for key in keys if key.endswith("_ms_max")}
    assert caps == {high for _, high in ASCENDING if high.endswith("_max")}
    assert {key for pair in ASCENDING for key in pair} <= keys


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


WORDS = """service data_dir listen accounts alice platform base_url token token_file
    token_env policy session backoff_ms_first poll hold_ms journal retention_bytes"""
KEYS = st.sampled_from(WORDS.split())
TEXTS = st.sampled_from(
    ["weixin", "qq", "http://[::1]:1", f"http://{LOGIN}@h", LOGIN, "\0", "\x1b[1m"]
)
SCALARS = (
    st.booleans()
    | st.integers()
    | st.sampled_from([2**64, -(2**64), float("inf"), float("nan")])
    | TEXTS
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | TEXTS, inner),
    max_leaves=12,
)
VARIABLES = st.lists(KEYS | st.sampled_from(["", "a b", "\x1b[1m"]), max_size=6).map(
    lambda keys: "HOLDFAST__" + "__".join(keys).upper()
)


def toml(value: object) -> str:
    """Write a value inline, texts with every character escaped."""
    match value:
        case dict():
            pairs = (f"{toml(key)} = {toml(inner)}" for key, inner in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case str():
            escaped = "".join(f"\\U{ord(char):08x}" for char in value)
            return f'"{escaped}"'
        case bool():
            return str(value).lower()
        case int() if value >= 0:
            return hex(value)
        case _:
            return str(value)


@given(st.dictionaries(KEYS, VALUES), st.dictionaries(VARIABLES, TEXTS | st.text()))
@settings(deadline=None)
def test_whatever_the_tables_hold_only_config_errors_come_and_no_secret(
    tmp_path_factory: pytest.TempPathFactory,
    tables: dict[str, Any],
    environ: dict[str, str],
) -> None:
    text = "\n".join(f"{key} = {toml(value)}" for key, value in tables.items())
    try_to_load(tmp_path_factory, text.encode(), environ)


@given(st.binary() | st.text().map(lambda text: text.encode(errors="replace")))
@settings(deadline=None)
def test_whatever_bytes_the_file_holds_only_config_errors_come(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    try_to_load(tmp_path_factory, raw, {})


def try_to_load(
    folders: pytest.TempPathFactory, raw: bytes, environ: dict[str, str]
) -> None:
    file = folders.getbasetemp() / "fuzz.toml"
    file.write_bytes(raw)
    try:
        load_config(file, environ | {"HOME": "/srv/ann"})
    except ConfigError as error:
        text = str(error).lower()
    else:
        return
    assert text
    assert "0600dd44" not in text
    assert all(line.isprintable() for line in text.split("\n"))
