"""A running node carries customer orders on by itself: woken by what happens, and told over the control operations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from node.errors import RefusedError
from tests.integration.nodes import Company, free_port, until


def test_an_order_is_carried_on_when_it_comes_and_when_it_is_approved(tmp_path: Path) -> None:
    async def run() -> None:
        company = Company(tmp_path, "low", port=free_port(), listens=True)
        await company.start()
        try:
            await scenario(company)
        finally:
            await company.node.stop()

    asyncio.run(run())


async def scenario(company: Company) -> None:
    lines = [{"line": "BEAR", "quantity": "3", "price": "9.90"}]
    given: dict[str, Any] = {"number": "C1", "lines": lines, "currency": "EUR", "customer": "k1", "country": "DE"}
    taken = await company.does("order.place", **given)
    assert taken["state"] == "captured"
    assert [one["rule"] for one in taken["findings"]] == ["unknown-item"]
    assert (await company.does("order.place", **given))["state"] == "duplicate"
    (waiting,) = (await company.does("orders.stuck"))["waiting"]
    assert (waiting["number"], waiting["waits_for"]) == ("C1", "you")
    with pytest.raises(RefusedError):
        await company.does("order.approve", order="C9")
    await company.does("order.approve", order="C1", reason="the item is new")

    def stands() -> str:
        (row,) = company.node.store.read(lambda tx: tx.customer_orders.numbered("C1"))
        return row.state

    await until(lambda: stands() == "waiting")
    (shown,) = (await company.does("order.show", order="C1"))["customer_orders"]
    assert shown["lines"][0]["back_ordered"] == "3"
    assert shown["decisions"]
    assert (await company.does("order.find", customer="k1"))["orders"][0]["number"] == "C1"
    assert (await company.does("order.find", sku="BEAR"))["orders"][0]["number"] == "C1"
    assert (await company.does("order.why", order="C1"))["decisions"]
    await company.does("order.change", order="C1", lines=[{"line": "1", "quantity": "2"}])
    await until(lambda: _cancelled(company) == 1)
    await company.does("order.cancel", order="C1")
    await until(lambda: stands() == "cancelled")


def _cancelled(company: Company) -> int:
    def read(tx: Any) -> int:
        (row,) = tx.customer_orders.numbered("C1")
        (line,) = tx.customer_orders.lines([row.customer_order_id])
        return int(line.cancelled // 1_000_000)

    return company.node.store.read(read)
