"""Rules and rates that are changed while a node runs, and cannot be used: status, what waits, and figures say so."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from node.app import advice
from node.app.sourcing.planner import choose
from node.cli import main
from node.config import parse
from node.metrics import Metrics
from tests.companies import Company
from tests.integration.test_cli_operations import Desk

GOOD = '[[rules]]\nname = "all"\notherwise = true\nstrategy = "best"\n[strategies.best]\n'
BAD = GOOD.replace('strategy = "best"', 'strategy = "bset"')


@pytest.fixture
def desk(tmp_path: Path, project_root: Path) -> Desk:
    made = Company(tmp_path, "shop")
    shutil.copytree(project_root / "config" / "carriers", tmp_path / "carriers")
    settings = parse('[carriers."parcel"]\nfile = "carriers/parcel.toml"\n', tmp_path)
    made.ctx = replace(made.ctx, settings=settings)
    return Desk(made)


def test_broken_rules_are_told_with_what_holds_meanwhile(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    assert desk.do("status")["unusable_files"] == desk.do("orders.stuck")["unusable_files"] == []
    assert "cannot be used" not in capsys.readouterr().out
    path.write_text(BAD)
    for command in ("status", "orders.stuck"):
        [told] = desk.do(command)["unusable_files"]
        assert told["file"] == str(path)
        assert "bset" in told["why"]
        said = capsys.readouterr().out
        assert f"{path} cannot be used" in said
        assert "the last good rules hold" in said
        assert "hansa rules check" in said
    path.write_text(GOOD + "# mended\n")
    assert desk.do("status")["unusable_files"] == []


def test_the_log_tells_of_a_change_that_does_not_count_once(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And of the next one, even where its text is the same."""
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    choose(desk.store, desk.ctx, [])
    for change in (BAD, BAD + "# another\n"):
        path.write_text(change)
        for _ in range(3):
            choose(desk.store, desk.ctx, [])
    assert [record.getMessage()[:29] for record in caplog.records] == ["the changed rules do not coun"] * 2


def test_a_broken_table_of_rates_is_told(desk: Desk, tmp_path: Path) -> None:
    assert desk.do("status")["unusable_files"] == []
    (tmp_path / "carriers" / "parcel.toml").write_text("currency = EUR\n")
    [told] = desk.do("status")["unusable_files"]
    assert told["file"].endswith("parcel.toml")
    assert told["meanwhile"] == "the last good rates of parcel count"
    assert told["to_do"] == "hansa carrier check parcel"


def test_figures_count_what_cannot_be_used(desk: Desk, tmp_path: Path) -> None:
    metrics = Metrics(unusable=lambda: len(advice.unusable(desk.ctx.settings)))
    assert b"hansa_unusable_files 0.0" in metrics.text()
    (tmp_path / "rules.toml").write_text(BAD)
    assert b"hansa_unusable_files 1.0" in metrics.text()


def test_without_any_good_rules_orders_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    assert main(["--home", str(home), "init", "--name", "Shop"]) == 0
    (home / "rules.toml").write_text(BAD)
    capsys.readouterr()
    assert main(["--home", str(home), "orders", "stuck"]) == 0
    assert "there are no other rules: customers' orders wait" in capsys.readouterr().out
