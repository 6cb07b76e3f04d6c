"""The gate for inventory reports: their lines pass as columns of rows, never as an object for each line.

A snapshot has a million lines, and an object with its parts for each would cost more than all the rest. The rules are
those of `node.wire`: plain bounded decimals, known units, check digits; each line at fault is a finding with its path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
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

__all__ = ["LOT", "StockReport", "expected_text", "own_rows", "plain", "read_report", "scaled", "write_report"]

LINES_MAX = 50_000
FINDINGS_MAX = 20
LOT = "lot"
"""The source of what is no expected supply but a part of the figure, with the day until which it is best."""
_ONE = 10**SCALE
_CACHE_MAX = 100_000
_FIGURES = [kind.value for kind in FigureKind]
_STATUSES = [status.value for status in StockStatus]
_scaled: dict[str, int] = {}
_plain: dict[int, str] = {}


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
    found = _plain.get(value)
    if found is None:
        whole, rest = divmod(value, _ONE)
        found = str(whole) if not rest else format_decimal(from_scaled(value))
        if len(_plain) >= _CACHE_MAX:
            _plain.clear()
        _plain[value] = found
    return found


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
    _name_faults(gtins, numbers, units, faults)
    pools = texts("pool", "")
    if columns.get("owner"):
        # Goods of others that we hold are set aside for them.
        owners = texts("owner", "")
        pools = [pool or (owner if owner != own else "") for pool, owner in zip(pools, owners, strict=True)]
    places = (texts("location", ""), pools, texts("status", "AVAILABLE"))
    same = [[value] * count for value in ("", 0, "EXACT", None, as_of, 0, 0)]
    lots = [""] * count
    if traced := sorted({path.split(".")[0] for path in columns if path.startswith("trace[")}):
        for place in range(count):
            lots[place] = _told_lots(columns, traced, place, held[place], free[place], faults)
    before, after = (keys, *same[:2], *places, same[2], held, free, same[3]), (units, gtins, numbers, lots, *same[4:])
    rows = list(map(StockRow._make, zip(*before, *after, strict=True)))
    if faults:
        rows = [row for place, row in enumerate(rows) if place not in faults]
    return rows, [(place, *faults[place]) for place in sorted(faults)]


def _told_lots(
    columns: Mapping[str, Sequence[str | None]],
    traced: Sequence[str],
    place: int,
    held: int | None,
    free: int | None,
    faults: dict[int, tuple[str, str]],
) -> str:
    """The lots of one line of columns ``trace[0].…``, ``trace[1].…``, as the store keeps them."""

    def text(lot: str, field: str) -> str:
        column = columns.get(f"{lot}.{field}")
        return (column[place] or "") if column else ""

    try:
        whole = held if held is not None else free or 0
        found = []
        for lot in traced:
            if day := text(lot, "best_before_on") or text(lot, "expires_on"):
                amount = text(lot, "quantity.value")
                found.append(_lot(scaled(amount) if amount else whole, day))
        if any(quantity < 0 for quantity, _, _ in found):
            raise RefusedError("a lot has less than nothing", code="bad-quantity")
        told = sum(quantity for quantity, _, _ in found)
        if told > max(held or 0, free or 0):
            raise RefusedError(f"the lots have {plain(told)}, the line has {plain(whole)}", code="trace-exceeds")
        return expected_text(one for one in found if one[0] > 0)
    except RefusedError as error:
        faults.setdefault(place, (error.code, error.message))
        return ""


def _lot(quantity: int, day: str) -> tuple[int, str, str]:
    """A part of a figure, and until when it is best. Raises RefusedError ``bad-date``."""
    try:
        date.fromisoformat(day)
    except ValueError:
        raise RefusedError(f"{day!r} is no day, such as 2026-12-31", code="bad-date") from None
    return quantity, day, LOT


def _name_faults(
    gtins: Sequence[str], numbers: Sequence[str], units: Sequence[str], faults: dict[int, tuple[str, str]]
) -> None:
    """What is wrong with the names of items and units, which weighs more than what else is wrong with a line."""
    for wrong in {unit for unit in set(units) if not is_unit(unit)}:
        for place in (place for place, unit in enumerate(units) if unit == wrong):
            faults[place] = ("unknown-unit", f"{wrong!r} is no UN/ECE Rec 20 or 21 unit")
    for place in _wrong_of(gtins):
        faults[place] = ("bad-gtin", f"{gtins[place]!r} is no GTIN: its check digit or length is wrong")
    if not all(gtins):
        for place in [place for place, gtin in enumerate(gtins) if not gtin and not numbers[place]]:
            faults[place] = ("unnamed-item", "a stock line names neither a GTIN nor the owner's number")


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


def read_report(body: bytes, owner: str, us: str = "") -> StockReport:
    """Read a report of `owner`'s, which may be `us`, our own id. Raises InvalidFieldsError when it is none at all.

    What a line says is a third company's is no supply of a partner's, and is left out; what is ours there is set aside
    for us. In a report of our own, goods of others that we hold are set aside for them.
    """
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
    rows, findings = _read_lines(list(lines), owner, us, as_of)
    del message.lines[:]
    try:
        report = codec.decode(message)
    except (RefusedError, ValueError, TypeError, OverflowError) as error:
        raise InvalidFieldsError([codec.locate(message) or Finding("unreadable", "", str(error))]) from None
    return StockReport(cast("InventoryReport", report), rows, findings)


def _read_lines(lines: list[Any], owner: str, us: str, as_of: int) -> tuple[list[StockRow], list[Finding]]:
    """The lines as rows, field by field, because asking each message for one field at a time costs least."""
    items = [line.item for line in lines]
    gtins, numbers = [item.gtin for item in items], [item.seller_number for item in items]
    units = [line.unit for line in lines]
    faults: dict[int, tuple[str, str]] = {}
    ends = _scaled_column([line.band_end for line in lines], faults)
    held = _scaled_column([line.on_hand for line in lines], faults)
    free = _scaled_column([line.available for line in lines], faults)
    risked = [0] * len(lines)
    if any(line.exposed for line in lines):
        risked = [found or 0 for found in _scaled_column([line.exposed for line in lines], faults)]
    for place, (known, left) in enumerate(zip(held, free, strict=True)):
        if (known is None and left is None) or (known is not None and known < 0):
            text = "a stock line needs an on-hand figure from 0, or an available one"
            faults.setdefault(place, ("bad-quantity", text))
    statuses = _words([line.status for line in lines], _STATUSES, "AVAILABLE", faults)
    figures = _words([line.figure for line in lines], _FIGURES, "EXACT", faults)
    _name_faults(gtins, numbers, units, faults)
    prefix = f"no:{owner}:"
    pools, others = [line.pool for line in lines], set()
    if any(line.owner for line in lines):
        owners = [line.owner if line.owner != owner else "" for line in lines]
        pools = [pool or whose for pool, whose in zip(pools, owners, strict=True)]
        others = {place for place, whose in enumerate(owners) if owner != us and whose not in ("", us)}
    columns = (
        [f"gtin:{gtin:0>14}" if gtin else prefix + number for gtin, number in zip(gtins, numbers, strict=True)],
        [owner] * len(lines),
        [0] * len(lines),
        [line.location for line in lines],
        pools,
        *(statuses, figures, held, free, ends, units, gtins, numbers),
        [
            _supply_of(line, place, faults) if line.expected_supply or line.trace else ""
            for place, line in enumerate(lines)
        ],
        [micros_of(line) if line.HasField("as_of") else as_of for line in lines],
        [max(0, one) for one in risked],
        [0] * len(lines),
    )
    rows = list(map(StockRow._make, zip(*columns, strict=True)))
    if not faults and not others:
        return rows, []
    findings = [Finding(faults[place][0], f"lines[{place}]", faults[place][1]) for place in sorted(faults)]
    kept = [row for place, row in enumerate(rows) if place not in faults and place not in others]
    return kept, findings[:FINDINGS_MAX]


def _words(numbers: list[int], words: list[str], default: str, faults: dict[int, tuple[str, str]]) -> list[str]:
    """The words of an enum's numbers, 0 as the default."""
    known = [default, *words[1:]]
    if numbers and not 0 <= min(numbers) <= max(numbers) < len(known):
        for place in [place for place, number in enumerate(numbers) if not 0 <= number < len(known)]:
            faults[place] = ("bad-line", f"{numbers[place]} is none of {', '.join(words[1:])}")
            numbers[place] = 0
    return [known[number] for number in numbers]


