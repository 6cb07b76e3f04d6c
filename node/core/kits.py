"""Kits in customer orders: a line whose item is made of others is fulfilled by lines of its components, or whole.

What of a kit's line is made of components is counted by the component lines (`kits`: for how many kits each of them
is), in groups: the components of one group come from one site. The rest of the line is sourced whole, like any other
item. So the accounts of all lines stay exact to the unit, and a kit stands where its furthest behind component does:

    ordered kits = cancelled + what pieces of whole kits hold + kits made of components + remainder
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from node.core.customer_rows import CustomerLineRow
from node.core.decimals import SCALE
from node.core.item_key import GTIN_PREFIX

__all__ = [
    *("Part", "cancelled_kits", "evened", "exploded", "give_up", "groups_of", "in_parts", "is_made", "open_groups"),
    *("parts_balance", "touched", "whole_of"),
]

ONE = 10**SCALE


class Part(NamedTuple):
    """What one kit takes of an item: scaled, in `unit`. `number` is our own number of it, "" where it has none."""

    item_key: str
    number: str
    quantity: int
    unit: str


def is_made(line: CustomerLineRow) -> bool:
    """Whether it is a component line that `exploded` has made, down to the bottom; a channel's own is none."""
    return bool(line.parent_line) and line.line_id.startswith(f"{line.parent_line}/")


def _group(line: CustomerLineRow) -> tuple[str, str]:
    """The kit's line and the group that a component line belongs to; what a channel has split itself is one group."""
    return line.parent_line, line.line_id.rpartition(".")[0] if is_made(line) else ""


def _groups(lines: Iterable[CustomerLineRow]) -> dict[tuple[str, str], list[CustomerLineRow]]:
    found: dict[tuple[str, str], list[CustomerLineRow]] = {}
    for line in lines:
        if line.parent_line:
            found.setdefault(_group(line), []).append(line)
    return found


def groups_of(line: CustomerLineRow, lines: Iterable[CustomerLineRow]) -> list[list[CustomerLineRow]]:
    """The component lines of a kit's line, group by group."""
    return [parts for (parent, _), parts in _groups(lines).items() if parent == line.line_id]


def in_parts(lines: Iterable[CustomerLineRow]) -> dict[str, int]:
    """By kit's line how many kits (scaled) are made of components."""
    found: dict[str, int] = {}
    for (parent, _), parts in _groups(lines).items():
        found[parent] = found.get(parent, 0) + max(part.kits for part in parts)
    return found


def _gtin_of(item_key: str) -> str:
    """The GTIN in an item's key, as short as it is printed; "" for a key without one."""
    digits = item_key.removeprefix(GTIN_PREFIX).lstrip("0") if item_key.startswith(GTIN_PREFIX) else ""
    return digits.zfill(next(length for length in (8, 12, 13, 14) if len(digits) <= length)) if digits else ""


def exploded(
    line: CustomerLineRow, groups: Sequence[tuple[int, Sequence[Part]]], lines: Sequence[CustomerLineRow]
) -> list[CustomerLineRow]:
    """New lines for the components of kits: of each group for how many kits (scaled), and what each of those takes."""
    ordinal = max((one.ordinal for one in lines), default=0)
    used = {one.line_id.rpartition(".")[0] for one in lines}
    places = (place for place in count(1) if f"{line.line_id}/{place}" not in used)
    made = []
    for (kits, parts), place in zip(groups, places, strict=False):
        for number, part in enumerate(parts, 1):
            ordinal += 1
            made.append(
                line._replace(
                    line_id=f"{line.line_id}/{place}.{number}",
                    ordinal=ordinal,
                    item_key=part.item_key,
                    gtin=_gtin_of(part.item_key),
                    seller_number=part.number,
                    buyer_number="",
                    description="",
                    quantity=kits * part.quantity // ONE,
                    unit=part.unit,
                    price=None,
                    parent_line=line.line_id,
                    no_split=1,
                    cancelled=0,
                    cancel_asked=0,
                    kits=kits,
                )
            )
    return made


