"""A backup has all that the settings name, and runs when it is put into an empty home as the README says."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, project_root: Path) -> Path:
    """A home whose settings name files of every kind, one of them outside of it."""
    made = tmp_path / "home"
    assert main(["--home", str(made), "init", "--name", "Shop"]) == 0
    shutil.copytree(project_root / "config" / "carriers", made / "carriers")
    shutil.copytree(project_root / "config" / "mappings", made / "mappings")
    (tmp_path / "places").mkdir()
    places = tmp_path / "places" / "DE.txt"
    places.write_text("DE\t20457\tHamburg\tHamburg\tHH\t\t\t\t\t53.5\t10.0\t4\n", encoding="utf-8")
    (made / "secrets").mkdir()
    (made / "secrets" / "carrier").write_text("s3cret")
    (made / "erp").mkdir()
    (made / "erp" / "orders.csv").write_text("not named, but lying here")
    rules = '[[rules]]\nname = "all"\notherwise = true\nstrategy = "best"\n[strategies.best]\n'
    (made / "rules.toml").write_text(rules)
    with (made / "hansa.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            f'[freight]\npostal_codes = ["{places}"]\n'
            '[carriers."parcel"]\nfile = "carriers/parcel.toml"\n'
            '[carriers."live"]\nkind = "http"\nfile = "carriers/live.toml"\nurl = "https://carrier.example/q"\n'
            'secret_file = "secrets/carrier"\n'
            '[[adapters]]\nname = "erp"\nkind = "csv"\n'
            'options = {folder = "erp", mappings = ["mappings/erp-csv.toml"]}\n'
        )
    return made


def asked(capsys: Captured, home: Path, *arguments: str) -> Any:
    capsys.readouterr()
    assert main(["--home", str(home), "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def restore(made: dict[str, Any], keys: Path, home: Path) -> None:
    """By the README's words."""
    shutil.copytree(made["folder"], home)
    shutil.copytree(keys, home / "keys")
    for name, path in made["outside"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(home / name, path)


def test_a_restored_backup_runs(home: Path, tmp_path: Path, capsys: Captured) -> None:
    before = asked(capsys, home, "config", "check")
    place = ("order", "place", "--number", "C1", "--line", "4012345678901=2", "--country", "DE", "--currency", "EUR")
    assert asked(capsys, home, *place)["state"] == "captured"
    made = asked(capsys, home, "backup", str(tmp_path / "copy"))
    outside = f"outside{tmp_path}/places/DE.txt"
    assert set(made["files"]) == {
        "hansa.db", "hansa.toml", "rules.toml", "carriers/parcel.toml", "carriers/parcel-rates.csv",
        "carriers/live.toml", "mappings/erp-csv.toml", "mappings/items.csv", "mappings/packs.csv", outside,
    }  # fmt: skip
    assert made["outside"] == {outside: str(tmp_path / "places" / "DE.txt")}
    assert made["secrets"] == [str(home / "secrets" / "carrier")]
    shutil.move(home, tmp_path / "lost")
    shutil.rmtree(tmp_path / "places")
    restore(made, tmp_path / "lost" / "keys", home)
    (home / "secrets").mkdir()
    (home / "secrets" / "carrier").write_text("s3cret")
    assert asked(capsys, home, "config", "check") == before
    assert asked(capsys, home, "order", "show", "C1")["customer_orders"][0]["number"] == "C1"
    assert asked(capsys, home, "adapter", "check", "erp")["good"]
    runs(home)


def runs(home: Path) -> None:
    command = [sys.executable, "-m", "node.cli", "--home", str(home), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            seen = []
            for line in running.stderr:
                seen.append(line)
                if "the node is ready" in line:
                    break
            assert running.poll() is None, seen
        finally:
            running.send_signal(signal.SIGTERM)
            running.stderr.read()
        assert running.wait(60) == 0


def test_a_backup_says_what_is_not_in_it(home: Path, tmp_path: Path, capsys: Captured) -> None:
    (home / "rules.toml").write_text("broken")
    capsys.readouterr()
    assert main(["--home", str(home), "backup", str(tmp_path / "copy")]) == 0
    said = capsys.readouterr()
    assert "rules.toml cannot be read as TOML" in said.err
    assert (tmp_path / "copy" / "rules.toml").read_text() == "broken"
    assert f"the private keys in {home / 'keys'}, {home / 'secrets' / 'carrier'}" in said.out
    assert f"goes to {tmp_path / 'places' / 'DE.txt'}" in said.out
    assert not list((tmp_path / "copy").rglob("*secret*"))
    assert not (tmp_path / "copy" / "keys").exists()
    assert not (tmp_path / "copy" / "erp").exists()


def test_a_backup_without_its_postgresql_database_says_how_that_is_copied(
    home: Path, tmp_path: Path, capsys: Captured, postgres_url: str
) -> None:
    with (home / "hansa.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'[database]\nurl = "{postgres_url}"\n')
    assert main(["--home", str(home), "init", "--name", "Shop"]) == 0
    capsys.readouterr()
    assert main(["--home", str(home), "backup", str(tmp_path / "copy")]) == 0
    said = capsys.readouterr().out
    assert "the database is not in it" in said
    assert "pg_dump --format=custom" in said
    assert "pg_restore" in said
    assert (tmp_path / "copy" / "rules.toml").exists()
    assert not (tmp_path / "copy" / "hansa.db").exists()
    made = asked(capsys, home, "backup", str(tmp_path / "another"))
    assert "hansa.db" not in made["files"]
    assert made["copy_database_by"].startswith("pg_dump ")
