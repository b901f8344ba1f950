"""QQ accounts of the configuration: defaults, all that can be said, what is wrong."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.core import qq
from holdfast.core.policy import GatewayPolicy
from holdfast.io.config import ConfigError, QqAccount, load_config
from holdfast.io.config_accounts import API_URL, TOKEN_URL
from holdfast.io.config_intents import INTENTS, UNAPPROVED

BOB = '[accounts.bob]\nplatform = "qq"\napp_id = "102000001"\n'
ENV_BOB = "HOLDFAST__ACCOUNTS__BOB__"
SHARE = f'{BOB}[accounts.eve]\nplatform = "qq"\napp_id = "102000001"\n'
RIGHT_SHARD = "expected [i, n] with 0 <= i < n <= 10000, such as [0, 1]"
RIGHT_APP_ID = 'expected the bot\'s app id in quotes, such as "102000001"'
MEANT = 'unknown intent "guild"; did you mean "guilds"?'
SHARED = "the same as for bob; a shard of an app serves one account"
KNOWN = ", ".join(INTENTS)


def bob_of(tmp_path: Path, text: str, **environ: str) -> QqAccount:
    file = tmp_path / "holdfast.toml"
    file.write_text(text)
    bob = load_config(file, {"HOME": str(tmp_path)} | environ).accounts["bob"]
    assert isinstance(bob, QqAccount)
    return bob


def wrong(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        bob_of(tmp_path, text, **environ)
    file = str(tmp_path / "holdfast.toml")
    return [problem.replace(file, "FILE") for problem in caught.value.problems]


def test_an_app_id_is_enough(tmp_path: Path) -> None:
    bob = bob_of(tmp_path, BOB)
    login_file = tmp_path / ".local/share/holdfast/credentials/bob.json"
    assert (bob.secret, bob.secret_file, bob.secret_env) == ("", login_file, "")
    assert (bob.api_url, bob.token_url, bob.proxy) == (API_URL, TOKEN_URL, None)
    mask = sum(1 << INTENTS[name] for name in UNAPPROVED)
    gateway = GatewayPolicy(intents=mask, shard=0, shards=1)
    assert bob.policy == replace(qq.POLICY, gateway=gateway)


def test_all_that_can_be_said_is_taken(tmp_path: Path) -> None:
    text = f"""{BOB}
        secret_env = "BOB_SECRET"
        api_url = "http://127.0.0.1:9000/"
        token_url = "http://127.0.0.1:9000/token"
        intents = ["group_and_c2c", "interaction"]
        shard = [1, 3]
        proxy = "http://proxy.example:3128"
        [accounts.bob.policy.gateway]
        dial_timeout_ms = 7000
        """
    bob = bob_of(tmp_path, text)
    assert (bob.secret_env, bob.secret_file) == ("BOB_SECRET", None)
    assert bob.api_url == "http://127.0.0.1:9000"
    assert bob.token_url == "http://127.0.0.1:9000/token"  # noqa: S105 - an address.
    assert bob.policy.gateway == GatewayPolicy(
        intents=100_663_296, shard=1, shards=3, dial_timeout_ms=7_000
    )


def test_the_sandbox_is_another_pair_of_hosts_that_gives_way(tmp_path: Path) -> None:
    bob = bob_of(tmp_path, f"{BOB}sandbox = true\n")
    assert bob.api_url == "https://sandbox.api.sgroup.qq.com"
    assert bob.token_url.startswith("https://bots.qq.com/app/")
    bob = bob_of(tmp_path, f'{BOB}sandbox = true\napi_url = "https://mine"\n')
    assert bob.api_url == "https://mine"
    assert bob_of(tmp_path, f"{BOB}sandbox = false\n").api_url == API_URL


def test_the_environment_gives_lists_with_commas(tmp_path: Path) -> None:
    environ = {f"{ENV_BOB}INTENTS": "guilds, interaction", f"{ENV_BOB}SHARD": "2,4"}
    gateway = bob_of(tmp_path, BOB, **environ).policy.gateway
    assert gateway.intents == 1 | 1 << 26
    assert (gateway.shard, gateway.shards) == (2, 4)


def test_bits_without_a_name_can_be_asked_for_in_the_policy(tmp_path: Path) -> None:
    text = f"{BOB}[policy.gateway]\nintents = 5\n"
    assert bob_of(tmp_path, text).policy.gateway.intents == 5


def test_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    bob = bob_of(tmp_path, f'{BOB}secret = "EXAMPLESECRET"\n')
    assert "EXAMPLE" not in repr(bob)
    (problem,) = wrong(tmp_path, f'{BOB}secret = "EXAMPLE SECRET"\n')
    assert "EXAMPLE" not in problem


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            '[accounts.bob]\nplatform = "qq"\n',
            ["app_id: missing; expected the bot's app id"],
        ),
        (
            '[accounts.bob]\nplatform = "qq"\napp_id = 102000001\n',
            [f"app_id: found 102000001; {RIGHT_APP_ID}"],
        ),
        (
            f'{BOB}secret = "a"\nsecret_env = "B"\n',
            ["secret_env: given beside secret; keep one of them"],
        ),
        (f'{BOB}intents = "guilds"\n', ["intents: found text; expected a list"]),
        (
            f"{BOB}intents = []\n",
            ["intents: found an empty list; expected at least one name"],
        ),
        (
            f'{BOB}intents = ["guild", 7]\n',
            [
                f"intents: {MEANT} Known: {KNOWN}",
                "intents: found 7; expected names in quotes",
            ],
        ),
        (
            f'{BOB}intents = ["what"]\n',
            [f'intents: unknown intent "what"; known here: {KNOWN}'],
        ),
        (f"{BOB}shard = [1, 1]\n", [f"shard: found [1, 1]; {RIGHT_SHARD}"]),
        (f"{BOB}shard = [-1, 1]\n", [f"shard: found [-1, 1]; {RIGHT_SHARD}"]),
        (f"{BOB}shard = [false, 1]\n", [f"shard: found [false, 1]; {RIGHT_SHARD}"]),
        (f'{BOB}shard = ["a"]\n', [f'shard: found ["a"]; {RIGHT_SHARD}']),
        (f"{BOB}shard = 3\n", ["shard: found a number; expected a list"]),
        (f"{BOB}sandbox = 3\n", ["sandbox: found 3; expected true or false"]),
        (f"{BOB}shart = [0, 1]\n", ['shart: unknown key; did you mean "shard"?']),
    ],
)
def test_a_wrong_account_is_refused_in_words(
    tmp_path: Path, text: str, problems: list[str]
) -> None:
    assert wrong(tmp_path, text) == [f"FILE: accounts.bob.{one}" for one in problems]


def test_an_app_is_shared_by_shards_alone(tmp_path: Path) -> None:
    assert wrong(tmp_path, SHARE) == [f"FILE: accounts.eve.app_id: {SHARED}"]
    shards = SHARE.replace("[accounts.eve]", "shard = [0, 2]\n[accounts.eve]")
    assert bob_of(tmp_path, f"{shards}shard = [1, 2]\n").policy.gateway.shards == 2
