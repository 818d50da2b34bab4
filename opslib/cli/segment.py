"""``opslib segment``: a list of people leaves here, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from opslib.cli.common import complete_shops, open_with_progress
from opslib.errors import ParameterError, nearest
from opslib.shop.root import project_root

#: One column of ids fits into memory up to here.
MOST_CUSTOMERS = 50_000_000

segment_app = typer.Typer(help="Take the customers of a segment out of the shop.", no_args_is_help=True)


def complete_segments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of segments for the shell: of the model if one was named, else of the rules."""
    if model := ctx.params.get("model"):
        names = json.loads((project_root() / model).read_text(encoding="utf-8")).get("segments", [])
    else:
        from opslib.segmentation import SEGMENTS

        names = [segment.name for segment in SEGMENTS]
    return [name for name in names if name.startswith(incomplete)]


@segment_app.command("export")
def export(
    shop: Annotated[str, typer.Argument(autocompletion=complete_shops, help="Name, shop.yml or folder.")],
    segment: Annotated[
        str, typer.Argument(autocompletion=complete_segments, help="Its name, as on the segmentation page.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write (default: in data/exports, which git ignores).")
    ] = None,
    model: Annotated[str, typer.Option(help="Kept segment model to score with; empty: the rules.")] = "",
    start: Annotated[str, typer.Option(help="First day of the window; empty: as on the page.")] = "",
    end: Annotated[str, typer.Option(help="Last day; empty: end of the last whole month.")] = "",
    bins: Annotated[int, typer.Option(min=2, max=10, help="Scores a dimension, as on the page.")] = 5,
) -> None:
    """Write the customer ids of a segment to a CSV file that only you can read, outside of all reports.

    Examples: opslib segment export demo "at risk" | opslib segment export demo champions --end 2026-09-30 --out win.csv |
    opslib segment export demo "group 1" --model data/models/demo.json
    """
    from opslib import engine
    from opslib.metrics import with_local_days
    from opslib.reporting.manifest import note_export
    from opslib.reporting.publishing import LATEST, output_lock
    from opslib.segmentation import SEGMENTS, customer_features, rfm_scores
    from opslib.shop.choices import choose_period
    from opslib.shop.disk import write_whole
    from opslib.shop.segment_models import load_segment_model

    opened = open_with_progress(shop)
    report = project_root() / "reports" / opened.name
    if not (report / LATEST / "manifest.json").is_file():
        raise ParameterError(f"{opened.name} has no report yet whose manifest could name the export; opslib run {shop}")
    period, kept = choose_period(opened, start=start, end=end, default="year"), load_segment_model(model)
    names = kept.segments if kept else [rule.name for rule in SEGMENTS]
    if segment not in names:
        raise ParameterError(f"no segment '{segment}': {nearest(segment, names)}")
    target = (out or Path(f"data/exports/{opened.name}/{segment.replace(' ', '_')}_{period.end}.csv")).expanduser()
    target = (target if out else project_root() / target).resolve()
    _require_outside_reports(target)
    tables = with_local_days(opened.tables, zone=opened.time_zone)
    known = tables["order_lines"] if "order_lines" in tables else opened.table("order_lines")
    known = known.filter(known["ordered_on"] <= period.end)
    if kept:
        options = {"products": tables.get("products"), "categories": kept.categories}
        scores = kept.score(customer_features(known, as_of=period.end, **options))
    else:
        scores = rfm_scores(known.filter(known["ordered_on"] >= period.start), as_of=period.end, bins=bins)
    chosen = scores.filter(scores["segment"] == segment).select("customer_id").order_by("customer_id")
    ids = engine.collect(chosen, max_rows=MOST_CUSTOMERS)
    entry = {"segment": segment, "model": model, "start": f"{period.start}", "end": f"{period.end}", "bins": bins}
    with output_lock(report):
        write_whole(target, ids.to_csv(index=False), mode=0o600)
        note_export(report / LATEST, {**entry, "n_customers": len(ids), "file": target.name})
    typer.echo(f"wrote {len(ids):,} customer ids of '{segment}' ({period.label}) to {target}")
    typer.echo("only you can read it (mode 0600); that it was written stands in the manifest of the latest report")


def _require_outside_reports(target: Path) -> None:
    """Refuse a file that would be published with a report, or mailed along with it."""
    for folder in target.parents:
        is_report = any(True for where in (".", "latest", "*/latest") for _ in folder.glob(f"{where}/manifest.json"))
        if folder == (project_root() / "reports").resolve() or is_report:
            raise ParameterError(
                f"--out: {target} lies in {folder}, which holds reports; choose a folder apart from them"
            )
