"""The vault: which logins it holds, and under which handle."""

from holdfast.io.credentials import Credentials
from holdfast.io.vault import LOGINS_MAX, Vault


class Nothing:
    """A journal that keeps nothing."""

    def value(self, _handle: str) -> bytes | None:
        return None


def login(number: int, host: str = "a.example") -> Credentials:
    return Credentials(token=f"token-{number}", base_url=f"https://{host}")


def test_a_login_is_held_with_its_address_beside_the_one_before() -> None:
    vault = Vault(bytes(32), "alice", Nothing())
    old = vault.hold_login(login(1))
    new = vault.hold_login(login(2, "b.example"))
    assert (vault.login(old), vault.login(new)) == (login(1), login(2, "b.example"))


def test_a_token_that_is_read_at_another_address_has_moved() -> None:
    vault = Vault(bytes(32), "alice", Nothing())
    handle = vault.hold_login(login(1))
    assert vault.hold_login(login(1, "b.example")) == handle
    assert vault.login(handle) == login(1, "b.example")


def test_of_ever_new_logins_the_newest_stay() -> None:
    vault = Vault(bytes(32), "alice", Nothing())
    handles = [vault.hold_login(login(number)) for number in range(LOGINS_MAX)]
    # Read again, the first one is not the oldest any more.
    assert vault.hold_login(login(0)) == handles[0]
    vault.hold_login(login(LOGINS_MAX))
    held = [vault.login(handle) for handle in handles]
    assert held == [login(0), None, *map(login, range(2, LOGINS_MAX))]


def test_of_ever_new_access_tokens_the_newest_stay() -> None:
    vault = Vault(bytes(32), "bob", Nothing())
    handles = [vault.hold_token(f"token-{number}") for number in range(100)]
    assert vault.hold_token("token-99") == handles[-1]
    held = [vault.token(handle) for handle in handles]
    assert held[:84] == [""] * 84
    assert held[84:] == [f"token-{number}" for number in range(84, 100)]
    assert vault.token("") == ""
