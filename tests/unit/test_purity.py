"""node/core decides and does nothing else: no IO, no clock, no randomness, no logging. Held by what it may import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "node" / "core"
MODULES = sorted(CORE.rglob("*.py"))

# Modules of the standard library that only compute. A new one is added here when a reader agrees that it does, too.
PURE = {
    "__future__",
    "abc",
    "array",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "graphlib",
    "hashlib",
    "heapq",
    "hmac",
    "itertools",
    "json",
    "keyword",
    "math",
    "numbers",
    "operator",
    "re",
    "string",
    "struct",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "zoneinfo",
}
OURS = ("node.core", "node.errors")
# Sourcing is an optimisation: the solver and its arrays compute, and are wanted nowhere else in the core.
SOLVER = {"highspy", "numpy", "numpy.typing"}

# Names of those modules, and built-ins, that do more than compute.
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "globals"}
IMPURE_ATTRIBUTES = {
    "now",
    "today",
    "utcnow",
    "fromtimestamp",  # without a zone it reads the machine's
    "new_event_loop",
    "file_digest",
    "TZPATH",
    "reset_tzpath",
    "available_timezones",
}


def imported(tree: ast.Module) -> set[str]:
    """Every module that is imported anywhere in the tree; ``from a import b`` counts as ``a``."""
    names: set[str] = set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            names.update(alias.name for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            names.add("." * item.level + (item.module or ""))
    return names


def allowed(name: str) -> bool:
    """Whether the core may import the module."""
    return name in PURE or any(name == ours or name.startswith(f"{ours}.") for ours in OURS)


def is_day_given(item: ast.Attribute, called: set[int]) -> bool:
    """Whether ``.today`` is a field that a caller filled, and not what asks the clock."""
    owner = item.value.attr if isinstance(item.value, ast.Attribute) else getattr(item.value, "id", "date")
    return item.attr == "today" and id(item) not in called and owner not in {"date", "datetime"}


def deeds(tree: ast.Module) -> list[str]:
    """What the tree does that is not computing, with line numbers."""
    found = []
    called = {id(item.func) for item in ast.walk(tree) if isinstance(item, ast.Call)}
    for item in ast.walk(tree):
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id in IMPURE_CALLS:
            found.append(f"line {item.lineno}: {item.func.id}()")
        if isinstance(item, ast.Attribute) and item.attr in IMPURE_ATTRIBUTES and not is_day_given(item, called):
            found.append(f"line {item.lineno}: .{item.attr}")
        if isinstance(item, ast.Global):
            found.append(f"line {item.lineno}: global {', '.join(item.names)}")
        if isinstance(item, ast.AsyncFunctionDef):
            found.append(f"line {item.lineno}: async {item.name}")
    return found


def test_there_is_a_core() -> None:
    assert len(MODULES) > 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_core_imports_only_what_computes(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    more = SOLVER if "sourcing" in path.relative_to(CORE).parts[:-1] else set()
    assert sorted(name for name in imported(tree) - more if not allowed(name)) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_core_only_computes(path: Path) -> None:
    assert deeds(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_check_sees_what_it_must() -> None:
    tree = ast.parse("import os\nfrom time import time\nfrom . import x\ndef f():\n    import random\n    open('a')\n")
    assert sorted(name for name in imported(tree) if not allowed(name)) == [".", "os", "random", "time"]
    assert deeds(tree) == ["line 6: open()"]
    asking = ast.parse("a = problem.today\nb = date.today\nc = x.today()\nd = datetime.date.today\n")
    assert sorted(deeds(asking)) == ["line 2: .today", "line 3: .today", "line 4: .today"]
    assert not allowed("node.errors_of_others")
    assert not allowed("node.corest")
