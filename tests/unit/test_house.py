"""The rules of the house that no linter holds: lengths, purposes, and tests that never wait."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 500
BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[)")
SHEBANG = re.compile(rb"#!.*\bpython")
SLEEPERS = {"time.sleep", "asyncio.sleep", "sleep"}


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the folders, those without a suffix but with Python's shebang included."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            if path.suffix == ".py" or (not path.suffix and SHEBANG.match(path.read_bytes()[:80])):
                found.append(path)
    return found


def name_of(path: Path) -> str:
    """How a test run names the file."""
    return path.relative_to(ROOT).as_posix()


HOUSE = python_files("node", "adapters", "scripts")
TESTS = python_files("tests")


def long_functions(tree: ast.Module) -> list[str]:
    """Functions that do not fit on a screen."""
    functions = (item for item in ast.walk(tree) if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))
    sizes = [(item.name, (item.end_lineno or item.lineno) - item.lineno + 1) for item in functions]
    return [f"{name}: {lines} lines" for name, lines in sizes if lines > FUNCTION_LINES_MAX]


def sleeps(tree: ast.Module) -> list[str]:
    """Calls that wait for wall time; ``asyncio.sleep(0)``, which only lets others run, is no such call."""
    found = []
    for item in ast.walk(tree):
        if not isinstance(item, ast.Call) or ast.unparse(item.func) not in SLEEPERS:
            continue
        if not (item.args and isinstance(item.args[0], ast.Constant) and item.args[0].value == 0):
            found.append(f"line {item.lineno}: {ast.unparse(item)}")
    return found


def bare_ignores(text: str) -> list[int]:
    """Lines that silence the type checker without saying about what."""
    return [number for number, line in enumerate(text.splitlines(), 1) if BARE_IGNORE.search(line)]


@pytest.mark.parametrize("path", HOUSE, ids=name_of)
def test_module_keeps_the_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the module does not say its purpose"
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    assert long_functions(tree) == []
    assert bare_ignores(text) == []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_never_sleep(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert sleeps(ast.parse(text)) == []
    assert bare_ignores(text) == []


def test_the_checks_see_what_they_must() -> None:
    long = "def f():\n" + "    pass\n" * FUNCTION_LINES_MAX
    assert long_functions(ast.parse(long)) == [f"f: {FUNCTION_LINES_MAX + 1} lines"]
    assert long_functions(ast.parse("def f():\n" + "    pass\n" * (FUNCTION_LINES_MAX - 1))) == []
    waiting = "import time\ntime.sleep(1)\nasync def g():\n    await asyncio.sleep(0.1)\n    await asyncio.sleep(0)\n"
    assert sleeps(ast.parse(waiting)) == ["line 2: time.sleep(1)", "line 4: asyncio.sleep(0.1)"]
    silenced = "a = 1  # type: " + "ignore\nb = 2  # type: " + "ignore[assignment]\n"
    assert bare_ignores(silenced) == [1]
    assert [path.name for path in HOUSE if not path.suffix]
