"""Whatever a configuration or login file holds: it is used, or refused in words."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fuzz_rig import anything
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.io.config import QqAccount, WeixinAccount, load_config
from holdfast.io.config_errors import ConfigError
from holdfast.io.config_tables import PROBLEMS_MAX
from holdfast.io.credentials import Credentials, CredentialSource, MissingCredentials
from holdfast.replay.exporting import WindowError, time_ms

TOML = """
[service]
data_dir = "data"
listen = "127.0.0.1:8710"
api_token_file = "token"

[accounts.alice]
platform = "weixin"
base_url = "https://example.com/x"
cdn_url = "https://example.com"
account_id = "a1b2@im.bot"
token_file = "alice.json"
proxy = "http://user:EXAMPLEPASS@host:3128"
route_tag = "blue"
bot_agent = "Mine/1.0 (test)"

[accounts.bob]
platform = "qq"
app_id = "102000001"
secret_env = "BOB"
sandbox = true
intents = ["group_and_c2c"]
shard = [0, 1]

[accounts.bob.policy.connection]
backoff_ms_first = 1000

[policy.session]
backoff_ms_first = 5000
"""
LINES = TOML.splitlines()
KEYS = [*{line.partition(" =")[0] for line in LINES if "=" in line}, "platform", "x"]
# What may stand where a value of TOML is expected.
VALUES = [
    *("0", "-1", "1.5", "nan", "inf", "true", '""', "[]", "{}", "1979-05-27", "07:32"),
    *("07:32:00", "9" * 19, "9" * 5_000, "0x" + "f" * 40, "1e400", '"\\u0000"'),
    *('"\\uD800"', '"\0"', "[" * 500 + "]" * 500, "{a=" * 300 + "1" + "}" * 300),
    *("[0, 99999999]", '["x", 7]', f'"{"x" * 70_000}"', '"龘💥"', "'''a\nb'''"),
    *('"https://h:99999/"', '"a@im.bot:t"', '"~"', '"~/x"', '"http://u:p@h@i"', "#"),
    *("[0, true]", '["group_and_c2c", "nope"]', f'"{"." * 200}"'),
]
VARIABLES = [
    *("SERVICE__LISTEN", "ACCOUNTS__ALICE__TOKEN", "ACCOUNTS__NEW__PLATFORM", "", "__"),
    *("POLICY__SESSION__BACKOFF_MS_FIRST", "ACCOUNTS__BOB__SHARD", "ACCOUNTS", "X__Y"),
    *("ACCOUNTS__BOB__POLICY__GATEWAY__INTENTS", "ACCOUNTS__A__B__TOKEN", "SERVICE"),
    *("ACCOUNTS__ALICE__TOKEN__X__Y", "ACCOUNTS__BOB__INTENTS", "POLICY__X__Y"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A configuration of which some lines are odd, gone, doubled or cut."""
    lines = [*LINES]
    for _ in range(draw(st.integers(0, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        key = lines[number].partition(" =")[0]
        match draw(st.integers(0, 7)):
            case 0:
                del lines[number]
            case 1:
                lines.insert(number, draw(st.sampled_from(LINES)))
            case 2:
                tables = ["[", "[[accounts]]", "[accounts]", "[a.b.c]", '["\\uFFFF"]']
                lines[number] = draw(st.sampled_from(tables))
            case 3:
                value = draw(st.sampled_from(VALUES))
                lines[number] = f"{draw(st.sampled_from(KEYS))} = {value}"
            case _:
                lines[number] = f"{key} = {draw(st.sampled_from(VALUES))}"
    raw = "\n".join(lines).encode("utf-8", "surrogatepass")
    match draw(st.integers(0, 7)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            place = draw(st.integers(0, len(raw)))
            return raw[:place] + draw(st.binary(max_size=4)) + raw[place + 1 :]
        case _:
            return raw


variables = st.dictionaries(
    st.sampled_from(VARIABLES).map(lambda name: f"HOLDFAST__{name}"),
    st.text(max_size=20) | st.sampled_from(["\udcff", "0,1", "9" * 5_000, "https://h"]),
    max_size=3,
)


@given(files() | st.binary(max_size=200), variables)
@example(TOML.encode(), {"HOLDFAST__ACCOUNTS__BOB__SHARD": "0," + "9" * 5_000})
def test_whatever_a_configuration_holds_it_is_used_or_refused_in_words(
    folder: Path, content: bytes, environ: dict[str, str]
) -> None:
    path = folder / "holdfast.toml"
    path.write_bytes(content)
    try:
        config = load_config(path, {"HOME": str(folder), **environ})
    except ConfigError as error:
        problems = error.problems
    else:
        assert config.service.data_dir.is_absolute()
        return
    assert problems
    assert all(line.isprintable() and len(line) < 1_000 for line in problems)
    assert "EXAMPLEPASS" not in "".join(problems)


@given(variables)
def test_whatever_the_environment_holds_it_is_used_or_refused_in_words(
    folder: Path, environ: dict[str, str]
) -> None:
    try:
        load_config(None, {"HOME": str(folder), "XDG_CONFIG_HOME": "/none", **environ})
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert all(line.isprintable() for line in problems)


LOGINS = [
    {"token": "a@im.bot:t", "account_id": "a@im.bot", "base_url": "https://h/x"},
    {
        "bot_token": "t",
        "ilink_bot_id": "a@im.bot",
        "baseurl": "https://h",
        "userId": "u",
    },
    {"app_id": "102000001", "clientSecret": "s", "platform": "qq"},
]
WEIXIN = WeixinAccount(name="alice")
QQ = QqAccount(name="bob", app_id="102000001")


@given(anything(LOGINS))
@example(b"")
@example(b"\xef\xbb\xbf{")
@example(b"a\nb")
@example(b"{" + b'"a":{' * 5_000)
@example(b"x" * 70_000)
def test_whatever_a_login_file_holds_it_is_used_or_missing_in_words(
    folder: Path, content: bytes
) -> None:
    path = folder / "login"
    path.write_bytes(content)
    for account in (replace(WEIXIN, token_file=path), replace(QQ, secret_file=path)):
        found = CredentialSource(account, {}).load()
        if isinstance(found, Credentials):
            assert found.token.isascii()
            assert found.token.isprintable()
            found.base_url.encode()
            msgspec.json.encode([found.account_id, found.user_id])
        else:
            assert isinstance(found, MissingCredentials)
            assert 0 < len(found.reason) < 500
            msgspec.json.encode(found.reason)


@given(st.text() | st.sampled_from(["\udcff", " t ", "a b", "t" * 99_999]))
def test_whatever_a_variable_holds_it_is_a_login_or_missing(text: str) -> None:
    account = replace(WEIXIN, token_env="TOKEN")  # noqa: S106 - a variable's name.
    source = CredentialSource(account, {"TOKEN": text})
    assert isinstance(source.load(), Credentials | MissingCredentials)
    assert source.fingerprint()


times = st.text(max_size=40) | st.datetimes().map(str) | st.integers().map(str)


@given(times)
@example("9" * 5_000)
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
def test_whatever_time_is_asked_for_it_is_one_or_refused_in_words(text: str) -> None:
    try:
        found = time_ms(text, 0)
    except WindowError as error:
        words = str(error)
    else:
        assert isinstance(found, int)
        return
    assert "expected a time like" in words
    assert len(words) < 600


# What bounds the cost.


def cost(call: Callable[[], Any]) -> int:
    """Return the most bytes that a call takes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(folder: Path, content: str) -> ConfigError:
    path = folder / "many.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {"HOME": str(folder)})
    return caught.value


def test_of_very_many_mistakes_the_first_are_explained(folder: Path) -> None:
    many = "".join(f"k{number} = 0\n" for number in range(20_000))
    for table in ("", "[service]\n", "[policy.session]\n", "[policy]\n"):
        problems = refused(folder, table + many).problems
        assert len(problems) <= PROBLEMS_MAX + 1
        assert "there may be more" in problems[-1]


@pytest.mark.parametrize(
    "content",
    [
        "a" + ".a" * 100_000 + " = 1\n",
        "[a" + ".a" * 100_000 + "]\n",
        f"a = {'[' * 100_000}",
        f"a = {'{a=' * 100_000}",
    ],
    ids=["dotted", "table", "lists", "inline"],
)
def test_deep_keys_and_values_are_refused_at_once(folder: Path, content: str) -> None:
    assert refused(folder, content).problems
    assert cost(lambda: refused(folder, content)) < 100 * len(content)


def test_a_file_of_any_size_is_read_up_to_a_limit(folder: Path) -> None:
    path = folder / "large"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 1 << 32)
    account = replace(WEIXIN, token_file=path)
    assert cost(lambda: CredentialSource(account, {}).load()) < 1 << 20
    with pytest.raises(ConfigError, match="is larger than 1 MiB"):
        load_config(path, {})
    path.unlink()
