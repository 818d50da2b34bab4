"""``opslib bench``: how often verdicts are wrong, and how fast the rooms are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

bench_app = typer.Typer(help="How often verdicts are wrong, and how fast the rooms are.", no_args_is_help=True)


@bench_app.command("truth")
def truth(
    replicates: Annotated[int, typer.Option(min=10, help="Replicates a cell.")] = 200,
    only: Annotated[str, typer.Option(help="Cells whose name contains this.")] = "",
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Markdown file to write (default: print).")] = None,
) -> None:
    """Measure false support, false refute, coverage and power of every verdict on simulated shops with known truth.

    Examples: opslib bench truth | opslib bench truth --only experiment --replicates 1000 --out docs/bench_truth.md
    """
    from opslib.bench import truth as bench

    raise typer.Exit(bench.command(replicates=replicates, only=only, seed=seed, out=out))
