"""Replenishment starts right after the order: what draws stock down asks the maker for more at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from node import wire
from node.app.context import Context
from node.app.documents.submit import Submission, submit
from node.app.stock import ledger
from node.app.stock.inventory import put_own
from node.core import replenish
from node.core.decimals import SCALED_MAX, to_scaled
from node.core.document import Document, document_type, header_of
from node.core.document.common import DocumentHeader, ItemRef
from node.core.document.order import Order
from node.core.document.replenishment import Commitment, ReplenishmentRequest, ReplenishmentResponse
from node.core.identifiers import gtin14
from node.core.item_key import aliases, item_key, number_key
from node.core.quantity import Quantity, from_scaled
from node.core.rows import ReplenishmentRuleRow, StockRow
from node.core.units import convert
from node.errors import RefusedError
from node.ports import Identity, Transaction

__all__ = ["Demand", "arrived", "awaited", "check_items", "demand_id", "load_rules", "trigger"]

Demand = tuple[Order, str]
"""An order and the id of its line that draws stock down."""

RULES_SETTING = "replenishment-rules"
"""Under which name the store keeps the places of the rules that the settings named last."""


def load_rules(tx: Transaction, ctx: Context) -> int:
    """Take the rules of the settings into the store, keeping what is on order already; returns how many there are."""
    own = tx.partners.own().partner_id
    rules = []
    for rule in ctx.settings.replenishment.rules:
        key = f"gtin:{gtin14(rule.gtin)}" if rule.gtin else number_key(rule.item, own)
        known = [row for row in tx.stock.rules([key]) if row.location == rule.location]
        rules.append(
            ReplenishmentRuleRow(
                item_key=key,
                location=rule.location,
                partner_id=rule.partner,
                reorder_point=to_scaled(rule.reorder_point),
                order_up_to=to_scaled(rule.order_up_to),
                multiple=to_scaled(rule.multiple),
                unit=rule.unit,
                gtin=rule.gtin,
                seller_number=rule.seller_number,
                buyer_number=rule.item,
                requested=known[0].requested if known else 0,
                requested_at=known[0].requested_at if known else None,
            )
        )
    gone = _taken_out(tx, rules)
    tx.stock.put_rules([*gone, *rules])
    tx.settings.put(RULES_SETTING, json.dumps([[rule.item_key, rule.location] for rule in rules]))
    return len(rules)


def _taken_out(tx: Transaction, rules: Sequence[ReplenishmentRuleRow]) -> list[ReplenishmentRuleRow]:
    """The rules that the settings named before and name no longer: nothing is asked for by them any more."""
    before = {(key, location) for key, location in json.loads(tx.settings.get(RULES_SETTING) or "[]")}
    gone = before - {(rule.item_key, rule.location) for rule in rules}
    known = tx.stock.rules(sorted({key for key, _ in gone})) if gone else []
    # Far below any stock, so that it is never reached.
    return [
        row._replace(reorder_point=-SCALED_MAX, order_up_to=-SCALED_MAX, requested=0, requested_at=None)
        for row in known
        if (row.item_key, row.location) in gone
    ]


def trigger(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> set[str]:
    """Ask for more of what these documents draw down; returns the partners that have something to get."""
    demands: dict[str, list[Demand]] = {}
    for document in documents:
        if isinstance(document, Order) and ctx.settings.replenishment.rules:
            _add_demands(demands, document, tx.partners.own().partner_id)
        elif isinstance(document, ReplenishmentResponse):
            _take_response(tx, ctx, partner_id, document)
    return check_items(tx, ctx, demands) if demands else set()


def _add_demands(demands: dict[str, list[Demand]], order: Order, own: str) -> None:
    for line in order.lines:
        if line.item is None:
            continue
        try:
            demands.setdefault(item_key(line.item, own), []).append((order, line.line_id))
        except RefusedError:
            continue


def check_items(tx: Transaction, ctx: Context, demands: Mapping[str, Sequence[Demand]]) -> set[str]:
    """Compare these items' stock with their reorder points, and submit a request to each partner that is due one."""
    rules = [_forgotten(ctx, rule) for rule in tx.stock.rules(list(demands))]
    if not rules:
        return set()
    rules = [rule for rule in rules if _converts(tx, ctx, rule)]
    places = {(rule.item_key, rule.location): rule for rule in rules}
    available = _available(tx, places)
    ids = {place: tuple(demand_id(tx, ctx, order, line_id) for order, line_id in demands[place[0]]) for place in places}
    commitment = Commitment(ctx.settings.replenishment.commitment.upper())
    woken = set()
    for wanted in replenish.request_lines(rules, available, ctx.now(), demand_ids=ids, commitment=commitment):
        number = f"R{tx.documents.next_ids(1)}"
        request = ReplenishmentRequest(header=DocumentHeader(number=number), commitment=commitment, lines=wanted.lines)
        if _submitted(tx, ctx, wanted.partner_id, request):
            tx.stock.put_rules(wanted.rules)
            woken.add(wanted.partner_id)
    return woken


