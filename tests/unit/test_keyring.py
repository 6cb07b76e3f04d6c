"""Private keys on disk: only for their owner, whole or not at all, and errors that name the file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from node.errors import ConfigError
from node.keyring import Keyring, passphrase_from, verify
from tests.companies import CountedRandom


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys"


def test_keys_are_found_again_newest_first(folder: Path) -> None:
    token = CountedRandom("keys").token
    made = [Keyring(folder).new_signing(token) for _ in range(3)]
    again = Keyring(folder)
    assert again.key_ids() == [one.key_id for one in reversed(made)]
    for one in made:
        signature = again.signer(one.key_id).sign(b"word")
        assert verify(one.public_key, signature, b"word")
        assert not verify(one.public_key, signature, b"other word")
    assert not verify(b"short", bytes(64), b"")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_tls_keys_are_found_again(folder: Path) -> None:
    first, second = Keyring(folder).new_tls(), Keyring(folder).new_tls()
    again = Keyring(folder)
    assert again.newest_tls().spki_sha256 == second.spki_sha256
    assert b"BEGIN PRIVATE KEY" in again.tls(first.spki_sha256).private_key_pem
    again.drop(key_ids=frozenset(), pins=frozenset({first.spki_sha256}))
    with pytest.raises(ConfigError, match="there is no file tls"):
        again.tls(first.spki_sha256)


def test_passphrase(folder: Path) -> None:
    ring = Keyring(folder, b"open sesame")
    signer, tls = ring.new_signing(CountedRandom("keys").token), ring.new_tls()
    again = Keyring(folder, b"open sesame")
    assert again.signer(signer.key_id).public_key == signer.public_key
    assert again.tls(tls.spki_sha256).spki_sha256 == tls.spki_sha256
    with pytest.raises(ConfigError, match="the passphrase is wrong"):
        Keyring(folder, b"open barley").signer(signer.key_id)
    with pytest.raises(ConfigError, match="no passphrase is given") as caught:
        Keyring(folder).tls(tls.spki_sha256)
    assert "HANSA_PASSPHRASE" in caught.value.hint


def test_a_database_that_is_older_than_the_keys_is_thought_of(folder: Path) -> None:
    """Keys that are in force no more are deleted: a copy of the database from before knows no other."""
    random = CountedRandom("keys")
    first = Keyring(folder).new_signing(random.token)
    next(folder.iterdir()).unlink()
    with pytest.raises(ConfigError) as caught:
        Keyring(folder).signer(first.key_id)
    assert "older copy" not in caught.value.hint
    Keyring(folder).new_signing(random.token)
    with pytest.raises(ConfigError, match="there is no file signing") as caught:
        Keyring(folder).signer(first.key_id)
    assert "older copy" in caught.value.hint


def test_a_hint_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    signer = Keyring(tmp_path / "our shop").new_signing(CountedRandom("keys").token)
    (path,) = (tmp_path / "our shop").iterdir()
    path.chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        Keyring(tmp_path / "our shop").signer(signer.key_id)
    assert caught.value.hint.startswith(f"Run `chmod 600 '{path}'`")


def test_keys_that_others_can_read_are_refused(folder: Path) -> None:
    signer = Keyring(folder).new_signing(CountedRandom("keys").token)
    path = next(folder.iterdir())
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="open to other users") as caught:
        Keyring(folder).signer(signer.key_id)
    assert caught.value.hint.startswith(f"Run `chmod 600 {path}`")
    path.chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="mode 0755, expected 0700"):
        Keyring(folder).key_ids()


@pytest.mark.parametrize("text", [b"", b"no PEM", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_damaged_files_are_named(folder: Path, text: bytes) -> None:
    signer = Keyring(folder).new_signing(CountedRandom("keys").token)
    path = next(folder.iterdir())
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=path.name):
        Keyring(folder).signer(signer.key_id)


def test_a_file_under_another_keys_name_is_refused(folder: Path) -> None:
    token = CountedRandom("keys").token
    one, other = Keyring(folder).new_signing(token), Keyring(folder).new_signing(token)
    first, second = sorted(folder.iterdir())
    first.write_bytes(second.read_bytes())
    with pytest.raises(ConfigError, match="does not hold"):
        Keyring(folder).signer(one.key_id)
    assert Keyring(folder).signer(other.key_id).key_id == other.key_id


def test_missing_keys_are_named(folder: Path) -> None:
    assert Keyring(folder).key_ids() == []
    with pytest.raises(ConfigError, match="no TLS key"):
        Keyring(folder).newest_tls()
    with pytest.raises(ConfigError, match=r"signing-\*-0123456789abcdef\.pem"):
        Keyring(folder).signer("0123456789abcdef")


def test_leftovers_of_a_crash_are_no_keys(folder: Path) -> None:
    Keyring(folder).new_tls()
    (folder / "signing-0001-0123456789abcdef.new").write_bytes(b"half")
    assert Keyring(folder).key_ids() == []


def test_where_the_passphrase_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from a file\n", encoding="utf-8")
    assert passphrase_from({}) is None
    assert passphrase_from({"HANSA_PASSPHRASE": "plain"}) == b"plain"
    assert passphrase_from({"HANSA_PASSPHRASE_FILE": str(file)}) == b"from a file"
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is empty"):
        passphrase_from({"HANSA_PASSPHRASE_FILE": str(file)})
    with pytest.raises(ConfigError, match="cannot be read"):
        passphrase_from({"HANSA_PASSPHRASE_FILE": str(tmp_path / "nowhere")})
