"""``python -m benchmarks``: how often verdicts are wrong, what the recommendation is worth, and how fast the rooms are."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opslib.cli import main
from opslib.cli.common import complete_shops, open_with_progress
from opslib.errors import ParameterError
from opslib.shop.root import project_root

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.truth_scenario import Scenario

app = typer.Typer(help="How often verdicts are wrong, and what the recommendation is worth.", no_args_is_help=True)
Out = Annotated[Path | None, typer.Option(help="Markdown file to write, with a picture beside it (default: print).")]


@app.command("truth")
def truth(
    replicates: Annotated[int, typer.Option(min=10, help="Simulated runs a scenario.")] = 200,
    only: Annotated[str, typer.Option(help="Scenarios whose design or name contains this; several with commas.")] = "",
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 1,
    out: Out = None,
) -> None:
    """Measure false support, false refute, coverage and power of every verdict where the truth is known.

    Examples: python -m benchmarks truth --only rollout | python -m benchmarks truth --replicates 1000 --out docs/bench_truth.md
    """
    from benchmarks.truth import CELLS, render_truth_markdown

    words = [word for word in only.split(",") if word] or [""]
    cells = [cell for cell in CELLS if any(word in cell.design or word in cell.nuisance for word in words)]
    if not cells:
        raise ParameterError(
            f"--only '{only}': no scenario contains it; designs are {', '.join({c.design for c in CELLS})}"
        )
    table = _with_progress(cells, replicates, seed)
    text = f"# Truth bench\n\n`python -m benchmarks truth --replicates {replicates} --seed {seed}{f' --only {only}' if only else ''}`; {_origin()}.\n\n"
    _write(out, text + render_truth_markdown(table), picture=table)
    raise typer.Exit(0 if table["is_met"].all() else 1)


@app.command("regret")
def regret(
    proposals: Annotated[int, typer.Option(min=1000, help="Simulated proposals a precision.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 1,
    out: Out = None,
) -> None:
    """Compare the recommendation with three usual rules and an oracle, in lift per hundred proposals.

    Example: python -m benchmarks regret --out docs/bench_regret.md
    """
    from benchmarks.regret import run_regret

    table = run_regret(n_proposals=proposals, seed=seed)
    wide = table.pivot(index="std_error", columns="rule", values="lift_points").round(2)
    head = f"# What the recommendation is worth\n\n`python -m benchmarks regret --proposals {proposals} --seed {seed}`; {_origin()}.\n\n"
    rules = list(dict.fromkeys(table["rule"]))
    lines = ["Points of lift per hundred proposals, net of cost.", "", f"| std. error | {' | '.join(rules)} |"]
    lines.append("|---" * (len(rules) + 1) + "|")
    lines += [
        f"| {error:.1%} | " + " | ".join(f"{wide.loc[error, r]:+.2f}" for r in rules) + " |" for error in wide.index
    ]
    _write(out, head + "\n".join(lines) + "\n")


@app.command("portfolio")
def portfolio(
    n: Annotated[int, typer.Option(min=10, help="Simulated portfolios a capacity.")] = 500,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 1,
    out: Out = None,
) -> None:
    """Compare the development plan with usual rules and an oracle that knows every effect.

    Example: python -m benchmarks portfolio --out docs/bench_portfolio.md
    """
    from benchmarks.plan_regret import render_portfolios_markdown, run_portfolios

    head = f"# What a plan leaves\n\n`python -m benchmarks portfolio --n {n} --seed {seed}`; {_origin()}.\n\n"
    _write(out, head + render_portfolios_markdown(run_portfolios(n, seed=seed)))


@app.command("money")
def bench_money(
    seeds: Annotated[int, typer.Option(min=4, help="Simulated shops a design.")] = 200,
    seed: Annotated[int, typer.Option(help="The first of them.")] = 1,
    out: Out = None,
) -> None:
    """Measure one planted truth by four designs: is it the same net money, and does its interval hold it?

    Example: python -m benchmarks money --out docs/money.md
    """
    import pandas as pd
    from rich.console import Console
    from rich.progress import track

    from benchmarks.money import coverage, is_met, render_money_markdown, run_seed

    with ProcessPoolExecutor() as pool:
        runs = pool.map(run_seed, range(seed, seed + seeds))
        shown = track(runs, total=seeds, description="simulating", console=Console(stderr=True), transient=True)
        table = coverage(pd.DataFrame([row for rows in shown for row in rows]))
    head = f"# One truth, four designs, the same money\n\n`python -m benchmarks money --seeds {seeds} --seed {seed}`; {_origin()}, {_machine()}.\n\n"
    _write(out, head + render_money_markdown(table))
    raise typer.Exit(0 if is_met(table) else 1)


@app.command("demo-money")
def demo_money(out: Out = None) -> None:
    """Net money of the demo's proposals beside what the planted truth would bring.

    Example: python -m benchmarks demo-money
    """
    from benchmarks.demo_money import render_demo_money_markdown, run_demo_money

    _write(out, render_demo_money_markdown(run_demo_money()))


def _with_progress(cells: list[Scenario], replicates: int, seed: int) -> pd.DataFrame:
    import pandas as pd
    from rich.console import Console
    from rich.progress import track

    from benchmarks.truth import run_truth

    shown = track(cells, description="simulating", console=Console(stderr=True), transient=True)
    return pd.concat([run_truth([cell], n_replicates=replicates, seed=seed) for cell in shown], ignore_index=True)


def _origin() -> str:
    """Commit and kind of machine, for a committed result."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=project_root(), capture_output=True, text=True, check=False
    )
    commit = done.stdout.strip() or "no repository"
    return f"commit {commit}, {platform.machine()}, Python {platform.python_version()}"