def _submitted(tx: Transaction, ctx: Context, partner_id: str, request: ReplenishmentRequest) -> bool:
    try:
        result = submit(tx, ctx, partner_id, [Submission(request)])[0]
    except RefusedError as error:
        ctx.log.warning("replenishment was not asked for: %s", error.message, extra={"partner": partner_id})
        return False
    if result.state == "refused":
        ctx.log.warning("replenishment was not asked for: %s", result.findings, extra={"partner": partner_id})
    return result.state == "waiting"


def _forgotten(ctx: Context, rule: ReplenishmentRuleRow) -> ReplenishmentRuleRow:
    """A request that has had no effect for too long is made again."""
    patience = ctx.settings.replenishment.repeat_hours * 3_600_000_000
    if rule.requested_at is not None and ctx.now_micros() - rule.requested_at > patience:
        return rule._replace(requested=0)
    return rule


def _available(tx: Transaction, places: Mapping[tuple[str, str], ReplenishmentRuleRow]) -> dict[tuple[str, str], int]:
    """Our available stock at each rule's place, in the rule's unit; a place without any figure is left out."""
    found: dict[tuple[str, str], int] = {}
    rows = ledger.net(tx, [row for row in tx.stock.figures([key for key, _ in places]) if row.partner_id == ""])
    for (key, location), rule in places.items():
        for row in rows:
            if row.item_key == key and location in ("", row.location) and row.status == "AVAILABLE":
                amount = row.available if row.available is not None else row.on_hand or 0
                found[key, location] = found.get((key, location), 0) + _in_unit(amount, row.unit, rule.unit)
    return found


def _converts(tx: Transaction, ctx: Context, rule: ReplenishmentRuleRow) -> bool:
    """Whether our stock of the rule's item is counted in a unit that the rule's can be reckoned from."""
    units = {row.unit for row in tx.stock.figures([rule.item_key]) if row.partner_id == ""}
    try:
        for unit in units:
            _in_unit(0, unit, rule.unit)
    except RefusedError as error:
        ctx.log.warning("replenishment of %s: %s", rule.buyer_number, error.message)
        return False
    return True


def _in_unit(scaled: int, unit: str, wanted: str) -> int:
    if unit == wanted:
        return scaled
    return to_scaled(convert(Quantity(from_scaled(scaled), unit), wanted).value)


def demand_id(tx: Transaction, ctx: Context, document: Document, line_id: str) -> str:
    """A pseudonymous id of one line's demand: the same at every hop, and telling nobody whose it is."""
    header = header_of(document)
    named = (document_type(document), header.issuer, header.unit, header.number, header.series)
    root = header.root_id or "|".join(named)
    return hashlib.sha256(f"{root}|{line_id}|{_pepper(tx, ctx)}".encode()).hexdigest()[:32]


def _pepper(tx: Transaction, ctx: Context) -> str:
    known = tx.settings.get("demand-pepper")
    if known is None:
        known = ctx.random.token(16).hex()
        tx.settings.put("demand-pepper", known)
    return known


# --- supply that comes ---


