"""A customer order of ours on stock that our ERP keeps holds on: what it does not keep comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sql import SqlAdapter
from node.app.stock import ledger
from node.app.systems import erp_answers
from node.config import AdapterSettings
from tests.adapters.rigs import HoldingRig
from tests.companies import Company, connect
from tests.customers import PIECE, an_order, balanced, capture, pieces, put, settings, settle, work

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture
def rig(tmp_path: Path) -> HoldingRig:
    return HoldingRig(tmp_path, "sqlite:///erp.db")


@pytest.fixture
def erp(rig: HoldingRig) -> Iterator[SqlAdapter]:
    made = rig.make()
    yield made
    made.close()


@pytest.mark.parametrize("in_erp", [4, 1])
def test_a_customer_order_on_stock_that_the_erp_keeps_or_not(
    shop: Company, meyer: Company, braun: Company, rig: HoldingRig, erp: SqlAdapter, in_erp: int
) -> None:
    rig.stock("BEAR", "DC1", in_erp)
    settings(shop, adapters=(AdapterSettings(name="erp", kind="sql", usage="test", reserves=("DC1",)),))
    put(shop, 4)
    put(meyer, 6)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    work(shop)  # our part is held, and the supplier asked
    assert ("", 4 * PIECE, "held") in [(one.partner_id, one.quantity, one.state) for one in pieces(shop, order_id)]
    erp_answers.tell_due(shop.store, shop.ctx, "erp", erp)
    assert rig.free("BEAR", "DC1") == (0 if in_erp == 4 else 1)
    put(shop, in_erp)  # the ERP tells what it has
    put(braun, 20)
    connect(shop, braun)
    settle(shop, meyer, braun)
    ours = sum(one.quantity for one in pieces(shop, order_id) if not one.partner_id) // PIECE
    theirs = sum(one.quantity for one in pieces(shop, order_id) if one.partner_id) // PIECE
    assert ours + theirs == 10
    assert ours <= in_erp
    assert balanced(shop, order_id)["ordered"] == 10
    assert shop.read(ledger.verify) == []
    erp_answers.tell_due(shop.store, shop.ctx, "erp", erp)
    taken = [row for row in rig.run("SELECT gone, taken_by FROM stock_hold") if row[0]]
    assert bool(taken) == (in_erp == 4)
