"""The rules that hold while HOME/rules.toml does not exist; also the example from which one's own rules begin."""

from __future__ import annotations

__all__ = ["DEFAULT_RULES"]

DEFAULT_RULES = """\
# How customer orders are sourced: HOME/rules.toml. The first rule whose conditions hold decides, and names the
# strategy; what that leaves open goes to the strategy in its on_failure, or is back-ordered, cancelled, or a human's.
# Without this file the rules below hold. After a change: hansa rules check, and hansa rules simulate --rules FILE.

# Sources that we would rather use, best first: patterns of partner id, bar, location. Our own have no partner id.
prefer = ["|*"]

[[rules]]
name = "drop shipments"
order_types = ["drop_ship", "cross_dock"]
strategy = "suppliers"

[[rules]]
name = "goods of ours at a logistics partner"
order_types = ["third_party"]
strategy = "logistics"

[[rules]]
name = "from a store"
order_types = ["ship_from_store"]
strategy = "stores"

[[rules]]
name = "for a store"
order_types = ["pick_up", "transfer", "replenishment"]
strategy = "own"

[[rules]]
name = "everything else"
otherwise = true
strategy = "best"

# The cheapest way, all told; from few places, on time where that costs less than being late.
[strategies.best]
split_orders_max = 4
split_cost = 1.5
late_per_day = 0.5
weights = { cost = 1, parcels = 0.5, preference = 0.1, risk = 1 }
on_failure = "back_order"

[strategies.own]
partners = ["-"]
split_cost = 1.5
late_per_day = 0.5
weights = { cost = 1, vicinity = 0.1 }
on_failure = "best"

[strategies.stores]
kinds = ["store"]
partners = ["-"]
split_orders_max = 2
late_per_day = 0.5
weights = { cost = 1, vicinity = 0.5 }
on_failure = "best"

[strategies.suppliers]
kinds = ["supplier"]
split_orders_max = 4
late_per_day = 0.5
on_failure = "back_order"

[strategies.logistics]
kinds = ["logistics"]
late_per_day = 0.5
on_failure = "best"
"""
