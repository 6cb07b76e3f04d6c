"""Facts of the machine beside every figure, and results as a table or JSON."""

from __future__ import annotations

import json
import os
import platform
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["facts", "figures", "peak_mib", "percentile", "show"]


def facts(folder: Path | None = None) -> dict[str, Any]:
    """Processor, cores, memory, Python, and what one fsync costs in `folder`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fsync_ms": round(_fsync_ms(folder), 3),
        "load_before": [round(one, 2) for one in os.getloadavg()],
    }


def _fsync_ms(folder: Path | None) -> float:
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered)) - 1))]


def figures(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and largest, in milliseconds, of times in seconds."""
    return {
        "median_ms": round(statistics.median(values) * 1000, 2),
        "p99_ms": round(percentile(values, 99) * 1000, 2),
        "max_ms": round(max(values) * 1000, 2),
    }


def peak_mib(*, children: bool = False) -> float:
    """Peak resident memory of this process, or of the largest child that has ended."""
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    return round(resource.getrusage(who).ru_maxrss / 1024, 1)


def show(title: str, result: dict[str, Any], goals: Sequence[tuple[str, float, str, float]], *, as_json: bool) -> None:
    """Print the result: JSON alone, or tables of the facts and of every goal with the ratio reached to wanted.

    A goal is (what, figure, "at least" or "under", wanted).
    """
    if as_json:
        json.dump(result, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    about = Table(title=f"{title}: the machine", show_header=False)
    for name, value in result["machine"].items():
        about.add_row(name, str(value))
    console.print(about)
    table = Table(title=title)
    for heading in ("figure", "measured", "wanted", "ratio", ""):
        table.add_column(heading, justify="left" if heading in ("figure", "") else "right")
    for what, figure, kind, wanted in goals:
        reached = figure >= wanted if kind == "at least" else figure < wanted
        ratio = figure / wanted if kind == "at least" else wanted / figure if figure else 0.0
        table.add_row(
            what, f"{figure:,.2f}", f"{kind} {wanted:,g}", f"{ratio:.2f}", "reached" if reached else "not reached"
        )
    console.print(table)
    rest = Table(title="further figures", show_header=False)
    for name, value in result["figures"].items():
        rest.add_row(name, json.dumps(value))
    console.print(rest)
