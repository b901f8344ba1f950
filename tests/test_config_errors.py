"""Configuration that is wrong: what a user reads, all of it at once, and no secret."""

from pathlib import Path

import pytest

from holdfast.io.config import ConfigError, load_config

# What is wrong; the file; what is said about it, where FILE is its path and an indented
# line goes on with the one before.
TRANSCRIPT = r"""
# a statement that is no TOML
[service]
listen = oops
----
FILE:2:10: is not TOML: Invalid value

# a text without its end
a = "
----
FILE:1:6: is not TOML: Illegal character '\n'

# a repeated table whose name is a token
["b1c2d3e4f5a6@im.bot:0600dd44"]
["b1c2d3e4f5a6@im.bot:0600dd44"]
----
FILE:2:32: is not TOML: a value that is not shown here

# unknown names, and a key above its table
listen = "127.0.0.1:1"
[acounts.alice]
[service]
lisen = "127.0.0.1:1"
----
FILE: listen: belongs under [service]
FILE: acounts: unknown table; did you mean "accounts"?
FILE: service.lisen: unknown key; did you mean "listen"?

# a key like no other
[service]
verbose = true
----
FILE: service.verbose: unknown key; known here: data_dir, listen, api_token_file

# a key of two lines
[service]
"a\nb" = 1
----
FILE: service."a\nb": unknown key; known here: data_dir, listen, api_token_file

# values in place of tables
service = "x"
policy = 1.5
[accounts]
alice = true
----
FILE: service: found text; expected a table [service]
FILE: policy: found a number; expected a table [policy]
FILE: accounts.alice: found true or false; expected a table [accounts.alice]

# an address without its port
[service]
listen = "127.0.0.1"
----
FILE: service.listen: found "127.0.0.1";
  expected HOST:PORT such as "127.0.0.1:8710", or no such key

# a port that does not exist
[service]
listen = "127.0.0.1:65536"
----
FILE: service.listen: found "127.0.0.1:65536";
  expected HOST:PORT such as "127.0.0.1:8710", or no such key

# values of the wrong sort
[service]
data_dir = 5
listen = [1]
api_token_file = 1979-05-27
----
FILE: service.data_dir: found 5; expected a path
FILE: service.listen: found a list;
  expected HOST:PORT such as "127.0.0.1:8710", or no such key
FILE: service.api_token_file: found a date or time; expected a path

# paths that cannot be
[service]
data_dir = ""
api_token_file = "a\u0000"
----
FILE: service.data_dir: found ""; expected a path
FILE: service.api_token_file: found "a\x00"; expected a path

# an account without platform
[accounts.alice]
----
FILE: accounts.alice.platform: missing; expected "weixin" or "qq"

# a platform that nobody knows
[accounts.bob]
platform = 7
----
FILE: accounts.bob.platform: found 7; expected "weixin" or "qq"

# names that are no names
[accounts."a b"]
[accounts.".."]
----
FILE: accounts."a b": an account's name is 1 to 64 letters, digits,
  hyphens, dots and _
FILE: accounts."..": an account's name is 1 to 64 letters, digits,
  hyphens, dots and _

# addresses that are none
[accounts.alice]
platform = "weixin"
base_url = "ftp://host"
cdn_url = "https://ann:pw@host"
----
FILE: accounts.alice.base_url: found "ftp://host";
  expected an address such as "https://host/path", without query or password
FILE: accounts.alice.cdn_url: found a value that is not shown here;
  expected an address such as "https://host/path", without query or password

# headers that cannot be sent
[accounts.alice]
platform = "weixin"
bot_agent = "Shop"
route_tag = 7
account_id = "a b"
----
FILE: accounts.alice.bot_agent: found "Shop"; expected "Name/Version",
  perhaps "(comment)", again after a space; at most 256 bytes
FILE: accounts.alice.route_tag: found 7;
  expected printable ASCII in quotes, at most 256 characters
FILE: accounts.alice.account_id: found "a b";
  expected a bot id such as "a1b2c3d4e5f6@im.bot"

# a token in the place of everything else
[accounts.alice]
platform = "weixin"
token_file = "b1c2d3e4f5a6@im.bot:0600dd44"
account_id = "b1c2d3e4f5a6@im.bot:0600dd44"
"b1c2d3e4f5a6@im.bot:0600dd44" = 1
----
FILE: accounts.alice.account_id: found a value that is not shown here;
  expected a bot id such as "a1b2c3d4e5f6@im.bot"
FILE: accounts.alice."…": unknown key; known here: platform, proxy, base_url, cdn_url,
  account_id, token, token_file, token_env, route_tag, bot_agent, policy
FILE: accounts.alice.token_file: found a value that is not shown here;
  expected a path, or write token = …

# secrets that cannot be sent
[accounts.alice]
platform = "weixin"
token = "hunter2 "
proxy = "hunter2"
----
FILE: accounts.alice.token: found a value that is not shown here;
  expected printable ASCII without spaces
FILE: accounts.alice.proxy: found a value that is not shown here;
  expected an address such as "http://user:password@host:3128"

# a token instead of its variable
[accounts.alice]
platform = "weixin"
token_env = "b1c2d3e4f5a6@im.bot:0600dd44"
----
FILE: accounts.alice.token_env: found a value that is not shown here;
  expected the name of an environment variable

# three tokens
[accounts.alice]
platform = "weixin"
token = "a"
token_file = "b"
token_env = "C"
----
FILE: accounts.alice.token_file: given beside token; keep one of them
FILE: accounts.alice.token_env: given beside token; keep one of them

# two accounts on one login
[accounts.alice]
platform = "weixin"
token_file = "t"
[accounts.bob]
platform = "weixin"
token_file = "t"
----
FILE: accounts.bob.token_file: the same as for alice; a login serves one account

# unknown sections of the policy
[policy.sesion]
[accounts.alice]
platform = "weixin"
[accounts.alice.policy.pol]
----
FILE: policy.sesion: unknown section; did you mean "session"?
FILE: accounts.alice.policy.pol: unknown section; did you mean "poll"?

# numbers out of range
[policy.session]
backoff_ms_first = 0
backoff_ms_max = nan
probes_before_login = "many"
slow_probe_ms = true
----
FILE: policy.session.backoff_ms_first: found 0;
  expected a whole number of milliseconds from 1 to 31622400000
FILE: policy.session.backoff_ms_max: found nan;
  expected a whole number of milliseconds from 1 to 31622400000
FILE: policy.session.probes_before_login: found "many";
  expected a whole number from 1 to 100
FILE: policy.session.slow_probe_ms: found true;
  expected a whole number of milliseconds from 1 to 31622400000

# a number that no recording can hold
[policy.journal]
retention_bytes = 0xffffffffffffffff
----
FILE: policy.journal.retention_bytes: found a number too large;
  expected a whole number from 1000000 on

# neither true nor false
[policy.delivery]
refusal_blames_context = "maybe"
----
FILE: policy.delivery.refusal_blames_context: found "maybe"; expected true or false

# a first step above the cap
[policy.connection]
backoff_ms_first = 40000
[policy.session]
backoff_ms_max = 4999
----
FILE: policy.connection.backoff_ms_first: found 40000;
  expected at most backoff_ms_max, which is 30000
FILE: policy.session.backoff_ms_max: found 4999;
  expected at least backoff_ms_first, which is 5000
"""
CASES = dict(block.split("\n", 1) for block in TRANSCRIPT.strip().split("\n\n"))


def problems(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(file, {})
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [text.replace(f"{file}:", "FILE:") for text in caught.value.problems]


@pytest.mark.parametrize("what", CASES)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, what: str) -> None:
    text, expected = CASES[what].split("----\n")
    file = tmp_path / "holdfast.toml"
    file.write_text(text)
    assert problems(file) == expected.replace("\n  ", " ").splitlines()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "9" * 5000, "FILE: holds a number too large"),
        ("a = " + "[" * 9999, "FILE: is nested too deeply"),
        (
            f"[service]\ndata_dir = 0x{'f' * 9999}",
            "FILE: service.data_dir: found a number too large; expected a path",
        ),
        ("#" * (1024 * 1024 + 1), "FILE: is larger than 1 MiB"),
    ],
    ids=["digits", "brackets", "bits", "bytes"],
)
def test_a_file_with_too_many_of_something_is_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text(text)
    assert problems(file) == [problem]


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_bytes("# one\n# two\n# größer\n".encode("latin-1"))
    assert problems(file) == ["FILE:3: is not UTF-8 text"]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path / "none") == ["FILE: there is no such file"]
    assert problems(tmp_path) == ["FILE: cannot be read: Is a directory"]
