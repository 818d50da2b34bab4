"""``opslib run``, ``demo`` and ``prune``: pages from a shop's data."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opslib.cli.common import (
    chosen_notebooks,
    complete_notebooks,
    complete_shops,
    echo_table,
    open_with_progress,
    read_pairs,
)
from opslib.errors import ParameterError
from opslib.shop.root import project_root, proposals_of

if TYPE_CHECKING:
    from opslib.casework.agenda import AgendaItem
    from opslib.reporting.plans import BatchFile, RunPlan
    from opslib.shop.opening import Shop as OpenShop

#: Of an ``--each``, or a grid of a batch file: every value that the orders have.
ALL = ("all",)

ShopArgument = Annotated[
    str,
    typer.Argument(
        autocompletion=complete_shops,
        help="A name in data/shops, a shop.yml, a folder in a known layout, or a batch file (reports/batches).",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        autocompletion=complete_notebooks,
        help="Notebook by name, word or number; may be repeated. Pages of the others stay while they hold.",
    ),
]


ParameterOption = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="A notebook's parameter: name=value; may be repeated.")
]
Each = Annotated[
    list[str] | None,
    typer.Option(
        "--each", help="One page a value: country=DE,FR; country alone takes every value that the orders have."
    ),
]


def run(
    shop: ShopArgument = "demo",
    only: Only = None,
    start: Annotated[str, typer.Option(help="First day, e.g. 2026-10-01; each page has a sensible default.")] = "",
    end: Annotated[str, typer.Option(help="Last day, included.")] = "",
    where: Annotated[str, typer.Option(help='Rows that count, e.g. "country = Germany and channel = email".')] = "",
    parameter: ParameterOption = None,
    each: Each = None,
    out: Annotated[Path | None, typer.Option(help="Folder for reports (default: reports/).")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Notebooks at a time; 0 lets the machine decide.")] = 0,
    timeout: Annotated[float, typer.Option(min=1, help="Most seconds a notebook may take.")] = 1800.0,
    code: Annotated[bool, typer.Option("--code", help="Show the code on the pages, folded.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make every page again, even if nothing changed.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every file instead of trusting size and time.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each page would be made; make none.")] = False,
) -> None:
    """Make the management report of a shop: one page a notebook, and an index.

    Examples: opslib run demo | opslib run online_retail --only 70 --start 2011-10-01 --end 2011-10-31 |
    opslib run demo --only segmentation -p bins=4 | opslib run ../exports/shopify --each country | opslib run demo --explain
    """
    from opslib.reporting.plans import BatchFile, read_batch

    options: dict[str, Any] = {"timeout": timeout, "is_code_shown": code, "out": out or project_root() / "reports"}
    options |= {"n_workers": workers} if workers else {}
    parameters = read_pairs(parameter or [], option="-p") | ({"where": where} if where else {})
    if shop.endswith((".yml", ".yaml")) and "batches" in Path(shop).parts:
        wish = read_batch(Path(shop) if Path(shop).exists() else project_root() / shop)
        wish = replace(wish, parameters={**wish.parameters, **parameters})
    else:
        named = [item.partition("=") for item in each or ()]
        grid = {name: tuple(values.split(",")) if sign else ALL for name, sign, values in named}
        wish = BatchFile(
            shops=(shop,), notebooks=tuple(only or ()), start=start, end=end, parameters=parameters, each=grid
        )
    codes = [
        _run_shop(name, wish, options, verify=verify, is_forced=force, is_explained=explain) for name in wish.shops
    ]
    raise typer.Exit(max(codes))


def _run_shop(
    shop: str, wish: BatchFile, options: dict[str, Any], *, verify: bool, is_forced: bool, is_explained: bool
) -> int:
    from opslib.reporting import batch

    address = _address(shop, project_root())
    opened = open_with_progress(address, verify=verify)
    plan = _plan(opened, {**wish.parameters, **({"shop": address} if opened.name != shop else {})}, wish, options)
    if is_explained:
        why = batch.explain(plan, is_forced=is_forced)
        echo_table([(name, reason or "nothing changed") for name, reason in why.items()], ("page", "why"))
        return 0
    result = batch.run(plan, is_forced=is_forced)
    for page in result.pages:
        if page.status == "failed":
            kept = result.failed.get(page.name)
            typer.secho(f"failed: {page.name}; the half-run notebook is {kept}", fg="red", err=True)
    n_kept = len(result.pages) - len(plan.pages)
    kept = f", {n_kept} carried over from the report before" if n_kept else ""
    typer.echo(f"{len(plan.pages)} pages{kept}, {'new run' if result.is_new else 'nothing had changed'}")
    typer.echo(str(result.latest_path))
    return result.exit_code


def _plan(shop: OpenShop, parameters: dict[str, Any], wish: BatchFile, options: dict[str, Any]) -> RunPlan:
    """Pages of the run; a notebook about proposals is one page a proposal, drafts apart, and none where there are none.

    A report about some rows has the pages that can be about them, and no proposals: each of these has its own scope.
    """
    from opslib.reporting import plans
    from opslib.reporting.parameters import load_notebook, read_parameters
    from opslib.shop.choices import choose_rows

    about: list[Path] = []
    others: list[Path] = []
    where = str(parameters.get("where") or "")
    for path in chosen_notebooks(wish.notebooks):
        content = load_notebook(path)
        is_about = plans.is_about_a_proposal(read_parameters(content, name=path.stem))
        if not where or (not is_about and plans.reads_its_filter(content)):
            (about if is_about else others).append(path)
    if where:
        choose_rows(shop, where=where)
        if not others:
            raise ParameterError(f"where: none of the chosen pages can be about some rows only; leave out '{where}'")
    folder = proposals_of(shop.name)
    standings = _standings(shop, folder, is_needed=bool(about))
    common = {"is_partial": bool(wish.notebooks), "promises": _promises(folder), **plans.shop_facts(shop), **options}
    common["standings"] = standings
    known = {name: value for name, value in parameters.items() if name != "proposal"}
    grid = {name: _values(name, wish, shop) for name in wish.each} if others else {}
    plan = plans.plan_run(shop.name, others, parameters=known, start=wish.start, end=wish.end, each=grid, **common)
    finished = [item.id for item in standings if not item.is_draft] if about else []
    ids = [parameters["proposal"]] if "proposal" in parameters else finished
    if about and not ids and not plan.pages:
        raise ParameterError(f"{shop.name} has no finished proposal to judge; opslib proposal new starts one")
    if not ids:
        return plan
    own = {name: value for name, value in parameters.items() if name == "shop"}
    judged = plans.plan_run(shop.name, about, parameters=own, each={"proposal": ids}, **common)
    return replace(judged, pages=plan.pages + judged.pages, where=plan.where)


def _standings(shop: OpenShop, folder: Path, *, is_needed: bool) -> tuple[AgendaItem, ...]:
    """Where the shop's proposals stand; a file or ledger that cannot be read is said, and stops no page about other things."""
    from opslib.casework.agenda import standings
    from opslib.casework.files import load_proposals, read_records
    from opslib.errors import LedgerError, ProposalError

    try:
        records = read_records(folder)
    except LedgerError:
        records = ()  # its promises cannot be told either, which the index says
    try:
        known = load_proposals(folder)
    except ProposalError as error:
        if is_needed:
            raise
        typer.secho(f"the index shows no proposals: {error}", fg="yellow", err=True)
        return ()
    return standings(known, records, on=shop.coverage.last if shop.coverage else None)


