"""What it costs to send goods from our sources to a customer: by carriers' tables, live quotes, or our own rate.

`offers` reads only the store and files; what carriers must be asked first it names as missing. `refresh` asks them,
outside of any transaction, and keeps their answers until a deadline. A carrier is asked for an order's whole weight and
for half of it: what a part costs lies on the line through both. Until a carrier has answered, and when it does not
or says nonsense, the table that stands in for it counts, and a finding says why.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from adapters.base import CarrierQuotes
from node.app.context import Context
from node.config import CarrierSettings, Settings, carrier_secret
from node.config.carriers import read_places, read_rate_table
from node.config.kept import Kept
from node.core.finding import Finding
from node.core.freight import FATAL, Quotation, QuoteRequest, RateTable, Shipment, findings, quote, usable
from node.core.quote_rows import QuoteRow
from node.core.sharing import matches
from node.core.sourcing.problem import OrderDemand, Service, Source
from node.core.vicinity import Place, Places, apart
from node.errors import ConfigError
from node.ports import Store, Transaction

__all__ = [
    "CARRIER_GROUP",
    "QUESTIONS_MAX",
    "Offers",
    "Question",
    "RatesRead",
    "carrier_kinds",
    "check_files",
    "missing",
    "offers",
    "open_carrier",
    "places",
    "rate_table",
    "refresh",
    "services",
]

CARRIER_GROUP = "hansa.carriers"
"""Installed packages offer carriers that quote by themselves under this entry point group."""

QUESTIONS_MAX = 200
"""Questions that one call of `refresh` asks one carrier; the rest is still missing afterwards."""

QUOTED_MAX = 20_000
"""Answers of one table that are remembered until it changes."""

DROPPED_AT_ONCE = 1_000
_MICROS = 1_000_000
_ZERO = Decimal(0)
_WEIGHT_STEP = Decimal("0.1")
"""Weights are asked for in steps of 100 g, up: like shipments then share an answer."""
_PER_KG = Decimal("0.000001")
_NOTHING = "[]"


class RatesRead(NamedTuple):
    """A carrier's table with what is wrong in it, and why its newest files do not count, if so."""

    table: RateTable
    findings: tuple[Finding, ...]
    cache: dict[tuple[object, ...], list[Service] | Finding]
    fault: str = ""

    def quoted(self, order: OrderDemand, source: Source, weight: Decimal) -> list[Service] | Finding:
        """The services by the table, without order, source and distance; the same question is reckoned once."""
        start = (source.country, source.postal_code) if self.table.origins else ("", "")
        key = (order.country, order.postal_code, order.currency, weight, source.ship_on, start)
        found = self.cache.get(key)
        if found is None:
            shipment = Shipment(
                country=order.country,
                postal_code=order.postal_code,
                weight_kg=weight,
                currency=order.currency,
                from_country=start[0],
                from_postal_code=start[1],
            )
            found = quote(self.table, shipment, ship_on=source.ship_on)
            if len(self.cache) >= QUOTED_MAX:
                self.cache.clear()
            self.cache[key] = found
        return found


_TABLES: Kept[RatesRead] = Kept()
_PLACES: Kept[tuple[Places, tuple[Finding, ...]]] = Kept()


