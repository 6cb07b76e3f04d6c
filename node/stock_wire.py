"""The gate for inventory reports: their lines pass as columns of rows, never as an object for each line.

A snapshot has a million lines, and an object with its parts for each would cost more than all the rest. The rules are
those of `node.wire`: plain bounded decimals, known units, check digits; each line at fault is a finding with its path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.message import DecodeError

from node.codec import codec_of, message_class
from node.core.decimals import SCALE, format_decimal, from_scaled, parse_decimal, to_scaled
from node.core.document.inventory import FigureKind, InventoryReport, StockStatus
from node.core.finding import Finding
from node.core.identifiers import wrong_gtins
from node.core.rows import StockRow
from node.core.units import is_unit
from node.errors import RefusedError
from node.wire import DOCUMENT_BYTES_MAX, InvalidFieldsError, micros

__all__ = ["StockReport", "expected_text", "own_rows", "plain", "read_report", "scaled", "write_report"]

LINES_MAX = 50_000
FINDINGS_MAX = 20
_ONE = 10**SCALE
_CACHE_MAX = 100_000
_FIGURES = [kind.value for kind in FigureKind]
_STATUSES = [status.value for status in StockStatus]
_scaled: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class StockReport:
    """A report without its lines, its lines as rows (snapshot 0), and what is wrong with some of them."""

    report: InventoryReport
    rows: list[StockRow]
    findings: list[Finding]


def scaled(text: str) -> int:
    """A plain decimal as a scaled integer. Raises RefusedError ``bad-decimal``."""
    found = _scaled.get(text)
    if found is None:
        found = to_scaled(parse_decimal(text))
        if len(_scaled) >= _CACHE_MAX:
            _scaled.clear()
        _scaled[text] = found
    return found


def plain(value: int) -> str:
    """A scaled integer as a plain decimal."""
    whole, rest = divmod(value, _ONE)
    return str(whole) if not rest else format_decimal(from_scaled(value))


def expected_text(supply: Iterable[tuple[int, str, str]]) -> str:
    """Expected supply as the store keeps it: JSON of [scaled quantity, date, source]."""
    found = [list(one) for one in supply]
    return json.dumps(found) if found else ""


def own_rows(
    columns: Mapping[str, Sequence[str | None]], count: int, own: str, as_of: int
) -> tuple[list[StockRow], list[tuple[int, str, str]]]:
    """Our own figures from columns of texts by field path, as rows (partner "", snapshot and change 0).

    A line that is wrong is left out, and told by its place, rule and text. Column by column, because a million lines
    pass here: what can be looked at once for all lines of a chunk is.
    """
    absent: list[str | None] = [None] * count

    def texts(path: str, default: str) -> list[str]:
        return [text or default for text in columns.get(path) or absent]

    gtins, numbers, units = texts("item.gtin", ""), texts("item.seller_number", ""), texts("unit", "C62")
    prefix = f"no:{own}:"
    keys = [f"gtin:{gtin:0>14}" if gtin else prefix + number for gtin, number in zip(gtins, numbers, strict=True)]
    faults: dict[int, tuple[str, str]] = {}
    held = _scaled_column(columns.get("on_hand") or absent, faults)
    free = _scaled_column(columns.get("available") or absent, faults)
    if None in free:
        free = [known if known is not None else other for known, other in zip(free, held, strict=True)]
    for place, amount in enumerate(free) if None in free else ():
        if amount is None:
            faults.setdefault(place, ("no-quantity", "neither on hand nor available is given"))
    for wrong in {unit for unit in set(units) if not is_unit(unit)}:
        for place in (place for place, unit in enumerate(units) if unit == wrong):
            faults[place] = ("unknown-unit", f"{wrong!r} is no UN/ECE Rec 20 or 21 unit")
    for place in _wrong_of(gtins):
        faults[place] = ("bad-gtin", f"{gtins[place]!r} is no GTIN: check digit or length")
    for place in [place for place, gtin in enumerate(gtins) if not gtin and not numbers[place]]:
        faults[place] = ("unnamed-item", "neither a GTIN nor a number")
    places = (texts("location", ""), texts("pool", ""), texts("status", "AVAILABLE"))
    same = [[value] * count for value in ("", 0, "EXACT", None, "", as_of, 0)]
    before, after = (keys, *same[:2], *places, same[2], held, free, same[3]), (units, gtins, numbers, *same[4:])
    rows = list(map(StockRow._make, zip(*before, *after, strict=True)))
    if faults:
        rows = [row for place, row in enumerate(rows) if place not in faults]
    return rows, [(place, *faults[place]) for place in sorted(faults)]


def _wrong_of(gtins: Sequence[str]) -> list[int]:
    """The places of the GTINs that are wrong; where there is none, nothing is."""
    if all(gtins):
        return wrong_gtins(gtins)
    places = [place for place, gtin in enumerate(gtins) if gtin]
    return [places[at] for at in wrong_gtins([gtins[place] for place in places])]


def _scaled_column(texts: Sequence[str | None], faults: dict[int, tuple[str, str]]) -> list[int | None]:
    """A column of plain decimals as scaled integers; what is none is None and a fault."""
    found: list[int | None] = []
    known = _scaled.get
    for place, text in enumerate(texts):
        amount = known(text) if text else None
        if amount is None and text:
            try:
                amount = scaled(text)
            except RefusedError as error:
                faults[place] = (error.code, error.message)
        found.append(amount)
    return found


def read_report(body: bytes, owner: str) -> StockReport:
    """Read a report of `owner`'s. Raises InvalidFieldsError when it cannot be read as a whole."""
    if len(body) > DOCUMENT_BYTES_MAX:
        raise InvalidFieldsError([Finding("too-large", "", f"{len(body)} bytes; at most {DOCUMENT_BYTES_MAX}")])
    codec = codec_of(InventoryReport)
    try:
        message = codec.message.FromString(body)
    except DecodeError:
        raise InvalidFieldsError([Finding("unreadable", "", f"{len(body)} bytes are no InventoryReport")]) from None
    lines = message.lines
    if len(lines) > LINES_MAX:
        raise InvalidFieldsError([Finding("too-large", "lines", f"{len(lines)} lines; at most {LINES_MAX}")])
    as_of = message.as_of.seconds * 1_000_000 + message.as_of.nanos // 1000
    findings: list[Finding] = []
    rows = []
    gtins = [line.item.gtin for line in lines]
    wrong = set(_wrong_of(gtins))
    for index, (line, gtin) in enumerate(zip(lines, gtins, strict=True)):
        try:
            if index in wrong:
                text = f"{gtin!r} is no GTIN: its check digit or length is wrong"
                raise RefusedError(text, code="bad-gtin")
            rows.append(_read_line(line, gtin, owner, as_of))
        except (RefusedError, ValueError, IndexError) as error:
            rule = error.code if isinstance(error, RefusedError) else "bad-line"
            if len(findings) < FINDINGS_MAX:
                findings.append(Finding(rule, f"lines[{index}]", str(error)))
    del message.lines[:]
    try:
        report = codec.decode(message)
    except (RefusedError, ValueError, TypeError, OverflowError) as error:
        raise InvalidFieldsError([codec.locate(message) or Finding("unreadable", "", str(error))]) from None
    return StockReport(cast("InventoryReport", report), rows, findings)