def _promises(folder: Path) -> str:
    """How good a shop's promises were; a ledger that cannot be read is said, and stops no page."""
    from opslib.casework.files import read_records
    from opslib.errors import LedgerError
    from opslib.findings.follow_up import promises_sentence

    try:
        return promises_sentence(read_records(folder))
    except LedgerError as error:
        return f"They cannot be told: {error}."


def _address(shop: str, root: Path) -> str:
    """A shop's name as it is; a path as seen from the project's root, so that no page names the machine."""
    path = Path(shop).expanduser()
    if (root / "data" / "shops" / f"{shop}.yml").is_file() or not path.exists():
        return shop
    return os.path.relpath(path.resolve(), root)


def _few(column: str, wish: BatchFile, shop: OpenShop) -> list[str]:
    """Values that get no page: of too few people in the days of some page, and those that would reveal these."""
    from opslib import engine
    from opslib.metrics import with_local_days
    from opslib.privacy import plan_suppression
    from opslib.shop.choices import DEFAULTS, choose_period, people_by

    tables = with_local_days(shop.tables, zone=shop.time_zone)
    cells: set[str] = set()
    for period in {choose_period(shop, start=wish.start, end=wish.end, default=default) for default in DEFAULTS}:
        counts = people_by(tables, [column], period=period)
        if counts is not None:
            frame = engine.collect(counts, max_rows=10_000)
            plan = plan_suppression(frame[frame[column].notna()], people="n_people", dimensions=[column])
            cells |= {str(value) for (value,) in plan.cells}
    return sorted(cells)