@dataclass(frozen=True, slots=True)
class Question:
    """What a carrier is to be asked; `carrier` is its name in the settings."""

    carrier: str
    request: QuoteRequest

    @property
    def text(self) -> str:
        """The question as one text, under which the answer is kept."""
        one = self.request
        places = [one.from_country, one.from_postal_code, one.country, one.postal_code]
        return json.dumps([*places, f"{one.weight_kg:f}", one.currency], ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Offers:
    """How goods can travel, what is to be said about it, and what carriers should be asked for a better answer."""

    services: tuple[Service, ...]
    findings: tuple[Finding, ...]
    missing: tuple[Question, ...]


def services(tx: Transaction, ctx: Context, order: OrderDemand, sources: Sequence[Source]) -> list[Service]:
    """The services of one order from each source; a source without any cannot deliver."""
    return list(offers(tx, ctx, [order], sources).services)


def missing(tx: Transaction, ctx: Context, orders: Sequence[OrderDemand], sources: Sequence[Source]) -> list[Question]:
    """What carriers are to be asked for these orders: give it to `refresh`."""
    return list(offers(tx, ctx, orders, sources).missing)


def offers(tx: Transaction, ctx: Context, orders: Sequence[OrderDemand], sources: Sequence[Source]) -> Offers:
    """The services of each order from each source, with findings and what should be asked. Asks nobody."""
    work = _Gathering(ctx)
    for order in orders:
        for source in sources:
            work.add(order, source)
    work.answer(tx)
    return work.result()


class _Gathering:
    """Collects services over many orders and sources, and reads carriers' kept answers all at once."""

    def __init__(self, ctx: Context) -> None:
        self._settings = ctx.settings
        self._now = ctx.now_micros()
        self._places, _ = places(ctx.settings)
        self._where: dict[tuple[str, str], Place | None] = {}
        self._weights: dict[str, Decimal] = {}
        self._read: dict[str, RatesRead | None] = {}
        self._serving: dict[str, list[str]] = {}
        self._services: dict[tuple[str, str, str, str], Service] = {}
        self._findings: dict[Finding, None] = {}
        self._asked: list[tuple[Question, OrderDemand, Source]] = []
        self._missing: dict[tuple[str, str], Question] = {}

    def add(self, order: OrderDemand, source: Source) -> None:
        """What needs no carrier's answer; the rest waits for `answer`."""
        if order.collect_at and not source.partner_id and source.location == order.collect_at:
            self._keep([_service(source, order, basis="collect", distance_km=_ZERO)])
            return
        names = self._serving.get(source.source_id)
        if names is None:
            names = [name for name, one in self._settings.carriers.items() if _serves(one, source)]
            self._serving[source.source_id] = names
        if not names:
            self._own(order, source)
        for name in names:
            if self._settings.carriers[name].kind == "table":
                self._by_table(name, order, source)
            else:
                self._asked.append((self._question(name, order, source), order, source))

    def answer(self, tx: Transaction) -> None:
        """Put in what carriers have answered, or the tables that stand in for them."""
        asked = [one for question, _, _ in self._asked for one in (question, _half(question)) if one]
        keys = dict.fromkeys((question.carrier, question.text) for question in asked)
        kept = {(row.carrier, row.question): row for row in tx.quotes.find(list(keys))}
        for question, order, source in self._asked:
            row, part = self._answered(kept, question), _half(question)
            less = self._answered(kept, part) if part and (row is None or row.offers != _NOTHING) else None
            if row is None:
                self._fall_back(question.carrier, order, source, "it has not been asked yet, or long ago")
                continue
            said = json.loads(row.offers)
            if not said:
                reasons = "; ".join(text for _, text in json.loads(row.findings))
                self._fall_back(question.carrier, order, source, reasons)
                continue
            lighter = {name: Decimal(cost) for name, cost, _ in json.loads(less.offers)} if less else {}
            for name, cost, days in said:
                fixed, per_kg = Decimal(cost), _ZERO
                if part and name in lighter:
                    fixed, per_kg = _line_through(question, fixed, part, lighter[name])
                made = _service(
                    source,
                    order,
                    carrier=question.carrier,
                    service=name,
                    cost_fixed=fixed,
                    cost_per_kg=per_kg,
                    transit_days=days,
                    basis="quote",
                    distance_km=self._distance(order, source),
                    currency=order.currency,
                )
                self._keep([made])

    def _answered(self, kept: Mapping[tuple[str, str], QuoteRow], question: Question) -> QuoteRow | None:
        """The answer as long as it holds; otherwise it is to be asked."""
        key = (question.carrier, question.text)
        row = kept.get(key)
        if row is None or row.until <= self._now:
            self._missing[key] = question
            return None
        return row

    def result(self) -> Offers:
        """All of it."""
        return Offers(tuple(self._services.values()), tuple(self._findings), tuple(self._missing.values()))

    def _keep(self, found: Iterable[Service]) -> None:
        for one in found:
            self._services.setdefault((one.source_id, one.order_id, one.carrier, one.service), one)

    def _note(self, rule: str, path: str, text: str) -> None:
        self._findings[Finding(rule, path, text)] = None

    def _own(self, order: OrderDemand, source: Source) -> None:
        """Our own rate, where no carrier is set for the source."""
        own = self._settings.freight
        if own.currency and own.currency != order.currency:
            self._note("other-currency", "freight.currency", f"our rate is in {own.currency}, not {order.currency}")
            return
        distance = self._distance(order, source)
        cost = own.cost + own.cost_per_km * (distance or _ZERO)
        days = own.transit_days
        self._keep([_service(source, order, cost_fixed=cost, transit_days=days, basis="own", distance_km=distance)])

    def _by_table(self, name: str, order: OrderDemand, source: Source) -> None:
        if name not in self._read:
            self._read[name] = self._table(name)
        read = self._read[name]
        if read is None:
            return
        made = read.quoted(order, source, self._weight(order))
        if isinstance(made, Finding):
            self._findings[replace(made, path=f"carriers.{name}.{made.path}")] = None
            return
        distance = self._distance(order, source)
        self._keep(
            _service(
                source,
                order,
                carrier=one.carrier,
                service=one.service,
                cost_fixed=one.cost_fixed,
                cost_per_kg=one.cost_per_kg,
                transit_days=one.transit_days,
                basis=one.basis,
                distance_km=distance,
                currency=one.currency,
            )
            for one in made
        )

    def _table(self, name: str) -> RatesRead | None:
        """A carrier's rates; looked at once for all orders, so that files are not asked about again and again."""
        try:
            read = rate_table(self._settings, name)
        except ConfigError as error:
            self._note("bad-table", f"carriers.{name}", error.message)
            return None
        if read.fault:
            text = f"its new rates do not count, the last good ones do: {read.fault}"
            self._note("bad-table", f"carriers.{name}", text)
        if not usable(list(read.findings)):
            self._note("bad-table", f"carriers.{name}", "its table has faults: see hansa carrier check")
            return None
        return read

    def _weight(self, order: OrderDemand) -> Decimal:
        found = self._weights.get(order.order_id)
        if found is None:
            found = sum((line.quantity * line.weight_kg for line in order.lines), _ZERO)
            self._weights[order.order_id] = found
        return found

    def _fall_back(self, name: str, order: OrderDemand, source: Source, reason: str) -> None:
        table = self._settings.carriers[name].fallback
        if not table:
            self._note("no-quote", f"carriers.{name}", f"no quote of {name}: {reason}")
            return
        self._note("fallback", f"carriers.{name}", f"the rates of {table} stand in for {name}: {reason}")
        self._by_table(table, order, source)

    def _question(self, name: str, order: OrderDemand, source: Source) -> Question:
        weight = max(self._weight(order), _WEIGHT_STEP)
        request = QuoteRequest(
            from_country=source.country,
            from_postal_code=source.postal_code,
            country=order.country,
            postal_code=order.postal_code,
            weight_kg=weight.quantize(_WEIGHT_STEP, rounding=ROUND_CEILING),
            currency=order.currency,
        )
        return Question(name, request)

    def _distance(self, order: OrderDemand, source: Source) -> Decimal | None:
        if not self._places.by_country:
            return None
        start = self._place(source.country, source.postal_code, f"sources.{source.source_id}")
        to = self._place(order.country, order.postal_code, f"orders.{order.order_id}")
        return None if start is None or to is None else apart(start, to)

    def _place(self, country: str, postal_code: str, path: str) -> Place | None:
        """Where it is; told once where that is not known."""
        key = (country, postal_code)
        if key not in self._where:
            self._where[key] = self._places.place(country, postal_code)
            finding = self._places.finding(country, postal_code, path)
            if finding is not None:
                self._findings[finding] = None
        return self._where[key]


def _service(source: Source, order: OrderDemand, **more: Any) -> Service:
    return Service(source_id=source.source_id, order_id=order.order_id, **more)


def _half(question: Question) -> Question | None:
    """The same question for half of the weight; None where it is as light as can be asked."""
    whole = question.request.weight_kg
    weight = (whole / 2).quantize(_WEIGHT_STEP, rounding=ROUND_CEILING)
    return Question(question.carrier, replace(question.request, weight_kg=weight)) if weight < whole else None


def _line_through(whole: Question, cost: Decimal, part: Question, part_cost: Decimal) -> tuple[Decimal, Decimal]:
    """(fixed, per kg) of the line through two quotes, so that a part of an order does not cost what all of it would.

    Nothing lighter is cheaper than free, and nothing lighter is dearer than the whole.
    """
    heavy, light = whole.request.weight_kg, part.request.weight_kg
    per_kg = max(_ZERO, (cost - part_cost) / (heavy - light))
    per_kg = min(per_kg, cost / heavy).quantize(_PER_KG, rounding=ROUND_FLOOR)
    return cost - per_kg * heavy, per_kg


def _serves(one: CarrierSettings, source: Source) -> bool:
    return any(matches(pattern, source.source_id) for pattern in one.sources)


# --- what files say ---------------------------------------------------------------------------------------------------


def rate_table(settings: Settings, name: str) -> RatesRead:
    """A carrier's table, read again when its files have changed.

    Raises ConfigError when there never was a good one.
    """
    path = settings.home / settings.carriers[name].file

    def read() -> tuple[RatesRead, tuple[Path, ...]]:
        table, files = read_rate_table(path, name)
        return RatesRead(table, tuple(findings(table)), {}), files

    found, fault = _TABLES.get((path, name), (path,), read)
    return found if fault is None else found._replace(fault=fault.message)


def places(settings: Settings) -> tuple[Places, tuple[Finding, ...]]:
    """Where postal codes lie, by the tables of the settings, and what is wrong in them; nothing where none can be read.

    Never raises: without a table distances are not known, and a finding says why.
    """
    paths = tuple(settings.home / name for name in settings.freight.postal_codes)
    if not paths:
        return Places(), ()

    def read() -> tuple[tuple[Places, tuple[Finding, ...]], tuple[Path, ...]]:
        found, remarks = read_places(paths)
        return (found, tuple(remarks)), paths

    try:
        (found, remarks), fault = _PLACES.get(paths, paths, read)
    except ConfigError as error:
        return Places(), (Finding("bad-places", "freight.postal_codes", error.message),)
    more = (Finding("bad-places", "freight.postal_codes", fault.message),) if fault else ()
    return found, remarks + more


def check_files(settings: Settings) -> list[str]:
    """What is odd in the tables that the settings name. Raises ConfigError for one that cannot be read or used."""
    told = []
    for name, one in settings.carriers.items():
        if one.kind != "table":
            with open_carrier(settings, name) as carrier:
                told += [f"carrier {name}: {remark}" for remark in carrier.check()]
            continue
        path = settings.home / one.file
        found = findings(read_rate_table(path, name)[0])
        if not usable(found):
            fatal = next(remark for remark in found if remark.rule in FATAL)
            raise ConfigError(f"{path}: {fatal.path}: {fatal.text}", hint=f"hansa carrier check {name}")
        told += [f"carrier {name}: {remark.path}: {remark.text}" for remark in found]
    _, remarks = read_places(tuple(settings.home / name for name in settings.freight.postal_codes))
    return told + [f"{remark.path}: {remark.text}" for remark in remarks]


# --- what carriers say ------------------------------------------------------------------------------------------------


def carrier_kinds() -> list[str]:
    """The kinds of carriers that are installed, `table` first."""
    return ["table", *sorted(entry_points(group=CARRIER_GROUP).names)]


@contextlib.contextmanager
def open_carrier(settings: Settings, name: str) -> Iterator[CarrierQuotes]:
    """A carrier that can be asked. Raises ConfigError when its kind is not installed or it is set wrong."""
    one = settings.carriers[name]
    found = [point for point in entry_points(group=CARRIER_GROUP) if point.name == one.kind]
    at = f'{settings.file}: carriers."{name}"'
    if not found:
        hint = f"kinds are: {', '.join(carrier_kinds())}"
        raise ConfigError(f"{at}.kind: no carrier of kind {one.kind!r} is installed", hint=hint)
    try:
        make = found[0].load()
    except ImportError as error:
        hint = "install the package that it needs"
        raise ConfigError(f"{at}.kind: {one.kind!r} cannot be loaded: {error}", hint=hint) from None
    section = {
        "name": name,
        "file": one.file,
        "url": one.url,
        "secret": carrier_secret(settings, name),
        "timeout_seconds": one.timeout_seconds,
        "ca_file": one.ca_file,
        "currency": one.currency,
    }
    try:
        made: CarrierQuotes = make(section, settings.home)
    except ConfigError as error:
        raise ConfigError(f"{at}: {error.message}", hint=error.hint) from None
    with contextlib.closing(made):
        yield made


def refresh(store: Store, ctx: Context, questions: Iterable[Question]) -> list[Finding]:
    """Ask carriers and keep what they say; returns what was wrong. Not inside a transaction: it waits for networks.

    Never raises for what a carrier does. One that cannot be asked at all (settings) is a finding, and is kept as an
    answer without offers like one that was silent, so that it is not asked again before `retry_seconds`.
    """
    by_carrier: dict[str, dict[str, Question]] = {}
    for one in questions:
        by_carrier.setdefault(one.carrier, {})[one.text] = one
    told: list[Finding] = []
    for name, asked in by_carrier.items():
        some = list(asked.values())[:QUESTIONS_MAX]
        answers = _ask(ctx.settings, name, [one.request for one in some])
        told += (remark for answer in answers for remark in answer.findings)
        now = ctx.now_micros()
        rows = [_row(ctx.settings.carriers[name], one, said, now) for one, said in zip(some, answers, strict=True)]
        store.write(lambda tx, rows=rows, now=now: _keep_rows(tx, rows, now))  # type: ignore[misc]
    return list(dict.fromkeys(told))


def _ask(settings: Settings, name: str, requests: list[QuoteRequest]) -> list[Quotation]:
    try:
        with open_carrier(settings, name) as carrier:
            return carrier.quotes(requests)
    except ConfigError as error:
        return [Quotation(findings=(Finding("bad-settings", f"carriers.{name}", error.message),))] * len(requests)


def _row(one: CarrierSettings, question: Question, said: Quotation, now: int) -> QuoteRow:
    made = [[offer.service, f"{offer.cost:f}", offer.transit_days] for offer in said.offers]
    seconds = one.cache_seconds if made else one.retry_seconds
    return QuoteRow(
        carrier=question.carrier,
        question=question.text,
        offers=json.dumps(made, ensure_ascii=False),
        findings=json.dumps([[remark.rule, remark.text] for remark in said.findings], ensure_ascii=False),
        at=now,
        until=now + seconds * _MICROS,
    )


def _keep_rows(tx: Transaction, rows: Sequence[QuoteRow], now: int) -> None:
    tx.quotes.drop_old(now, DROPPED_AT_ONCE)
    tx.quotes.put(rows)
