"""The command on a home of its own: from init to orders without a running node, and what it says when it cannot."""

from __future__ import annotations

import io
import json
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node import control
from node.cli import main
from node.errors import UnavailableError

GLN = "0088:4012345000009"
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def hansa(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the home; gives exit code, parsed JSON (or None) and standard error."""

    def run(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = main(["--home", str(home), "--json", *arguments])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else None, said.err

    return run


@pytest.fixture
def shop(hansa: Run) -> dict[str, Any]:
    code, made, _ = hansa(
        "init", "--id", GLN, "--name", "Shop", "--listen", "127.0.0.1:7420", "--email", "o@shop.example"
    )
    assert code == 0
    return dict(made)


def test_a_home_is_private_and_made_once(home: Path, shop: dict[str, Any], hansa: Run) -> None:
    assert shop["id"] == GLN
    assert len(shop["recovery_key"]) > 50
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in (home / "hansa.toml", home / "hansa.db", *(home / "keys").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    settings = (home / "hansa.toml").read_text()
    assert 'listen = "127.0.0.1:7420"' in settings
    code, _, said = hansa("init", "--name", "Other")
    assert code == 2
    assert "already" in json.loads(said)["error"]["message"]
    assert (home / "hansa.toml").read_text() == settings


def test_an_address_that_nobody_can_dial_is_no_card(home: Path, hansa: Run) -> None:
    code, _, said = hansa("init", "--name", "Shop", "--listen", "0.0.0.0:7420")
    assert (code, home.exists()) == (2, False)
    assert "--advertise" in json.loads(said)["error"]["hint"]
    assert hansa("init", "--name", "Shop", "--listen", "0.0.0.0:7420", "--advertise", "shop.example:7420")[0] == 0
    assert hansa("partner", "card")[1]["endpoint"] == "shop.example:7420"


def test_a_card_can_change(shop: dict[str, Any], hansa: Run) -> None:
    code, told, _ = hansa("partner", "card", "--set-endpoint", "new.example:7421", "--set-name", "New Shop")
    assert code == 0
    assert (told["endpoint"], told["name"], told["sequence"]) == ("new.example:7421", "New Shop", 2)
    assert told["fingerprint"] == shop["fingerprint"]
    assert hansa("partner", "card", "--set-endpoint", "-")[1]["endpoint"] == ""
    assert hansa("partner", "card", "--set-endpoint", "nowhere")[0] == 2


def test_status_without_a_node_says_so(shop: dict[str, Any], hansa: Run) -> None:
    code, told, _ = hansa("status")
    assert (code, told["running"], told["id"]) == (4, False, GLN)


def test_what_needs_a_node_says_so(shop: dict[str, Any], hansa: Run, tmp_path: Path) -> None:
    main(["--home", str(tmp_path / "other"), "init", "--name", "Other"])
    main(["--home", str(tmp_path / "other"), "partner", "card", "--out", str(tmp_path / "card")])
    code, partner, _ = hansa("partner", "add", str(tmp_path / "card"))
    assert code == 0
    code, _, said = hansa("partner", "ping", partner["id"])
    assert code == 4
    assert "hansa run" in json.loads(said)["error"]["hint"]
    code, _, said = hansa("order", "place", "--partner", partner["id"], "--number", "1", "--line", "A=1")
    assert (code, json.loads(said)["error"]["code"]) == (3, "not-confirmed")
    assert hansa("partner", "revoke", partner["id"])[0] == 3
    assert hansa("partner", "revoke", partner["id"], "--yes")[1]["state"] == "revoked"


def test_a_card_can_be_pasted(
    shop: dict[str, Any], hansa: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = hansa("partner", "card")[1]["card"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(card.encode())))
    code, _, said = hansa("partner", "add", "-")
    assert (code, json.loads(said)["error"]["code"]) == (3, "own-card")


def test_no_home_and_no_file_are_named(hansa: Run, home: Path, tmp_path: Path) -> None:
    code, _, said = hansa("status")
    assert code == 2
    assert str(home) in json.loads(said)["error"]["message"]
    code, _, said = hansa("config", "check")
    assert code == 0
    home.mkdir()
    (home / "hansa.toml").write_text("[node]\nlisten = 3\n")
    code, _, said = hansa("config", "check")
    assert code == 2
    assert "node.listen" in json.loads(said)["error"]["message"]
    code, _, said = hansa("evidence", "verify", str(tmp_path / "none"))
    assert code == 2


def test_a_rule_of_sharing_that_can_never_match_is_named(hansa: Run, home: Path) -> None:
    home.mkdir()
    rules = '[[sharing.rules]]\nitem = "A*"\nfigure = "exact"\n[[sharing.rules]]\nitem = "A1"\nfigure = "hidden"\n'
    (home / "hansa.toml").write_text(rules)
    code, told, _ = hansa("config", "check")
    assert code == 0
    (warning,) = told["warnings"]
    assert "sharing.rules[1]: rules[0] already matches" in warning


def test_an_adapter_that_cannot_be_made_is_named_by_the_check(hansa: Run, home: Path) -> None:
    home.mkdir()
    (home / "hansa.toml").write_text('[[adapters]]\nname = "erp"\nkind = "csv"\noptions = {mappings = ["m.toml"]}\n')
    code, _, said = hansa("config", "check")
    assert code == 2
    assert "m.toml" in json.loads(said)["error"]["message"]
    (home / "m.toml").write_text("")
    code, _, said = hansa("config", "check")
    assert code == 2
    assert "'folder' is missing" in json.loads(said)["error"]["message"]
    (home / "hansa.toml").write_text('[[adapters]]\nname = "erp"\nkind = "jsonl"\noptions = {folder = "erp"}\n')
    assert hansa("config", "check")[0] == 0
    assert sorted(path.name for path in home.iterdir()) == ["hansa.toml", "m.toml"], "a check makes nothing"


def test_an_order_that_nobody_knows_is_not_confirmed(shop: dict[str, Any], hansa: Run) -> None:
    for more in ((), ("--refuse", "--reason", "too dear"), ("--line", "1")):
        code, _, said = hansa("order", "confirm", "PO-9", *more)
        assert (code, json.loads(said)["error"]["code"]) == (3, "unknown-order")


def test_evidence_is_verified_without_a_node(shop: dict[str, Any], hansa: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    main(["--home", str(other), "init", "--name", "Other"])
    main(["--home", str(other), "partner", "card", "--out", str(tmp_path / "card")])
    partner = hansa("partner", "add", str(tmp_path / "card"))[1]
    file = str(tmp_path / "proof")
    assert hansa("evidence", "export", partner["id"], "--out", file)[0] == 0
    expect = ["--expect", f"{GLN}={shop['fingerprint']}", "--expect", f"{partner['id']}={partner['fingerprint']}"]
    assert hansa("evidence", "verify", file, *expect)[:2][0] == 0
    code, told, _ = hansa("evidence", "verify", file)
    assert (code, told["sound"]) == (1, False)
    assert hansa("evidence", "verify", file, "--expect", "nonsense")[0] == 3


def test_an_adapter_sends_nothing_before_a_yes(shop: dict[str, Any], hansa: Run, home: Path) -> None:
    with (home / "hansa.toml").open("a") as settings:
        settings.write('\n[[adapters]]\nname = "erp"\nkind = "jsonl"\noptions = {folder = "erp"}\n')
        settings.write('\n[[adapters]]\nname = "odd"\nkind = "telepathy"\n')
    assert "telepathy" in json.loads(hansa("config", "check")[2])["error"]["message"]
    assert hansa("adapter", "list")[1]["adapters"][0]["started"] is False
    assert hansa("adapter", "check", "erp")[1]["good"] is True
    assert hansa("adapter", "preview", "erp")[1]["documents"] == []
    code, _, said = hansa("adapter", "pull", "erp")
    assert (code, json.loads(said.splitlines()[-1])["error"]["code"]) == (3, "not-started")
    assert hansa("adapter", "start", "erp")[0] == 3
    assert hansa("adapter", "start", "erp", "--yes", "--start-from", "2026-12-01")[1] == {
        "name": "erp",
        "started": True,
    }
    assert hansa("adapter", "start", "erp", "--yes")[0] == 3
    assert hansa("adapter", "pull", "erp")[1]["documents"] == 0
    code, _, said = hansa("adapter", "check", "odd")
    assert code == 2
    assert "csv" in json.loads(said)["error"]["hint"]


def test_keys_are_rotated_revoked_and_recovered(shop: dict[str, Any], hansa: Run, tmp_path: Path) -> None:
    first = hansa("key", "list")[1]["keys"][0]["key_id"]
    assert len(hansa("key", "rotate")[1]["keys"]) == 2
    code, told, _ = hansa("key", "revoke", first, "--reason", "stolen", "--yes")
    assert code == 0
    assert [one["in_force"] for one in told["keys"] if one["key_id"] == first] == [False]
    secret = tmp_path / "recovery"
    secret.write_text(shop["recovery_key"] + "\n")
    code, told, _ = hansa("key", "recover", "--recovery-key", str(secret), "--reason", "disk lost")
    assert code == 0
    assert sum(one["in_force"] for one in told["keys"]) == 1


def test_a_backup_can_be_used(shop: dict[str, Any], hansa: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert set(hansa("backup", str(copy))[1]["files"]) == {"hansa.db", "hansa.toml"}
    assert main(["--home", str(copy), "status"]) == 4


def test_one_process_at_a_time(shop: dict[str, Any], hansa: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE_SECONDS", 0.0)
    with control.exclusive(home):
        code, _, said = hansa("status")
    assert code == 4
    assert "another process" in json.loads(said)["error"]["message"]


def test_a_second_node_on_a_home_is_told_of_the_first(
    shop: dict[str, Any], hansa: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PATIENCE_SECONDS", 0.0)
    with socket.socket(socket.AF_UNIX) as node, control.exclusive(home):
        monkeypatch.chdir(home)
        node.bind(control.SOCKET_NAME)
        node.listen()
        with (
            pytest.raises(UnavailableError, match=r"a node is running on .* already") as caught,
            control.exclusive(home, 0),
        ):
            pass
    assert "hansa status" in caught.value.hint


def test_text_for_people(shop: dict[str, Any], home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["--home", str(home), "status"]) == 4
    said = capsys.readouterr().out
    assert f"Shop ({GLN}) is not running" in said
    assert "\x1b" not in said
    assert main(["--home", str(home), "order", "show", "X"]) == 3
    assert capsys.readouterr().err.startswith("hansa: no order 'X' is known\n       ")
