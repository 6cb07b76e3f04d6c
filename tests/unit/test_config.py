"""Settings: defaults, strict reading, references to secrets, and the manual."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from node import wire
from node.config import Settings, describe, home_folder, load, parse
from node.config.rules import load_rules
from node.errors import ConfigError

HOME = Path("/home/of/node")


def test_defaults_need_no_file(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings == Settings(home=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/hansa.db"
    assert (settings.limits.batch_bytes, settings.limits.batch_documents, settings.limits.batches_in_flight) == (
        262_144,
        512,
        2,
    )


def test_defaults_are_within_their_bounds() -> None:
    limits = Settings().limits
    about = {one.name: one.metadata for one in dataclasses.fields(limits)}
    assert all(one["least"] <= getattr(limits, name) <= one["most"] for name, one in about.items())


def test_a_full_batch_fits_a_frame() -> None:
    """A document may come on top of a batch that is nearly full."""
    about = {one.name: one.metadata for one in dataclasses.fields(Settings().limits)}
    assert about["batch_bytes"]["most"] + wire.DOCUMENT_BYTES_MAX < wire.FRAME_BYTES_MAX


def test_the_example_is_read_whole(project_root: Path) -> None:
    text = (project_root / "config" / "hansa.example.toml").read_text(encoding="utf-8")
    settings = parse(text, HOME)
    assert set(tomllib.loads(text)) == {one.name for one in dataclasses.fields(Settings)} - {"home", "limits"}
    assert settings.adapter("shop").options == {"folder": "erp", "mappings": ["mappings/shop.toml"]}
    assert settings.partner("0088:4006381333931").price_percent == Decimal("0.5")
    assert settings.partner("0088:0000000000000").days_late is None
    assert [rule.figure for rule in settings.sharing.rules] == ["hidden", "exact", "capped"]
    assert settings.retention.days == {"InventoryReport": 90}


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[node\n", "", "not TOML"),
        ("node = 3", "node", "a table"),
        ("[nodes]", "nodes", "not known"),
        ("[node]\nlisten = 7420", "node.listen", "text"),
        ('[node]\nlisten = "here"', "node.listen", "host:port"),
        ("[node]\ngrace_seconds = true", "node.grace_seconds", "whole number"),
        ("[node]\ngrace_seconds = -1", "node.grace_seconds", "0 to 600 s"),
        ("[limits]\nbatch_bytes = 1.5", "limits.batch_bytes", "whole number"),
        ('[log]\nlevel = "loud"', "log.level", "debug, info, warning, error"),
        ('[database]\nurl = "sqlite://"\nurl_env = "X"', "database.url_env", "at most one"),
        ("[adapters]\nname = 1", "adapters", "list"),
        ('[[adapters]]\nname = "a"', "adapters[0].kind", "missing"),
        (
            '[[adapters]]\nname = "a"\nkind = "csv"\n[[adapters]]\nname = "a"\nkind = "sql"',
            "adapters[1].name",
            "no other",
        ),
        ('[[adapters]]\nname = "a"\nkind = "csv"\ndocuments = [1]', "adapters[0].documents[0]", "text"),
        ('[[sharing.rules]]\nfigure = "all"', "sharing.rules[0].figure", "exact"),
        ('[[sharing.rules]]\nfigure = "capped"', "sharing.rules[0].cap", "above 0"),
        ('[[sharing.rules]]\nfigure = "band"', "sharing.rules[0].bands", "lower ends"),
        ('[[sharing.rules]]\nfigure = "band"\nbands = [5, 5]', "sharing.rules[0].bands", "larger"),
        ("[retention.days]\nOrder = 0", 'retention.days."Order"', "1 to"),
        ('[partners."0088:1"]\nprice_percent = "1"', 'partners."0088:1".price_percent', "number"),
        ('[partners."0088:1"]\nprice_percent = nan', 'partners."0088:1".price_percent', ""),
        ('[partners."0088:1"]\nincoterms = "FOT"', 'partners."0088:1".incoterms', "EXW, FCA"),
        ('[partners."0088:1"]\nincoterms_place = "Kiel"', 'partners."0088:1".incoterms', "a rule"),
        ('[partners."0088:1"]\ndiscount_percent = 2', 'partners."0088:1".discount_days', "both"),
        ('[partners."0088:1"]\ndays_late = true', 'partners."0088:1".days_late', "whole number"),
        ('[partners."0088:1"]\ncolour = 1', 'partners."0088:1".colour', "not known"),
    ],
)
def test_errors_name_file_key_and_what_was_expected(text: str, key: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, HOME)
    assert caught.value.message.startswith(f"{HOME}/hansa.toml: {key}")
    assert expected in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "hansa.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "hansa.toml").write_bytes(b'\xef\xbb\xbf[node]\r\nlisten = "127.0.0.1:7420"\r\n')
    assert load(tmp_path).node.listen == "127.0.0.1:7420"
    (tmp_path / "rules.toml").write_text('[[rules]]\nname = "all"\notherwise = true\nstrategy = "s"\n[strategies.s]\n')
    plain = load_rules(tmp_path / "rules.toml")
    (tmp_path / "rules.toml").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "rules.toml").read_bytes())
    assert load_rules(tmp_path / "rules.toml") == plain


def test_secrets_are_referred_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_name = parse('[database]\nurl_env = "HANSA_TEST_URL"', tmp_path)
    with pytest.raises(ConfigError, match="HANSA_TEST_URL"):
        _ = by_name.database_url
    monkeypatch.setenv("HANSA_TEST_URL", "postgresql://host/name")
    assert by_name.database_url == "postgresql://host/name"
    by_file = parse('[database]\nurl_file = "secret"', tmp_path)
    with pytest.raises(ConfigError, match="secret cannot be read"):
        _ = by_file.database_url
    (tmp_path / "secret").write_text("postgresql://other/name\n")
    assert by_file.database_url == "postgresql://other/name"


def test_an_unknown_adapter_names_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        parse('[[adapters]]\nname = "shop"\nkind = "csv"', HOME).adapter("ship")
    assert "shop" in caught.value.hint


def test_home_is_asked_for_then_environment_then_default() -> None:
    assert home_folder("/a", {"HANSA_HOME": "/b"}) == Path("/a")
    assert home_folder(None, {"HANSA_HOME": "/b"}) == Path("/b")
    assert home_folder(None, {}) == Path("~/.hansa").expanduser()


def test_the_manual_has_every_setting() -> None:
    text = describe()
    for section in dataclasses.fields(Settings):
        if section.name != "home":
            assert f"[{section.name}" in text
    for one in dataclasses.fields(Settings().limits):
        assert f"| `{one.name}` | `{getattr(Settings().limits, one.name)}` |" in text


def test_the_committed_manual_is_the_codes(project_root: Path, tmp_path: Path) -> None:
    script = str(project_root / "scripts" / "gen_docs")
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0
    other = tmp_path / "README.md"
    other.write_text("old")
    check = [sys.executable, script, "--check", "--out", str(other)]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 1
    subprocess.run([sys.executable, script, "--out", str(other)], check=True, capture_output=True)
    assert subprocess.run(check, check=False).returncode == 0


def test_every_setting_has_a_reader(project_root: Path) -> None:
    """A setting that nothing in the node reads would be a lie."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (project_root / "node").rglob("*.py")
        if "config" not in path.relative_to(project_root / "node").parts
    )
    sections = [one.name for one in dataclasses.fields(Settings) if one.name != "database"]  # `database_url` reads it
    names = [one.name for section in sections for one in _inner(section)]
    assert [name for name in names if f".{name}" not in code and f'"{name}"' not in code] == []


def _inner(section: str) -> tuple[dataclasses.Field[object], ...]:
    value = getattr(Settings(), section)
    return dataclasses.fields(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else ()