def _take_response(tx: Transaction, ctx: Context, partner_id: str, response: ReplenishmentResponse) -> None:
    """The maker says what will come and when: it becomes our expected supply; what will not come is awaited no more."""
    own = tx.partners.own().partner_id
    keys = {key for line in response.lines if line.item for key in aliases(line.item, seller=partner_id, buyer=own)}
    rules = [rule for rule in tx.stock.rules(_with_ours(tx, keys)) if rule.partner_id == partner_id]
    request = _request_of(tx, partner_id, response)
    if request is not None and rules:
        places = {(rule.item_key, rule.location): rule for rule in rules}
        tx.stock.put_rules(replenish.after_answer(request, response, places))
    figures = {row.item_key: row for row in tx.stock.figures(_with_ours(tx, keys)) if row.partner_id == ""}
    source = f"replenishment {response.request.number if response.request else header_of(response).number}"
    changed = []
    for key, row in figures.items():
        coming = _coming(response, key, row, partner_id, own, source)
        kept = [one for one in (json.loads(row.expected) if row.expected else []) if one[2] != source]
        changed.append(row._replace(expected=json.dumps(kept + coming) if kept or coming else ""))
    put_own(tx, ctx, changed)


def _with_ours(tx: Transaction, keys: Iterable[str]) -> list[str]:
    """These keys, and those of our own items that they are other names of."""
    found = set(keys)
    numbers = [row.item_number for row in tx.stock.aliases(sorted(found))]
    own = tx.partners.own().partner_id
    found.update(number_key(number, own) for number in numbers)
    found.update(row.alias for row in tx.stock.aliases(numbers) if row.alias.startswith(("gtin:", "no:")))
    return sorted(found)


def _request_of(tx: Transaction, partner_id: str, response: ReplenishmentResponse) -> ReplenishmentRequest | None:
    if response.request is None:
        return None
    own = tx.partners.own().partner_id
    named, usage = response.request, header_of(response).usage.value
    identity = Identity(own, "", "ReplenishmentRequest", named.number, named.series, 0, usage)
    row = tx.documents.find(partner_id, "out", [identity]).get(identity)
    if row is None or row.body is None:
        return None
    document = wire.decode_document(row.type, row.body)
    return document if isinstance(document, ReplenishmentRequest) else None


def _coming(
    response: ReplenishmentResponse, key: str, row: StockRow, partner_id: str, own: str, source: str
) -> list[list[object]]:
    found: list[list[object]] = []
    for line in response.lines:
        if line.item is None or line.quantity is None or not line.dates or not _names(line.item, key, row, own):
            continue
        on = line.dates[0].on
        if on is not None:
            amount = to_scaled(convert(line.quantity, row.unit).value)
            found.append([amount, on.isoformat(), source])
    return found


def _names(item: ItemRef, key: str, row: StockRow, own: str) -> bool:
    return bool(
        (item.gtin and key == f"gtin:{gtin14(item.gtin)}")
        or (item.buyer_number and item.buyer_number == row.number)
        or key == number_key(item.buyer_number, own)
    )


def awaited(tx: Transaction, keys: Sequence[str]) -> list[tuple[ReplenishmentRuleRow, int]]:
    """Rules of these items that wait for supply, each with what is on hand at its place now."""
    rules = [rule for rule in tx.stock.rules(keys) if rule.requested]
    held = _on_hand(tx, rules)
    return [(rule, held[rule.item_key, rule.location]) for rule in rules]


def arrived(tx: Transaction, before: Sequence[tuple[ReplenishmentRuleRow, int]]) -> None:
    """Stock that has grown at its place since `before` is supply that came, and is awaited no more."""
    held = _on_hand(tx, [rule for rule, _ in before])
    grown = [(rule, held[rule.item_key, rule.location] - on_hand) for rule, on_hand in before]
    tx.stock.put_rules(
        [replenish.after_arrival(rule, Quantity(from_scaled(count), rule.unit)) for rule, count in grown if count > 0]
    )


def _on_hand(tx: Transaction, rules: Sequence[ReplenishmentRuleRow]) -> dict[replenish.Place, int]:
    """What is on hand at each rule's place, in the rule's unit, where it could be sold: the same that runs low."""
    rows = [row for row in tx.stock.figures([rule.item_key for rule in rules]) if row.partner_id == ""] if rules else []
    found: dict[replenish.Place, int] = {}
    for rule in rules:
        found[rule.item_key, rule.location] = sum(
            _in_unit(row.on_hand if row.on_hand is not None else row.available or 0, row.unit, rule.unit)
            for row in rows
            if row.item_key == rule.item_key and rule.location in ("", row.location) and row.status == "AVAILABLE"
        )
    return found
