"""Counts lines of code: neither empty ones, nor comments, nor docstrings."""

import ast
from pathlib import Path


def code_lines(path: Path) -> int:
    """Return how many lines of a program are code."""
    text = path.read_text(encoding="utf-8")
    numbers = {
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                numbers -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(numbers)
