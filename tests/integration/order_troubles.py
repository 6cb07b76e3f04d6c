"""What tests of customers' orders share: orders that leave us in doubt, and crashes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from node.app.fulfilment import customer_orders
from node.core.document.common import (
    ItemRef,
)
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind
from node.core.quantity import Quantity
from tests.companies import Company
from tests.customers import (
    an_order,
    balanced,
    settle,
    state,
)


def sent_so_far(shop: Company, meyer: Company) -> int:
    return shop.link(meyer, "out").number


# --- crashes ----------------------------------------------------------------------------------------------------------


class Crash(Exception):
    """The process ends here."""


class Fragile:
    """A store whose process ends at the nth transaction, before or after its commit."""

    def __init__(self, store: Any, nth: int, after: bool) -> None:
        self._store, self.left, self._after = store, nth, after

    def read(self, use_case: Any) -> Any:
        return self._store.read(use_case)

    def write(self, use_case: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self._after:
            raise Crash
        result = self._store.write(use_case)
        if self.left == 0:
            raise Crash
        return result


def pick_up(number: str, place: str, quantity: int = 2) -> CustomerOrder:
    return an_order(number, quantity, order_kind=CustomerOrderKind.PICK_UP, collect_at=place)


def in_doubt(shop: Company, number: str, place: str) -> int:
    """A pick-up at a place that nobody knows: it waits for a human, and nothing is promised."""
    done = shop.do(customer_orders.capture, pick_up(number, place))
    assert [(one.rule, one.path) for one in done.findings] == [("unknown-location", "collect_at")]
    assert done.customer_order_id is not None
    settle(shop)
    assert state(shop, done.customer_order_id).state == "human"
    assert balanced(shop, done.customer_order_id) == {"ordered": 2, "open": 2}
    return done.customer_order_id


def an_item(gtin: str, line_id: str = "1") -> CustomerLine:
    return CustomerLine(line_id=line_id, item=ItemRef(gtin=gtin), quantity=Quantity(Decimal(1), "C62"))
