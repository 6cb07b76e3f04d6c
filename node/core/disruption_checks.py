"""Validation of notices of disruption."""

from __future__ import annotations

from node.core.disruption import HOPS_MAX
from node.core.document.disruption import DisruptionKind, DisruptionLine, DisruptionNotice
from node.core.line_checks import Checks

__all__ = ["DAYS_LATE_MAX", "check_disruption"]

DAYS_LATE_MAX = 366
"""Days of a plausible delay; what comes later than that is a shortage."""


def check_disruption(checks: Checks, document: DisruptionNotice) -> None:
    """A notice says what is wrong, since when, and of what; a delay says how long."""
    kind = document.kind
    if kind is DisruptionKind.UNSPECIFIED:
        words = ", ".join(one.value for one in DisruptionKind if one is not DisruptionKind.UNSPECIFIED)
        checks.add("disruption-kind", "kind", f"one of {words} was expected")
    period = document.period
    checks.period(period, "period")
    if kind is not DisruptionKind.RECOVERED and (period is None or period.start_on is None):
        checks.add("date-missing", "period.start_on", "the day since or from which it holds was expected")
    header = document.header
    if header is not None and header.hops_left > HOPS_MAX:
        checks.add("hops", "header.hops_left", f"{header.hops_left} was given, at most {HOPS_MAX} was expected")
    if kind is DisruptionKind.RECOVERED and header is not None and not header.root_id:
        checks.add("root", "header.root_id", "the first notice that this ends was expected")
    if not document.lines:
        checks.add("no-lines", "lines", "at least one line was expected; one that names nothing means all")
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        _check_line(checks, kind, line, f"lines[{place}]")
        if checks.is_full:
            return


def _check_line(checks: Checks, kind: DisruptionKind, line: DisruptionLine, path: str) -> None:
    checks.item(line.item, f"{path}.item", needed=False)
    checks.location(line.location, f"{path}.location")
    if line.quantity_left is not None:
        checks.quantity(line.quantity_left, f"{path}.quantity_left", zero=True)
        if line.item is None and line.quantity_left.value:
            checks.add("item-missing", f"{path}.item", "the item of which so much is left was expected")
    if line.days_late > DAYS_LATE_MAX:
        text = f"{line.days_late} days were given, at most {DAYS_LATE_MAX} were expected"
        checks.add("days-late", f"{path}.days_late", text)
    elif kind is DisruptionKind.DELAY and not line.days_late:
        checks.add("days-late", f"{path}.days_late", "by how many days it is late was expected")