def open_groups(wanted: Sequence[tuple[CustomerLineRow, int]]) -> dict[str, tuple[str, int]]:
    """By component line the group and for how many whole kits all of its components are open; others are left out.

    Where components of a group are open unevenly, because one of them failed alone, each is sourced for itself.
    """
    left = {line.line_id: quantity for line, quantity in wanted if quantity > 0}
    found: dict[str, tuple[str, int]] = {}
    for (parent, group), parts in _groups(line for line, _ in wanted).items():
        counts = {left.get(part.line_id, 0) * part.kits / part.quantity if part.quantity else 0.0 for part in parts}
        whole = counts.pop() / ONE if len(counts) == 1 else 0.0
        if whole >= 1 and whole == int(whole):
            found |= {part.line_id: (group or parent, int(whole)) for part in parts}
    return found


def whole_of(part: CustomerLineRow, quantity: int) -> int:
    """For how many whole kits (scaled) so much of a component is enough."""
    return quantity * part.kits // part.quantity // ONE * ONE if part.quantity else part.kits


def touched(part: CustomerLineRow, quantity: int) -> int:
    """How many kits (scaled) are not whole without so much of a component."""
    return -(-quantity * part.kits // (part.quantity * ONE)) * ONE if part.quantity else 0


def parts_balance(
    line: CustomerLineRow, sums: Mapping[str, Mapping[str, int]], lines: Iterable[CustomerLineRow]
) -> dict[str, int]:
    """What has become of the kits of a line that are made of components, by the accounts of those (`sums`, by line).

    Cancelled and delivered is what all components are; open and back-ordered what any of them is; the rest is live.
    """
    total = {"cancelled": 0, "delivered": 0, "back_ordered": 0, "live": 0, "open": 0}
    for (parent, _), parts in _groups(lines).items():
        if parent != line.line_id:
            continue
        left = max(part.kits for part in parts)
        for name in ("cancelled", "delivered"):
            whole = min(left, *(whole_of(part, sums[part.line_id][name]) for part in parts))
            total[name], left = total[name] + whole, left - whole
        for name in ("open", "back_ordered"):
            missing = min(left, max(touched(part, sums[part.line_id][name]) for part in parts))
            total[name], left = total[name] + missing, left - missing
        total["live"] += left
    return total


def cancelled_kits(line: CustomerLineRow, lines: Iterable[CustomerLineRow]) -> int:
    """How many kits of a line (scaled) are wanted no more as far as their components go."""
    found = 0
    for (parent, _), parts in _groups(lines).items():
        if parent == line.line_id:
            found += max(touched(part, part.cancelled + part.cancel_asked) for part in parts)
    return found


def give_up(line: CustomerLineRow, kits: int, lines: Iterable[CustomerLineRow]) -> tuple[int, list[CustomerLineRow]]:
    """Ask for so many kits less of their components, the last group first; returns how many, and the changed lines."""
    given, changed = 0, []
    for (parent, _), parts in reversed(list(_groups(lines).items())):
        if parent != line.line_id or given >= kits:
            continue
        left = max(part.kits for part in parts)
        left -= max(touched(part, part.cancelled + part.cancel_asked) for part in parts)
        part_of = min(kits - given, left) // ONE * ONE
        if part_of <= 0:
            continue
        given += part_of
        changed += [
            part._replace(cancel_asked=part.cancel_asked + part_of * part.quantity // part.kits) for part in parts
        ]
    return given, changed


def evened(lines: Iterable[CustomerLineRow]) -> list[CustomerLineRow]:
    """The component lines of which more is to be given up, because without the others it makes no whole kit."""
    changed = []
    for parts in _groups(lines).values():
        kits = max(touched(part, part.cancelled + part.cancel_asked) for part in parts)
        for part in parts:
            more = kits * part.quantity // part.kits - part.cancelled - part.cancel_asked if part.kits else 0
            if more > 0:
                changed.append(part._replace(cancel_asked=part.cancel_asked + more))
    return changed
