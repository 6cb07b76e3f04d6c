"""Files that no adapter could read: told to people, kept for as long as the settings say, then deleted with a word."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.base import Adapter, Quarantines
from node.app import operations
from node.app.systems import loading, quarantine
from node.config import parse
from node.core.rows import CursorRow
from tests.companies import Company
from tests.integration.test_cli_operations import Desk

SETTINGS = """
[retention]
quarantine_days = {days}
[[adapters]]
name = "erp"
kind = "{kind}"
options = {{folder = "erp", ready = "done"{mappings}}}
"""


LINE_MAX = 16 * 1024 * 1024
"""Bytes of the longest line that the JSON lines adapter takes."""

MAPPING = """
[[pull]]
name = "o"
document = "Order"
files = "*.csv"
key = ["NO"]
[pull.fields]
header.number = "NO"
"""


class WithAdapter(Desk):
    """A desk whose adapter is a real one."""

    @contextlib.contextmanager
    def adapter(self, name: str, start_from: str = "") -> Iterator[Adapter]:
        settings = self.ctx.settings
        made = loading.open_adapter(settings, settings.adapter(name), self.ctx.clock, start_from)
        with contextlib.closing(made):
            yield made


def desk_of(company: Company, tmp_path: Path, kind: str, days: int = 30) -> WithAdapter:
    (tmp_path / "m.toml").write_text(MAPPING)
    text = SETTINGS.format(kind=kind, days=days, mappings=', mappings = ["m.toml"]' if kind == "csv" else "")
    company.ctx = replace(company.ctx, settings=parse(text, tmp_path))
    company.store.write(lambda tx: tx.settings.put_cursor(CursorRow("erp", "", 1, company.ctx.now_micros())))
    return WithAdapter(company)


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [("csv", "bad.csv", b'NO\n"1;never closed'), ("jsonl", "bad.jsonl", b"x" * (LINE_MAX + 1))],
    ids=["csv", "jsonl"],
)
def test_unread_files_are_told_and_go_when_their_time_is_over(
    tmp_path: Path,
    kind: str,
    name: str,
    text: bytes,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = desk_of(Company(tmp_path, "shop"), tmp_path, kind)
    inbox = tmp_path / "erp" / "in"
    inbox.mkdir(parents=True)
    (inbox / name).write_bytes(text)
    (inbox / f"{name}.done").touch()
    assert desk.do("adapter.list")["adapters"][0]["quarantine"] == {"files": 0, "since": ""}
    for _ in range(2):
        operations.run(desk, "adapter.pull", {"name": "erp"}, lambda *_: None)
    folder = tmp_path / "erp" / "quarantine"
    there = sorted(path.name for path in folder.iterdir())
    assert there == [name, f"{name}.findings.csv"]
    capsys.readouterr()
    told = desk.do("adapter.list")["adapters"][0]["quarantine"]
    assert told["files"] == 1
    assert f"1, the oldest since {told['since'].replace('T', ' ').removesuffix('Z')}" in capsys.readouterr().out
    with desk.adapter("erp") as adapter, caplog.at_level(logging.WARNING):
        assert isinstance(adapter, Quarantines)
        since = adapter.quarantined().since
        assert since is not None
        # On the last day everything stays.
        desk.company.clock.move(seconds=(since - desk.ctx.now()).total_seconds() + timedelta(days=30).total_seconds())
        assert quarantine.empty(desk.ctx, "erp", adapter) == 0
        assert len(list(folder.iterdir())) == 2
        desk.company.clock.move(seconds=3600)
        assert quarantine.empty(desk.ctx, "erp", adapter) == 1
        assert list(folder.iterdir()) == []
        quarantine.note(desk.store, "erp", adapter)
    assert "deleted 1 files that could not be read: they lay in quarantine for more than 30 days" in caplog.text
    assert desk.do("adapter.list")["adapters"][0]["quarantine"]["files"] == 0


def test_nothing_is_deleted_where_the_settings_say_never(tmp_path: Path) -> None:
    desk = desk_of(Company(tmp_path, "shop"), tmp_path, "jsonl", days=0)
    folder = tmp_path / "erp" / "quarantine"
    folder.mkdir(parents=True)
    (folder / "bad.jsonl").write_text("x")
    desk.company.clock.move(seconds=(datetime(2190, 1, 1, tzinfo=UTC) - desk.ctx.now()).total_seconds())
    with desk.adapter("erp") as adapter:
        assert quarantine.empty(desk.ctx, "erp", adapter) == 0
    assert (folder / "bad.jsonl").exists()