def _supply_of(line: Any, place: int, faults: dict[int, tuple[str, str]]) -> str:
    try:
        found = [(scaled(one.quantity), one.on, one.source) for one in line.expected_supply if one.source != LOT]
        return expected_text([*found, *_lots_of(line)])
    except RefusedError as error:
        faults.setdefault(place, (error.code, error.message))
        return ""


def _lots_of(line: Any) -> Iterable[tuple[int, str, str]]:
    """The parts of a figure with a day until which they are best; one without a quantity is all of it."""
    for one in line.trace:
        day = one.best_before_on or one.expires_on
        if not day:
            continue
        if one.quantity.value and one.quantity.unit not in ("", line.unit or "C62"):
            raise RefusedError(f"a lot in {one.quantity.unit}, the line in {line.unit}", code="unlike-units")
        yield _lot(scaled(one.quantity.value or line.available or line.on_hand or "0"), day)


def micros_of(line: Any) -> int:
    """A line's own instant in microseconds."""
    return int(line.as_of.seconds * 1_000_000 + line.as_of.nanos // 1000)


def write_report(report: InventoryReport, rows: Sequence[StockRow]) -> bytes:
    """The bytes of a report with these rows as its lines."""
    codec = codec_of(InventoryReport)
    message = message_class("InventoryReport")()
    codec.fill(message, report)
    as_of = micros(report.as_of) if report.as_of else 0
    lines = _plain_lines(rows, as_of)
    if lines is None:
        lines = b""
        for row in rows:
            _fill_line(message.lines.add(), row, as_of)
    # In the Protocol Buffers encoding, messages put one behind the other are one message.
    return cast("bytes", message.SerializeToString(deterministic=True)) + lines


def _fill_line(line: Any, row: StockRow, as_of: int) -> None:
    if row.gtin:
        line.item.gtin = row.gtin
    if row.number:
        line.item.seller_number = row.number
    if row.on_hand is not None:
        line.on_hand = plain(row.on_hand)
    if row.available is not None:
        line.available = plain(row.available)
    if row.band_end is not None:
        line.band_end = plain(row.band_end)
    if row.exposed:
        line.exposed = plain(row.exposed)
    _fill_place(line, *row[3:7], row.unit)
    if row.as_of != as_of:
        line.as_of.seconds, rest = divmod(row.as_of, 1_000_000)
        line.as_of.nanos = rest * 1000
    if row.expected:
        for quantity, on, source in json.loads(row.expected):
            if source == LOT:
                line.trace.add(best_before_on=on).quantity.CopyFrom(
                    message_class("Quantity")(value=plain(quantity), unit=row.unit)
                )
                continue
            line.expected_supply.add(quantity=plain(quantity), on=on, source=source)


def _fill_place(line: Any, location: str, pool: str, status: str, figure: str, unit: str) -> None:
    line.location = location
    line.unit = unit
    line.figure = _FIGURES.index(figure)
    line.status = _STATUSES.index(status)
    if pool:
        line.pool = pool


_BYTE = [chr(length) for length in range(128)]
"""A length below 128 is one byte, as is the tag of a field below 16."""


def _tag(message: str, field: str) -> str:
    """The tag of a text or message field: its number and wire type 2."""
    number: int = message_class(message).DESCRIPTOR.fields_by_name[field].number
    return _BYTE[number << 3 | 2]


def _plain_lines(rows: Sequence[StockRow], as_of: int) -> bytes | None:
    """The bytes of these lines put together as text, half the time of a message each; None where one is not plain.

    Plain is a line of short ASCII texts with two figures, as of the report's instant.
    """
    size, known = _BYTE, _plain.get
    line_tag, item_tag = _tag("InventoryReport", "lines"), _tag("StockLine", "item")
    gtin_tag, number_tag = _tag("ItemRef", "gtin"), _tag("ItemRef", "seller_number")
    held_tag, free_tag = _tag("StockLine", "on_hand"), _tag("StockLine", "available")
    places: dict[tuple[str, ...], str] = {}
    found = []
    try:
        for _, _, _, *place, on_hand, available, end, unit, gtin, number, expected, told_at, exposed, _ in rows:
            if on_hand is None or available is None or end is not None or expected or exposed or told_at != as_of:
                return None
            where = (*place, unit)
            rest = places.get(where)
            if rest is None:
                line = message_class("StockLine")()
                _fill_place(line, *where)
                rest = places[where] = line.SerializeToString(deterministic=True).decode("ascii")
            held, free = known(on_hand) or plain(on_hand), known(available) or plain(available)
            item = f"{gtin_tag}{size[len(gtin)]}{gtin}" if gtin else ""
            if number:
                item = f"{item}{number_tag}{size[len(number)]}{number}"
            text = (
                f"{item_tag}{size[len(item)]}{item}{rest}"
                f"{held_tag}{size[len(held)]}{held}{free_tag}{size[len(free)]}{free}"
            )
            found.append(f"{line_tag}{size[len(text)]}{text}")
        return "".join(found).encode("ascii")
    except (IndexError, UnicodeError):
        return None  # a longer text than that, or one beyond ASCII
