"""Who may see which stock figure, and how precisely: a policy is data, and the first rule that matches decides.

A rule names a partner, an item and a location by pattern (``*`` stands for any characters, everything else for itself)
and says how the figure is told:

======  ===============================================================================================================
exact   as it is
capped  at most `cap` (50 of 4,000; below the cap the figure is exact)
band    only between which two of `bands` it lies; told as the lower end, with the upper end beside it
yes_no  1 or 0
hidden  not at all: the row is left out
======  ===============================================================================================================

`reserve_percent` is kept back before that, and whole pieces remain whole. Where no rule matches, the policy's default
decides; it is stated, never implied. Anything that would tell more than the figure (what is on hand, expected
supply, a figure below zero) goes when the figure is not exact, so that two stock levels which a policy maps to one
figure cannot be told apart.

Stock that is set aside for one partner (`pool`) is only ever shown to that partner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from node.core.decimals import SCALE
from node.core.document.inventory import FigureKind
from node.core.finding import Finding
from node.core.rows import StockRow
from node.core.unit_codes import PIECES

__all__ = [
    "BAND",
    "CAPPED",
    "EXACT",
    "HIDDEN",
    "NOTHING_TAKEN",
    "YES_NO",
    "Policy",
    "Rule",
    "Taken",
    "after_reserve",
    "lower_end",
    "matches",
    "policy_findings",
    "rule_of",
    "share",
    "with_exposure",
]

EXACT = "exact"
CAPPED = "capped"
BAND = "band"
YES_NO = "yes_no"
HIDDEN = "hidden"

_FIGURES = {EXACT: FigureKind.EXACT, CAPPED: FigureKind.CAPPED, BAND: FigureKind.BAND, YES_NO: FigureKind.YES_NO}
_ONE = 10**SCALE
_BAR = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a policy. `cap` and `bands` (ascending lower ends) are scaled quantities in the item's unit.

    `item` is matched against the item key, the GTIN and the owner's number.
    """

    partner: str
    item: str
    location: str
    figure: str
    cap: int = 0
    bands: tuple[int, ...] = ()
    reserve_percent: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether rows go out as they are."""
        return self.figure == EXACT and not self.reserve_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules in their order, and what holds where none matches. `pools` names the partner of each pool of stock that
    is set aside; a pool that is not listed is the partner's whose participant id is its name."""

    default: Rule
    rules: tuple[Rule, ...] = ()
    pools: Mapping[str, str] = field(default_factory=dict)


def policy_findings(policy: Policy) -> list[Finding]:
    """What is wrong with a policy: unknown words, missing values, and rules that no row can ever reach."""
    found: list[Finding] = []
    for place, rule in enumerate((*policy.rules, policy.default)):
        path = f"rules[{place}]" if place < len(policy.rules) else "default"
        if rule.figure not in (*_FIGURES, HIDDEN):
            text = f"{rule.figure!r} was given; exact, capped, band, yes_no or hidden was expected"
            found.append(Finding("figure", f"{path}.figure", text))
        if rule.figure == CAPPED and rule.cap <= 0:
            found.append(Finding("cap", f"{path}.cap", "a positive cap was expected"))
        if rule.figure == BAND and (not rule.bands or list(rule.bands) != sorted(set(rule.bands)) or rule.bands[0] < 0):
            found.append(Finding("bands", f"{path}.bands", "ascending lower ends from zero were expected"))
        if not 0 <= rule.reserve_percent <= 100:
            found.append(Finding("percent", f"{path}.reserve_percent", "0 to 100 was expected"))
        for name in ("partner", "item", "location"):
            if not getattr(rule, name):
                text = 'a pattern was expected; "*" says that everything is meant'
                found.append(Finding("pattern", f"{path}.{name}", text))
        if place < len(policy.rules):
            for earlier, other in enumerate(policy.rules[:place]):
                if _covers(other, rule):
                    text = f"rules[{earlier}] already matches everything that this one is for; it can never match"
                    found.append(Finding("unreachable", path, text))
                    break
    return found


def _covers(earlier: Rule, later: Rule) -> bool:
    """Whether each row that `later` matches is matched by `earlier`: a pattern that matches another one's own text,
    stars and all, matches whatever that one matches."""
    return all(_matches(getattr(earlier, name), getattr(later, name)) for name in ("partner", "item", "location"))


class Taken(NamedTuple):
    """What holds, orders and buffers keep off our figure of one item at one place, scaled."""

    all: int
    held: int = 0
    """The part that the partner holds itself: a figure that is not exact is told as if it did not, else the partner
    could hold piece after piece and watch where the figure jumps."""


NOTHING_TAKEN: Mapping[tuple[str, str], Taken] = {}


