"""The index of a run: the state of the shop, what waits for a decision, and every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.finding import About, Compared, Finding
from opslib.formats import format_estimate
from opslib.periods import Period
from opslib.reporting.cleaning import svg_source
from opslib.reporting.manifest import PageRecord, versions
from opslib.reporting.render import PageExporter, page_period
from opslib.reporting.since import alarms, changes
from opslib.stats.estimates import Estimate

SPARK_WIDTH, SPARK_HEIGHT = 160, 36
#: The period that a change counts from.
EARLIER: Mapping[Compared, Callable[[Period], Period]] = {
    "previous": Period.previous,
    "year_before": Period.year_before,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One headline figure."""

    name: str  # the metric, in words
    value: str  # formatted, without its interval
    interval: str  # formatted; '' where there is none
    changes: Mapping[str, str]  # earlier period -> change from it, formatted; empty where none was displayed
    spark: str  # data: address of a small line; '' without a series
    page: str  # page that argues it


def render_index(
    records: Sequence[PageRecord],
    *,
    shop: str,
    origin: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    left_out: Mapping[str, str] | None = None,
    promises: str = "",
) -> str:
    """Render the index of a run.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages, in order.
    shop : str
        Name of the shop.
    origin : mapping
        What is known of the shop before any page; a page's provenance adds to it.
    before : mapping or None
        From `since.snapshot`: the newest report on other data, another period or other proposals; None for a first one.
    left_out : mapping of str to str
        Title of each notebook that was not run this time and has no page that still holds, and why.
    promises : str
        How good the promises were, in one sentence.

    Returns
    -------
    str
        ``index.html``; like the pages, it holds no clock, so equal pages give equal bytes.
    """
    records = sorted(records, key=lambda r: r.notebook)
    provenance = dict(origin)
    for record in records:
        provenance |= record.harvest.provenance
    spoken = {r.name: page_period(r.parameters, r.harvest) for r in records}
    periods = {name: period.label for name, period in spoken.items() if period}
    tiles = headline_tiles(records, currency=provenance.get("currency"))
    labels = {periods[name] for name in ({tile.page for tile in tiles} or spoken) if name in periods}
    proposals = [item | {"page": r.name} for r in records for item in r.harvest.proposals]
    return (
        PageExporter()
        .environment.get_template("run.html.j2")
        .render(
            origin=provenance,
            parameters={"shop": shop},
            period=labels.pop() if len(labels) == 1 else "",
            compared=list(dict.fromkeys(label for tile in tiles for label in tile.changes)),
            periods=periods if len(set(periods.values())) > 1 else {},
            tiles=tiles,
            waiting=[p for p in proposals if not p.get("decision")],
            decided=[p for p in proposals if p.get("decision")],
            pages=[r for r in records if r.status != "not available" and not r.harvest.proposals],
            alarms=alarms(records),
            before=before,
            changes=changes(records, before) if before else [],
            promises=promises,
            promises_page=next((r.name for r in records if r.notebook.endswith("_follow_up.ipynb")), ""),
            left_out=left_out or {},
            missing_pages=[r for r in records if r.status == "not available"],
            versions=versions(),
        )
    )


def headline_tiles(records: Sequence[PageRecord], *, currency: str | None) -> list[Tile]:
    """Key figures of the findings, one a metric, in the order of the pages.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages.
    currency : str or None
        Of the shop.

    Returns
    -------
    list of Tile
        A change stands on its metric's tile, not on a tile of its own.
    """
    tiles: dict[str, Tile] = {}
    for record in records:
        # A proposal's evidence speaks of its test, not of the shop.
        items = () if record.harvest.proposals else record.harvest.findings
        told = [Finding.from_json(item) for item in items]
        found = [(one.role, one.about, one.estimate) for one in told if one.estimate and not one.about.scope]
        moved = [(about, change) for role, about, change in found if role == "change"]
        for role, about, figure in found:
            if role == "key figure" and about.metric:
                tile = _tile(record, about.metric, figure, moved=moved, currency=currency)
                tiles.setdefault(about.metric, tile)
    return list(tiles.values())


def sparkline(values: Sequence[float | None]) -> str:
    """A small line of a series as a ``data:`` address, with gaps where values are missing.

    Parameters
    ----------
    values : sequence of float or None
        The series, in time order.

    Returns
    -------
    str
        Address of an SVG; '' for fewer than two known values.
    """
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    step = (SPARK_WIDTH - 6) / (len(values) - 1)
    path, pen = [], "M"
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x, y = 3 + i * step, SPARK_HEIGHT - 4 - (value - low) / span * (SPARK_HEIGHT - 8)
        path.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    end = path[-1][1:].split()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" '
        f'width="{SPARK_WIDTH}" height="{SPARK_HEIGHT}"><path d="{"".join(path)}" fill="none" stroke="#7a8590" '
        f'stroke-width="1.5" stroke-linejoin="round"/>'
        f'<circle cx="{end[0]}" cy="{end[1]}" r="2.6" fill="#0072b2"/></svg>'
    )
    return svg_source(svg)


def _tile(
    record: PageRecord,
    metric: str,
    figure: Estimate,
    *,
    moved: Sequence[tuple[About, Estimate]],
    currency: str | None,
) -> Tile:
    period = page_period(record.parameters, record.harvest)
    value, _, interval = format_estimate(figure, currency=currency).partition(" (")
    return Tile(
        name=metric.replace("_", " "),
        value=value,
        interval=interval.removesuffix(")"),
        changes={
            earlier(period).label: format_estimate(change)
            for side, earlier in EARLIER.items()
            for about, change in moved
            if period and (about.metric, about.compared) == (metric, side)
        },
        spark=sparkline(record.harvest.series.get(metric, ())),
        page=record.name,
    )
