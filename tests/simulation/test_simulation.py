"""Seeded runs, hundreds in CI: `HANSA_SEEDS` says how many, `--seed N` replays one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulation.auditor import audit, audit_restored
from tests.simulation.world import LEDGER_FAULTS, World

SEEDS = int(os.environ.get("HANSA_SEEDS", "12"))


def _seeds(request: pytest.FixtureRequest) -> list[int]:
    chosen = request.config.getoption("--seed")
    return [int(chosen)] if chosen is not None else list(range(SEEDS))


@pytest.mark.parametrize("block", range(4))
def test_nothing_is_lost_doubled_or_reordered(block: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    for seed in _seeds(request)[block::4]:
        world = World(seed, _folder(tmp_path, seed))
        world.run()
        found = audit(world)
        world.close()
        assert not found, f"seed {seed}:\n" + "\n".join(found[:20])


@pytest.mark.parametrize("block", range(2))
def test_a_restored_copy_is_detected(block: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seeds = _seeds(request)
    # These runs keep their databases in files, and take longer.
    for seed in seeds[: max(len(seeds) // 5, 4)][block::2]:
        world = World(seed, _folder(tmp_path, seed), restore=True)
        world.run()
        found = audit_restored(world)
        world.close()
        assert not found, f"seed {seed}:\n" + "\n".join(found[:20])


@pytest.mark.parametrize("fault", ["receipt-before-commit", "number-before-commit", "refusal-lost"])
def test_the_auditor_finds_planted_faults(fault: str, tmp_path: Path) -> None:
    caught = 0
    for seed in range(6):
        world = World(seed, _folder(tmp_path, seed), plant=fault)
        world.run()
        caught += bool(audit(world))
        world.close()
    assert caught >= 3


@pytest.mark.parametrize("fault", LEDGER_FAULTS)
def test_the_auditor_finds_faults_planted_in_the_stock_ledger(fault: str, tmp_path: Path) -> None:
    caught, oversold = 0, 0
    for seed in range(6):
        world = World(seed, _folder(tmp_path, seed), plant=fault)
        world.run()
        caught += any(one.startswith("counters at a write") for one in audit(world))
        oversold += bool(world.oversold)
        world.close()
    assert caught >= 3
    # A grant that is not counted leaves the pieces to the next one who asks; one given back that still counts does not.
    assert bool(oversold) == (fault == "grant-not-counted")


def _folder(tmp_path: Path, seed: int) -> Path:
    folder = tmp_path / str(seed)
    folder.mkdir()
    return folder