def share(
    rows: Sequence[StockRow],
    policy: Policy,
    partner: str,
    taken: Mapping[tuple[str, str], Taken] = NOTHING_TAKEN,
    safety: int = 0,
) -> list[StockRow]:
    """Our own stock as `partner` may see it; rows that are hidden are left out.

    `taken` (by item key and location) and `safety` are kept off the figures of what can be sold.
    """
    rules = [rule for rule in policy.rules if _matches(rule.partner, partner)]
    rules.append(policy.default)
    # Nothing after a rule for everything is ever reached.
    for place, rule in enumerate(rules):
        if rule.item == "*" and rule.location == "*":
            del rules[place + 1 :]
            break
    pools, first = policy.pools, rules[0]
    as_it_is = not taken and not safety
    if len(rules) == 1 and first.is_plain and as_it_is:
        return [row for row in rows if not row[4] or pools.get(row[4], row[4]) == partner]
    shown: list[StockRow] = []
    for row in rows:
        if row.pool and pools.get(row.pool, row.pool) != partner:
            continue
        rule = first if len(rules) == 1 else _rule_for(rules, row)
        off = 0 if as_it_is or row.status != "AVAILABLE" else _off(row, rule, taken, safety)
        if rule.is_plain and not off:
            shown.append(row)
        elif rule.figure != HIDDEN:
            shown.append(_told(row, rule, off))
    return shown


def with_exposure(row: StockRow, exposed: int) -> StockRow:
    """A row as it is shared, with how much its owner's ERP may sell of it at once: only where the figure is exact."""
    if not exposed or row.figure != _FIGURES[EXACT].value or row.status != "AVAILABLE" or row.pool:
        return row
    return row._replace(exposed=exposed)


def _off(row: StockRow, rule: Rule, taken: Mapping[tuple[str, str], Taken], safety: int) -> int:
    """What is kept off a figure before it is told by a rule. Nothing is kept back of what is set aside."""
    if row.pool:
        mine = taken.get(place_of(row), Taken(0))
        return mine.all - (0 if rule.figure == EXACT else mine.held)
    off = taken.get((row.item_key, row.location))
    if off is None:
        return safety
    return safety + off.all - (0 if rule.figure == EXACT else off.held)


def place_of(row: StockRow) -> tuple[str, str]:
    """Where a figure of ours is counted on the ledger: stock that is set aside is a place of its own."""
    return (row.item_key, f"{row.location}{_BAR}{row.pool}" if row.pool else row.location)


def location_of(place: str) -> str:
    """Our location code in the second part of such a place."""
    return place.partition(_BAR)[0]


def rule_of(row: StockRow, policy: Policy, partner: str) -> Rule:
    """The rule by which `partner` sees this row."""
    return _rule_for([*(rule for rule in policy.rules if _matches(rule.partner, partner)), policy.default], row)


def _rule_for(rules: list[Rule], row: StockRow) -> Rule:
    """The first rule that matches a row; the policy's default is the last of them."""
    for rule in rules[:-1]:
        if _matches(rule.location, row.location) and (
            _matches(rule.item, row.item_key) or _matches(rule.item, row.gtin) or _matches(rule.item, row.number)
        ):
            return rule
    return rules[-1]


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern, in which ``*`` stands for any characters, is for a text."""
    return _matches(pattern, text)


def _matches(pattern: str, text: str) -> bool:
    return pattern == "*" or pattern == text or ("*" in pattern and _compiled(pattern).fullmatch(text) is not None)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern's stars as a regular expression; runs of stars are one, so that no text makes it slow."""
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), re.DOTALL)


def _told(row: StockRow, rule: Rule, off: int) -> StockRow:
    """A row as a rule tells it, with `off` kept off its figure."""
    available = row.available
    if available is None:
        # Only what is on hand is known; a figure that hides it has nothing left to tell.
        if rule.is_plain:
            return row
        return row._replace(on_hand=None, expected="", figure=_FIGURES[rule.figure].value)
    kept = after_reserve(available, rule.reserve_percent, row.unit)
    if off:
        kept = max(kept - off, min(kept, 0))
    if rule.is_plain:
        return row._replace(available=kept)
    if rule.figure == EXACT:
        return row._replace(on_hand=None, available=kept, expected="")
    end: int | None = None
    if rule.figure == BAND:
        kept, end = _band(max(0, kept), rule.bands)
    else:
        kept = lower_end(rule, max(0, kept))
    return row._replace(on_hand=None, available=kept, band_end=end, expected="", figure=_FIGURES[rule.figure].value)


def lower_end(rule: Rule, figure: int) -> int:
    """The least that a partner must conclude from what it is told of a figure that is not below zero."""
    if rule.figure == CAPPED:
        return min(figure, rule.cap)
    if rule.figure == YES_NO:
        return _ONE if figure > 0 else 0
    return _band(figure, rule.bands)[0] if rule.figure == BAND else figure


def after_reserve(available: int, percent: int, unit: str) -> int:
    """What is left after keeping `percent` back, in whole pieces and packages."""
    if available <= 0 or not percent:
        return available
    left = available * (100 - percent) // 100
    if unit in PIECES or unit[:1] == "X":
        left -= left % _ONE
    return left


def _band(available: int, bands: tuple[int, ...]) -> tuple[int, int | None]:
    """Lower and (exclusive) upper end of the band that holds the figure; the last band has no upper end."""
    lower, upper = 0, None
    for end in bands:
        if available < end:
            upper = end
            break
        lower = end
    return lower, upper
