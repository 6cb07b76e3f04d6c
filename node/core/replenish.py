"""Replenishment: when stock falls below its reorder point, what to ask of whom; a pure trigger.

A rule's position is what will be available after the order at hand, plus what was asked for and has not arrived. When
that is below the reorder point, enough is asked to reach `order_up_to`, rounded up to the multiple. What was asked for
is remembered in the rule (`requested`), so that the same gap is not asked for twice: not by the next order, and not
after a restart. This alone damps the bullwhip: what travels up is demand, once, not orders upon orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from node.core.decimals import from_scaled
from node.core.document.common import ItemRef, LocationRef
from node.core.document.replenishment import Commitment, ReplenishmentLine, ReplenishmentRequest, ReplenishmentResponse
from node.core.order_state import micros, scaled_in
from node.core.quantity import Quantity
from node.core.rows import ReplenishmentRuleRow

__all__ = ["DEMAND_IDS_MAX", "Place", "Wanted", "after_answer", "after_arrival", "request_lines"]

Place = tuple[str, str]
"""An item key and a location code."""

DEMAND_IDS_MAX = 1_000
"""Demands named on one line; further ones travel with the next request."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask one partner for, and the rules as they are once it has been asked."""

    partner_id: str
    lines: tuple[ReplenishmentLine, ...]
    rules: tuple[ReplenishmentRuleRow, ...]


def request_lines(
    rules: Iterable[ReplenishmentRuleRow],
    available: Mapping[Place, int],
    now: datetime,
    *,
    demand_ids: Mapping[Place, tuple[str, ...]] | None = None,
    commitment: Commitment = Commitment.PLANNED,
) -> list[Wanted]:
    """What is to be asked for now, by partner, in the order of the rules.

    `available` are scaled quantities after the order at hand, by item key and location; a rule whose place is not in it
    is left alone. `demand_ids` are the pseudonymous ids (salted hashes) of the demands behind each place. Line ids
    count from 1 for each partner.
    """
    lines: dict[str, list[ReplenishmentLine]] = {}
    changed: dict[str, list[ReplenishmentRuleRow]] = {}
    at = micros(now)
    for rule in rules:
        place = (rule.item_key, rule.location)
        stock = available.get(place)
        if stock is None:
            continue
        wanted = _gap(rule, stock)
        if not wanted:
            continue
        asked = lines.setdefault(rule.partner_id, [])
        ids = (demand_ids or {}).get(place, ())
        asked.append(
            ReplenishmentLine(
                line_id=str(len(asked) + 1),
                item=ItemRef(gtin=rule.gtin, seller_number=rule.seller_number, buyer_number=rule.buyer_number),
                quantity=_quantity(wanted, rule.unit),
                location=LocationRef(code=rule.location) if rule.location else None,
                commitment=commitment,
                demand_ids=tuple(dict.fromkeys(ids))[:DEMAND_IDS_MAX],
                on_hand=_quantity(max(0, stock), rule.unit),
                reorder_point=_quantity(rule.reorder_point, rule.unit),
            )
        )
        changed.setdefault(rule.partner_id, []).append(
            rule._replace(requested=rule.requested + wanted, requested_at=at)
        )
    return [Wanted(partner, tuple(lines[partner]), tuple(changed[partner])) for partner in lines]


def _gap(rule: ReplenishmentRuleRow, stock: int) -> int:
    """What to ask for, scaled: 0 at or above the reorder point, else up to `order_up_to` in whole multiples."""
    position = stock + rule.requested
    if position >= rule.reorder_point:
        return 0
    gap = max(rule.order_up_to, rule.reorder_point) - position
    if rule.multiple > 0:
        gap = -(-gap // rule.multiple) * rule.multiple
    return gap


def _quantity(scaled: int, unit: str) -> Quantity:
    return Quantity(from_scaled(scaled), unit)


def after_answer(
    request: ReplenishmentRequest, response: ReplenishmentResponse, rules: Mapping[Place, ReplenishmentRuleRow]
) -> list[ReplenishmentRuleRow]:
    """The rules once the partner has said what will come: what it will not send is no longer awaited.

    `rules` are those that made the request, by item key and location; lines are found by item and place. Several lines
    of the response may answer one of the request. A line without an answer is still awaited. Raises RefusedError
    ``unlike-units`` for an answer in a unit that does not convert.
    """
    promised: dict[str, list[Quantity]] = {}
    for answer in response.lines:
        if answer.quantity is not None:
            promised.setdefault(answer.request_line_id or answer.line_id, []).append(answer.quantity)
    changed: list[ReplenishmentRuleRow] = []
    for line in request.lines:
        answers = promised.get(line.line_id)
        rule = _rule_of(line, rules)
        if answers is None or rule is None or line.quantity is None:
            continue
        coming = sum(scaled_in(quantity, rule.unit) for quantity in answers)
        difference = coming - scaled_in(line.quantity, rule.unit)
        if difference:
            changed.append(rule._replace(requested=max(0, rule.requested + difference)))
    return changed


def _rule_of(line: ReplenishmentLine, rules: Mapping[Place, ReplenishmentRuleRow]) -> ReplenishmentRuleRow | None:
    """The rule that a request's line came from."""
    item, location = line.item, line.location.code if line.location else ""
    if item is None:
        return None
    for rule in rules.values():
        if rule.location == location and (rule.gtin, rule.seller_number, rule.buyer_number) == (
            item.gtin,
            item.seller_number,
            item.buyer_number,
        ):
            return rule
    return None


def after_arrival(rule: ReplenishmentRuleRow, arrived: Quantity) -> ReplenishmentRuleRow:
    """The rule once goods have come in: they count as stock now, and are awaited no more.

    Raises RefusedError ``unlike-units`` when they are counted in a unit that does not convert.
    """
    return rule._replace(requested=max(0, rule.requested - scaled_in(arrived, rule.unit)))
