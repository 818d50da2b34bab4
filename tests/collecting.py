"""What test files of rooms offer to the tests of the whole: their cases, found by the name that they are kept under."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def collected(constant: str, *, folder: Path = HERE) -> dict[str, Callable[..., Any]]:
    """Cases by name of every module under ``tests`` that defines the constant at its top; a name given twice is refused."""
    cases: dict[str, Callable[..., Any]] = {}
    for path in sorted(folder.rglob("*.py")):
        if constant not in _defined(path):
            continue
        name = ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts))
        for case, ask in getattr(importlib.import_module(name), constant).items():
            if case in cases:
                raise ValueError(f"{path.name}: a case for {case} stands in another file already")
            cases[case] = ask
    return cases


def _defined(path: Path) -> set[str]:
    """Names that a module assigns at its top."""
    targets = [
        target
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return {target.id for target in targets if isinstance(target, ast.Name)}
