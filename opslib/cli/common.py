"""What several commands need: completion, progress, reading ``name=value``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from opslib.errors import ParameterError, nearest
from opslib.shop.root import project_root

_ID = re.compile(r"^id:\s*['\"]?([\w-]+)", re.MULTILINE)

if TYPE_CHECKING:
    from opslib.shop.opening import Shop


def complete_shops(incomplete: str) -> list[str]:
    """Shop names for the shell."""
    return sorted(p.stem for p in (project_root() / "data" / "shops").glob(f"{incomplete}*.yml"))


def complete_notebooks(incomplete: str) -> list[str]:
    """Notebook names for the shell, with or without their number."""
    names = [p.stem for p in notebooks()]
    return [n for n in [*names, *(n.split("_", 1)[1] for n in names)] if n.startswith(incomplete)]


def complete_proposals(ctx: typer.Context, incomplete: str) -> list[str]:
    """Proposal ids for the shell, of the shop if one was named; a file's name may say more than its id."""
    shop = ctx.params.get("shop") or "*"
    found = [
        _ID.search(p.read_text(encoding="utf-8")) for p in (project_root() / "data" / "proposals").glob(f"{shop}/*.yml")
    ]
    return sorted({match[1] for match in found if match and match[1].startswith(incomplete)})


def complete_findings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys of findings that say what to do, from the shop's latest report."""
    found = findings_of_report(ctx.params.get("shop") or "")
    return sorted({item["key"] for item in found if item["action"] and item["key"].startswith(incomplete)})


def findings_of_report(shop: str) -> list[dict[str, Any]]:
    """Findings of a shop's latest report, each with its ``page`` and ``data_until``; a judged proposal's are its claims."""
    found = []
    for path in sorted((project_root() / "reports" / shop / "latest").glob("*.json")):
        harvest = json.loads(path.read_text(encoding="utf-8")).get("harvest", {})
        if not harvest.get("proposals"):
            place = {"page": path.stem, "data_until": harvest.get("provenance", {}).get("data_until")}
            found += [{**item, **place} for item in harvest.get("findings", harvest.get("evidence", []))]
    return found


def notebooks() -> list[Path]:
    """All notebooks of the project, in order."""
    return sorted((project_root() / "notebooks").glob("[0-9]*_*.ipynb"))


def chosen_notebooks(only: Sequence[str]) -> list[Path]:
    """Notebooks by name, number or word; all unless given.

    Raises
    ------
    ParameterError
        If a name fits none; the nearest is named.
    """
    every = notebooks()
    if not every:
        raise ParameterError(f"no notebooks in {project_root() / 'notebooks'}; run this inside the project")
    names = [name for item in only for name in item.split(",") if name]
    chosen = []
    for name in names:
        stem = name.removesuffix(".ipynb")
        found = [p for p in every if stem in (p.stem, p.stem.split("_")[0], p.stem.split("_", 1)[1])]
        if not found:
            raise ParameterError(f"no notebook '{name}': {nearest(name, [p.stem for p in every])}")
        chosen += found
    return sorted(set(chosen)) if names else every


def read_pairs(pairs: Sequence[str], *, option: str) -> dict[str, str]:
    """Read ``name=value`` options; the value stays text until the notebook's own type is known.

    Raises
    ------
    ParameterError
        If a pair has no ``=``.

    Examples
    --------
    >>> read_pairs(["bins=5", "sku=00123"], option="-p")
    {'bins': '5', 'sku': '00123'}
    """
    values = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise ParameterError(f"{option} '{pair}': write it as name=value, e.g. {option} bins=5")
        values[name.strip()] = value
    return values


@contextmanager
def progress_sentences() -> Iterator[Callable[[str, float], None]]:
    """A callback that shows what is being read, and how far it is; silent where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("opening the shop", total=1.0)
        yield lambda sentence, share: bar.update(task, description=sentence, completed=share)


def open_with_progress(shop: str, *, verify: bool = False) -> Shop:
    """Open a shop, showing what takes time."""
    from opslib.shop.opening import open_shop

    with progress_sentences() as progress:
        return open_shop(shop, verify=verify, progress=progress)


def echo_table(rows: Sequence[Sequence[Any]], head: Sequence[str], *, title: str = "") -> None:
    """A table for a terminal; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(head):
        is_number = bool(rows) and all(isinstance(row[place], (int, float)) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else str(v) for v in row))
    Console().print(table)
