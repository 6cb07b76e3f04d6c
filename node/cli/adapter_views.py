"""How adapters look to a person: where they stand, what they would send, and what they could not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.output import Output, shown
from node.cli.words import moment

__all__ = ["VIEWS", "table"]

Result = Mapping[str, Any]


def table(output: Output, adapters: list[Result]) -> None:
    """Where each adapter stands."""
    output.table(
        ["adapter", "kind", "state", "last pull"],
        [
            [
                one["name"],
                one["kind"],
                "started" if one["started"] else f"waits: hansa adapter start {one['name']}",
                moment(one["pulled_at"]),
            ]
            for one in adapters
        ],
        empty="none in our settings: [[adapters]]",
    )


def _adapters(output: Output, told: Result) -> None:
    table(output, told["adapters"])
    for one in told["adapters"]:
        if one["findings"]:
            output.heading(f"{one['name']}: what its last pulls did not take")
        for text in one["findings"]:
            output.line(f"  {text}")
        if one["refused"]:
            output.heading(f"{one['name']}: documents that could not be sent, kept")
            output.table(
                ["type", "key", "from", "since", "why", "next try"],
                [
                    [
                        kept["type"],
                        kept["key"],
                        kept["origin"],
                        moment(kept["since"]),
                        "; ".join(kept["reasons"]),
                        "by itself" if kept["tried_again"] else f"after mending: hansa adapter pull {one['name']}",
                    ]
                    for kept in one["refused"]
                ],
                empty="",
            )
        _quarantine(output, one, told["quarantine_days"])
    output.note(f"installed kinds: {shown(told['installed'])}")


def _quarantine(output: Output, one: Result, days: int) -> None:
    """Files that could not be read at all."""
    files, since = one["quarantine"]["files"], one["quarantine"]["since"]
    if files:
        output.heading(f"{one['name']}: files that cannot be read, in its folder quarantine")
        until = f"deleted after {days} days" if days else "kept until you delete them"
        output.line(f"  {files}, the oldest since {moment(since)}; {until} (retention.quarantine_days)")
        output.line("  mend them, drop them into the folder in again, and delete those here")


def _findings(output: Output, findings: list[Result]) -> None:
    if not findings:
        return
    output.heading("Findings")
    output.table(
        ["source", "row", "column", "field", "what"],
        [
            [
                one["source"],
                one["row"],
                one["column"],
                one["path"],
                ("warning: " if one["warning"] else "") + one["text"],
            ]
            for one in findings
        ],
        empty="",
    )


def _adapter_check(output: Output, told: Result) -> None:
    output.line(f"{told['name']}: " + ("good" if told["good"] else "not good"))
    output.pairs([("takes", shown(told["takes"]))])
    _findings(output, told["findings"])


def _preview(output: Output, told: Result) -> None:
    for one in told["documents"]:
        output.heading(f"{one['type']} {one['key']}" + (f" for {one['partner']}" if one["partner"] else ""))
        output.line(f"  from {one['origin']}")
        output.tree(one["fields"], "  ")
    for one in told["stock"]:
        output.heading(f"stock: {one['lines']} lines from {one['origin']}")
        columns = sorted({path for row in one["first"] for path in row})
        output.table(columns, [[shown(row.get(path)) for path in columns] for row in one["first"]], empty="no lines")
    _findings(output, told["findings"])
    if not told["documents"] and not told["stock"]:
        output.line("nothing is new")
    if told["more"]:
        output.note("there is more; --limit shows it")


def _adapter_started(output: Output, told: Result) -> None:
    now = f"hansa adapter pull {told['name']}"
    output.line(f"{told['name']} is started; a running node pulls it at its next turn (now: {now})")


def _pulled(output: Output, told: Result) -> None:
    counts = [f"{told[name]} {words}" for name, words in (
        ("documents", "documents sent"), ("duplicates", "known already"), ("refused", "refused"),
        ("stock_lines", "stock lines"), ("handed_over", "handed over"),
    )]  # fmt: skip
    output.line(f"{told['name']}: {', '.join(counts)}")
    _findings(output, told["findings"])


VIEWS: dict[str, Callable[[Output, Any], None]] = {
    "adapter.list": _adapters,
    "adapter.check": _adapter_check,
    "adapter.preview": _preview,
    "adapter.start": _adapter_started,
    "adapter.pull": _pulled,
}