def _write(out: Path | None, text: str, *, picture: pd.DataFrame | None = None) -> None:
    if out is None:
        typer.echo(text)
        return
    if picture is not None:
        from benchmarks.pictures import draw_truth
        from opslib.charts import to_svg
        from opslib.charts.theme import use

        use()
        drawn = out.with_suffix(".svg")
        drawn.write_text(to_svg(draw_truth(picture).get_figure(root=True)), encoding="utf-8")  # type: ignore[arg-type]
        text = text.replace("\n\n", f"\n\n![Share of wrong verdicts by design]({drawn.name})\n\n", 1)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {out}")


@app.command("speed")
def speed(
    shop: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=complete_shops,
            help="Shop whose orders are used; several times for several. Default: ten million simulated lines, made in a "
            "temporary folder (about 4 minutes, 3 GB), and complete_journey where it is described.",
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(min=3, help="Interleaved pairs a case.")] = 15,
    only: Annotated[str, typer.Option(help="Cases, several with commas, e.g. RFM,cohorts.")] = "",
    out: Out = None,
) -> None:
    """Time the rooms against hand-written SQL on one table in DuckDB, ours and theirs in turn, answers compared.

    Examples: python -m benchmarks speed | python -m benchmarks speed --shop demo --pairs 5 | python -m benchmarks speed --out docs/bench_speed.md
    """
    from benchmarks.speed import orders_only, run_speed, setting_of, speed_markdown
    from benchmarks.speed_sql import SQL
    from opslib.shop.choices import choose_period
    from opslib.shop.opening import shop_names

    asked = f"{''.join(f' --shop {name}' for name in shop or ())} --pairs {pairs}{f' --only {only}' if only else ''}"
    text = f"# Speed against hand-written SQL\n\n`python -m benchmarks speed{asked}`; {_origin()}, {_machine()}.\n"
    with tempfile.TemporaryDirectory(prefix="opslib-speed-") as folder:
        names = shop or [n for n in ("complete_journey",) if n in shop_names()]
        made = [] if shop else [str(orders_only(Path(folder)))]
        for name in (*made, *names):
            opened = open_with_progress(name)
            setting = setting_of(opened, period=choose_period(opened, default="year"))
            cases = [case for case in only.split(",") if case] or list(SQL)
            text += f"\n## {opened.title}: {setting.n_lines:,} lines\n\n"
            text += speed_markdown(run_speed(setting, cases=cases, n_pairs=pairs))
    _write(out, text)


def _machine() -> str:
    """What the seconds depend on."""
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("duckdb", "ibis-framework", "sqlglot"))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores, {packages}{load}"


if __name__ == "__main__":
    main(app)