def _read_line(line: Any, gtin: str, owner: str, as_of: int) -> StockRow:
    number, unit = line.item.seller_number, line.unit
    if gtin:
        key = f"gtin:{gtin:0>14}"
    elif number:
        key = f"no:{owner}:{number}"
    else:
        raise RefusedError("a stock line names neither a GTIN nor the seller's number", code="unnamed-item")
    if not is_unit(unit):
        raise RefusedError(f"{unit!r} is no UN/ECE Rec 20 or 21 unit", code="unknown-unit")
    on_hand = scaled(line.on_hand) if line.on_hand else None
    available = scaled(line.available) if line.available else None
    if (on_hand is not None and on_hand < 0) or (on_hand is None and available is None):
        raise RefusedError("a stock line needs an on-hand figure from 0, or an available one", code="bad-quantity")
    supply = line.expected_supply
    return StockRow(
        key,
        owner,
        0,
        line.location,
        line.pool,
        _STATUSES[line.status] if line.status else "AVAILABLE",
        _FIGURES[line.figure] if line.figure else "EXACT",
        on_hand,
        available,
        scaled(line.band_end) if line.band_end else None,
        unit,
        gtin,
        number,
        expected_text((scaled(one.quantity), one.on, one.source) for one in supply) if supply else "",
        micros_of(line) if line.HasField("as_of") else as_of,
        0,
    )


def micros_of(line: Any) -> int:
    """A line's own instant in microseconds."""
    return int(line.as_of.seconds * 1_000_000 + line.as_of.nanos // 1000)


def write_report(report: InventoryReport, rows: Iterable[StockRow]) -> bytes:
    """The bytes of a report with these rows as its lines."""
    codec = codec_of(InventoryReport)
    message = message_class("InventoryReport")()
    codec.fill(message, report)
    add = message.lines.add
    figures = {word: number for number, word in enumerate(_FIGURES)}
    statuses = {word: number for number, word in enumerate(_STATUSES)}
    default_as_of = micros(report.as_of) if report.as_of else 0
    for row in rows:
        line = add()
        item = line.item
        if row.gtin:
            item.gtin = row.gtin
        if row.number:
            item.seller_number = row.number
        line.location = row.location
        if row.on_hand is not None:
            line.on_hand = plain(row.on_hand)
        if row.available is not None:
            line.available = plain(row.available)
        line.unit = row.unit
        line.figure = figures[row.figure]
        if row.band_end is not None:
            line.band_end = plain(row.band_end)
        line.status = statuses[row.status]
        if row.pool:
            line.pool = row.pool
        if row.as_of != default_as_of:
            line.as_of.seconds, rest = divmod(row.as_of, 1_000_000)
            line.as_of.nanos = rest * 1000
        if row.expected:
            for quantity, on, source in json.loads(row.expected):
                line.expected_supply.add(quantity=plain(quantity), on=on, source=source)
    return cast("bytes", message.SerializeToString(deterministic=True))
