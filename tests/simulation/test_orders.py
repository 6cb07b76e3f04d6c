"""Seeded runs of customer orders over three companies: `HANSA_SEEDS` says how many, `--seed N` replays one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from node.app.fulfilment import advancing
from tests.simulation.orders_world import OrdersWorld

SEEDS = int(os.environ.get("HANSA_SEEDS", "12"))
EVENTS = 80


@pytest.mark.parametrize("block", range(4))
def test_every_piece_has_one_place_and_nothing_leaves_twice(
    block: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chosen = request.config.getoption("--seed")
    for seed in [int(chosen)] if chosen is not None else list(range(SEEDS))[block::4]:
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = OrdersWorld(seed, folder)
        world.run(EVENTS)
        found = world.audit()
        world.close()
        assert not found, f"seed {seed}:\n" + "\n".join(found[:20])


@pytest.mark.parametrize("fault", ["sent-twice", "never-sourced"])
def test_the_auditor_finds_planted_faults(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "never-sourced":
        monkeypatch.setattr(advancing, "choose", lambda *given: [])
    else:
        despatch = OrdersWorld._despatch

        def twice(*given: Any) -> None:
            despatch(*given)
            despatch(*given)

        monkeypatch.setattr(OrdersWorld, "_despatch", twice)
    world = OrdersWorld(1, tmp_path)
    world.run(EVENTS)
    found = world.audit()
    world.close()
    assert found
