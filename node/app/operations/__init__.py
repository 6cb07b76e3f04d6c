"""Every command that touches the node, as an operation by name: `run(host, name, arguments, report)`."""

from __future__ import annotations

from node.app.operations import (
    adapters,
    backup,
    carriers,
    customer_orders,
    disruptions,
    documents,
    movements,
    node,
    orders,
    partners,
    performance,
    placing,
    reservations,
    rules,
    stock,
)
from node.app.operations.registry import OPERATIONS, Host, Keys, Live, Operation, Report, run

__all__ = [
    "OPERATIONS",
    "Host",
    "Keys",
    "Live",
    "Operation",
    "Report",
    "adapters",
    "backup",
    "carriers",
    "customer_orders",
    "disruptions",
    "documents",
    "movements",
    "node",
    "orders",
    "partners",
    "performance",
    "placing",
    "reservations",
    "rules",
    "run",
    "stock",
]
