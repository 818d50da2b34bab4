"""A run's progress on the terminal, with the time left."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from opslib.reporting.plans import PlannedPage

MARKS = {"ok": "[green]done[/]", "unchanged": "[dim]unchanged[/]", "not available": "[yellow]not available[/]"}


class ProgressBoard:
    """One bar over all pages, weighted by what each took last time, and one line a finished page.

    Parameters
    ----------
    pages : sequence of PlannedPage
        The run's pages.
    seconds : mapping of str to float
        What each took last time, by name; pages never seen count as the mean of the others.
    is_shown : bool
        Whether to draw at all.
    """

    def __init__(self, pages: Sequence[PlannedPage], *, seconds: Mapping[str, float], is_shown: bool) -> None:
        usual = sum(seconds.values()) / len(seconds) if seconds else 10.0
        self._weight = {p.name: max(seconds.get(p.name, usual), 0.1) for p in pages}
        self._n_cells = {p.name: max(1, sum(c.cell_type == "code" for c in p.content.cells)) for p in pages}
        self._share = dict.fromkeys(self._weight, 0.0)
        self._lock = threading.Lock()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not is_shown,
            transient=True,
        )
        self._bar = self._progress.add_task("loading", total=sum(self._weight.values()) or 1)

    def __enter__(self) -> ProgressBoard:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def ran_cells(self, name: str, n_done: int) -> None:
        """A page has run so many code cells."""
        self._set(name, min(0.95, n_done / (self._n_cells[name] + 1)))

    def finished(self, name: str, *, status: str, seconds: float) -> None:
        """A page is finished."""
        self._set(name, 1.0)
        mark = MARKS.get(status, "[red]failed[/]")
        if not self._progress.disable:
            self._progress.console.print(f"  {name}  {mark}  [dim]{seconds:.1f} s[/]")

    def _set(self, name: str, share: float) -> None:
        with self._lock:
            self._share[name] = max(share, self._share[name])
            done = sum(self._weight[n] * s for n, s in self._share.items())
            self._progress.update(self._bar, completed=done, description=f"{len(self._share)} pages")