def _values(column: str, wish: BatchFile, shop: OpenShop) -> list[str]:
    """Values of an ``--each``: those given, or all that the orders have, without those of too few people."""
    from opslib.privacy import MINIMUM
    from opslib.shop.choices import require_group

    require_group(column, asked_by=f"--each {column}")
    few = _few(column, wish, shop)
    kept = [value for value in _all_values(column, wish.each[column], shop) if value not in few]
    if few:
        typer.echo(
            f"left out, since they or the rest would tell about fewer than {MINIMUM} people: {column} {', '.join(few)}"
        )
    if not kept:
        raise ParameterError(
            f"--each {column}: every value stands for fewer than {MINIMUM} people; choose a coarser column"
        )
    return kept


def _all_values(column: str, asked: tuple[Any, ...], shop: OpenShop) -> list[str]:
    from opslib import engine

    if asked != ALL:
        return [str(value) for value in asked]
    lines = shop.table("order_lines")
    if column not in lines.columns:
        raise ParameterError(f"--each {column}: order_lines has no such column; it has {', '.join(lines.columns)}")
    values = lines.select(column).distinct().filter(lambda t: t[column].notnull()).order_by(column)
    return [str(value) for value in engine.collect(values, max_rows=500)[column]]


def demo(
    seed: Annotated[int, typer.Option(help="Seed of the simulated shop (2: the demo of this project).")] = 2,
    preset: Annotated[str, typer.Option(help="Size: demo, 10m or 100m (order lines).")] = "demo",
    out: Annotated[Path | None, typer.Option(help="Folder (default: data/raw/demo).")] = None,
    ledger: Annotated[str, typer.Option(help="Make the proposals and ledger of this simulated shop instead.")] = "",
) -> None:
    """Make the simulated shop anew, with its planted truth beside it; or its proposals and ledger.

    Examples: opslib demo | opslib demo --seed 7 | opslib demo --preset 10m --out /data/big | opslib demo --ledger demo
    """
    if ledger:
        from opslib.casework.simulated import make_ledger
        from opslib.cli.common import open_with_progress

        n_records = make_ledger(open_with_progress(ledger), progress=typer.echo)
        typer.echo(f"{n_records} records, each marked simulated; see them with: opslib proposal list --shop {ledger}")
        return
    from opslib.cli.common import progress_sentences
    from opslib.simulate.config import preset as preset_of
    from opslib.simulate.simulation import simulate_shop

    folder = out or project_root() / "data" / "raw" / "demo"
    with progress_sentences() as progress:
        made = simulate_shop(
            folder,
            config=preset_of(preset),
            seed=seed,
            progress=lambda share, step: progress(f"simulating {step}", share),
        )
    typer.echo(f"simulated shop in {made}; what was planted is in {made / 'truth.json'}")
    typer.echo("next: opslib run demo")


def prune(
    keep: Annotated[int, typer.Option(min=1, help="Runs to keep of each shop.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Folder of the reports (default: reports/).")] = None,
) -> None:
    """Remove old runs; the newest ones and the stable address stay.

    Example: opslib prune --keep 3
    """
    from opslib.reporting.publishing import prune as prune_runs

    folder = out or project_root() / "reports"
    shops = [p for p in sorted(folder.iterdir()) if p.is_dir() and (p / "latest").exists()] if folder.is_dir() else []
    for shop in shops:
        for gone in prune_runs(shop, keep=keep):
            typer.echo(f"removed {gone}")
