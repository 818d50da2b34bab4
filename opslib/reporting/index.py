"""The index of a run: how the shop stands, what waits for a decision, what each department has to do, and every page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.casework.agenda import AgendaItem
from opslib.departments import DEPARTMENTS
from opslib.finding import About, Compared, Finding
from opslib.findings.wording import listed
from opslib.formats import POINT_UNITS, count_of, format_number, format_share, format_value
from opslib.metrics import METRICS, explained_by_days
from opslib.periods import Period
from opslib.reporting.cleaning import svg_source
from opslib.reporting.links import family_of, page_links
from opslib.reporting.manifest import PageRecord, versions
from opslib.reporting.render import PageExporter, actions_of, page_period, spoken_where
from opslib.reporting.since import address, alarms, changes, is_harmful, is_whole
from opslib.stats.estimates import Estimate

SPARK_WIDTH, SPARK_HEIGHT, SPARK_PIECES = 160, 36, 12
N_TILES = 6
#: Key figures of the index in their order; of each the first that the shop has. Before the last place stands what moved most.
PREFERRED: tuple[tuple[str, ...], ...] = (
    ("revenue",), ("margin", "gross_margin"), ("orders",), ("sessions", "visits", "visitors"),
    ("conversion", "session_conversion"),
)  # fmt: skip
FURTHER = ("average_order_value", "customers", "repeat_rate", "margin_share", "return_rate")
NAMES = {"sessions": "Visits", "visits": "Visits", "visitors": "Visitors"}
#: The period that a change counts from.
EARLIER: Mapping[Compared, Callable[[Period], Period]] = {
    "previous": Period.previous,
    "year_before": Period.year_before,
}
#: Groups of what waits for a decision, in their order.
NOW, SOMEBODY, EVIDENCE = "Decide now", "Waiting for somebody", "Too little evidence"
N_OF_DEPARTMENT = 5
#: What is recommended of a launched change that did harm.
UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a key figure stands against an earlier period."""

    text: str  # "45 % from 989 in Oct 2025"; without a clear change "£151k in Sep 2026"
    way: str  # "up", "down"; '' where it did not clearly change
    is_better: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One key figure."""

    metric: str
    name: str  # in words
    value: str  # formatted; its interval stands on the page that argues it
    changes: tuple[Change, ...]  # against the period before, then the year before; empty where none was displayed
    most_moved: float  # largest relative change beyond chance, without its sign; 0 where none is
    spark: str = ""  # data: address of a small line; '' without a series
    ends: tuple[str, str] = ("", "")  # first and last value of that line
    address: str = ""  # where it is argued


def render_index(
    records: Sequence[PageRecord],
    *,
    shop: str,
    origin: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    left_out: Mapping[str, str] | None = None,
    promises: str = "",
    where: str = "",
    standings: Sequence[AgendaItem] = (),
) -> str:
    """Render the index of a run.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages, in order. Headline and key figures come from pages about the whole report, never from one of its parts.
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
    where : str
        Rows that the whole report is about.
    standings : sequence of AgendaItem
        The shop's proposals: replays, who must answer, follow-ups.

    Returns
    -------
    str
        ``index.html``; like the pages, it holds no clock, so equal pages give equal bytes.
    """
    records = sorted(records, key=lambda r: r.notebook)
    whole = [r for r in records if is_whole(r)]
    provenance = dict(origin)
    for record in records:
        provenance |= record.harvest.provenance
    spoken = {r.name: page_period(r.parameters, r.harvest) for r in records}
    periods = {name: period.label for name, period in spoken.items() if period}
    tiles = headline_tiles(whole, currency=provenance.get("currency"))
    argued = list(dict.fromkeys(tile.address.partition(".html")[0] for tile in tiles))
    labels = {periods[name] for name in (argued or spoken) if name in periods}
    standing = {item.id: item for item in standings}
    cards = [card | {"page": r.name} for r in records for card in r.harvest.proposals]
    harmed = _to_undo(cards, standing)
    groups = _grouped([*harmed, *(card for card in cards if not card.get("decision"))], standing)
    links = page_links(records, standings)
    for card in cards:
        item = standing.get(card["id"])
        card["waits_for"] = listed(item.waits_for) if item else ""
    return (
        PageExporter()
        .environment.get_template("run.html.j2")
        .render(
            origin=provenance,
            parameters={"shop": shop},
            where=spoken_where(where),
            period=labels.pop() if len(labels) == 1 else "",
            headline=_headline(whole, argued, harmed, groups, currency=provenance.get("currency")),
            periods=periods if len(set(periods.values())) > 1 else {},
            tiles=tiles,
            groups=groups,
            SOMEBODY=SOMEBODY,
            n_waiting=sum(len(items) for items in groups.values()),
            decided=[card for card in cards if card.get("decision")],
            replayed=[card for card in cards if not card.get("decision") and _is_replay(card, standing)],
            follow_ups=[
                {"name": f"{s.id} {s.title}", "owner": s.owner, "day": s.follow_up_on.isoformat(), "is_overdue": s.is_overdue,
                 "page": links.proposals.get(s.id, "")}
                for s in sorted(standings, key=lambda s: str(s.follow_up_on)) if s.follow_up_on
            ],
            pages=[r for r in whole if r.status != "not available" and not r.harvest.proposals],
            parts={r.name: family_of(r, records) for r in whole},
            orphans=[r for r in records if not r.harvest.proposals and not any(w.notebook == r.notebook for w in whole)],
            departments=_departments(whole, [card for items in groups.values() for card in items], standing),
            alarms=alarms(records),
            before=before,
            changes=changes(records, before) if before else [],
            promises=promises,
            promises_page=next((r.name for r in whole if r.notebook.endswith("_follow_up.ipynb")), ""),
            left_out=left_out or {},
            missing_pages=[r for r in records if r.status == "not available"],
            versions=versions(),
        )
    )  # fmt: skip


def headline_tiles(records: Sequence[PageRecord], *, currency: str | None) -> list[Tile]:
    """The key figures of the index: those preferred that the pages have, what moved most, then others.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages about the whole report.
    currency : str or None
        Of the shop.

    Returns
    -------
    list of Tile
        At most `N_TILES`. A change stands on its metric's tile, not on a tile of its own.
    """
    found: dict[str, Tile] = {}
    for record in records:
        # A proposal's evidence speaks of its test, not of the shop.
        items = () if record.harvest.proposals else record.harvest.findings
        told = [one for one in map(Finding.from_json, items) if one.estimate and not one.about.scope]
        moved = [(one.about, one.estimate) for one in told if one.role == "change" and one.estimate]
        for one in told:
            if one.role == "key figure" and one.about.metric and one.about.metric not in found:
                found[one.about.metric] = _tile(record, one, moved=moved, currency=currency)
    first = [next((name for name in names if name in found), "") for names in PREFERRED]
    rest = [name for name in found if name not in {other for names in PREFERRED for other in names}]
    most = max((name for name in rest if found[name].most_moved), key=lambda name: found[name].most_moved, default="")
    others = [*(name for name in FURTHER if name in rest), *rest]
    order = dict.fromkeys(filter(None, [*first, most, *others]))
    return [found[name] for name in order][:N_TILES]


def sparkline(values: Sequence[float | None], before: Sequence[float | None] = ()) -> str:
    """A small line of a series as a ``data:`` address, with gaps where values are missing; the year before in grey.

    Parameters
    ----------
    values : sequence of float or None
        The series, in time order.
    before : sequence of float or None
        The values a year earlier, as many; fewer where the data begin later, and they belong to the last ones.

    Returns
    -------
    str
        Address of an SVG; '' for fewer than two known values.
    """
    if sum(v is not None for v in values) < 2:
        return ""
    earlier = [*[None] * (len(values) - len(before)), *before]
    known = [v for v in (*values, *earlier) if v is not None]
    low, span = min(known), (max(known) - min(known)) or 1.0
    path, end = _path(values, low, span)
    grey, _ = _path(earlier, low, span)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" '
        f'width="{SPARK_WIDTH}" height="{SPARK_HEIGHT}" fill="none" stroke-linejoin="round">'
        + (f'<path d="{grey}" stroke="#b4bac0" stroke-width="1.5"/>' if grey else "")
        + f'<path d="{path}" stroke="#0072b2" stroke-width="1.5"/>'
        f'<circle cx="{end[0]}" cy="{end[1]}" r="2.6" fill="#0072b2"/></svg>'
    )
    return svg_source(svg)


def _path(values: Sequence[float | None], low: float, span: float) -> tuple[str, list[str]]:
    """The line through the known values, and where its last one lies."""
    step, path, pen = (SPARK_WIDTH - 6) / (len(values) - 1), [], "M"
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = SPARK_HEIGHT - 4 - (value - low) / span * (SPARK_HEIGHT - 8)
        path.append(f"{pen}{3 + i * step:.1f} {y:.1f}")
        pen = "L"
    return "".join(path), path[-1][1:].split() if path else []


def _tile(record: PageRecord, found: Finding, *, moved: Sequence[tuple[About, Estimate]], currency: str | None) -> Tile:
    metric, figure = str(found.about.metric), found.estimate
    assert figure is not None
    period = page_period(record.parameters, record.harvest)
    known = METRICS.get(metric)
    told = [
        (change, earlier(period).label, side, _is_clear(change, metric, period, earlier(period)))
        for side, earlier in EARLIER.items()
        for about, change in moved
        if period and (about.metric, about.compared) == (metric, side)
    ]
    # A shop with a season compares like months: beside the year before, the period before is a number without an arrow.
    like = told[-1][2] if told else ""
    clear = [abs(_parts(figure, change)[1]) for change, _, side, is_clear in told if side == like and is_clear]
    series = _course(record.harvest.series.get(metric, ()), figure.value)
    now = series[-SPARK_PIECES:]
    ends = [_written(v, figure.unit, currency) for v in (now[0], now[-1]) if v is not None] if now else []
    return Tile(
        metric=metric,
        name=NAMES.get(metric) or (known.title if known else metric.replace("_", " ").capitalize()),
        value=_written(figure.value, figure.unit, currency),
        changes=tuple(
            _change(
                figure,
                change,
                label,
                currency=currency,
                direction=known.direction if known else 1,
                is_marked=side == like and is_clear,
            )
            for change, label, side, is_clear in told
        ),
        most_moved=max(clear, default=0.0),
        spark=sparkline(now, series[-2 * SPARK_PIECES : -SPARK_PIECES]),
        ends=(ends[0], ends[1]) if len(ends) == 2 else ("", ""),
        address=address(record.name, found),
    )


def _course(series: Sequence[float | None], value: float) -> list[float | None]:
    """The series up to the figure itself; none where it does not hold the figure, since its end would contradict the tile."""
    ends = [i for i, v in enumerate(series) if v is not None and math.isclose(v, value, rel_tol=1e-6)]
    return list(series[: ends[-1] + 1]) if ends else []


def _written(value: float, unit: str, currency: str | None) -> str:
    """A figure of a tile: of one metric always with the same decimals, what is counted without its noun."""
    step = 0.1 if unit == "share" else None
    return format_value(value, unit, currency=currency, step=step).removesuffix(f" {unit}")


def _is_clear(change: Estimate, metric: str, period: Period, earlier: Period) -> bool:
    """Whether a figure moved by more than chance and the number of days explain, as its page says it."""
    least, most = explained_by_days(metric, n_days=period.n_days, n_days_before=earlier.n_days)
    return change.lower < change.upper and (change.upper < least or change.lower > most)


def _parts(figure: Estimate, change: Estimate) -> tuple[float, float]:
    """The earlier value, and the relative change from it, whether the change is told in points or as a ratio."""
    if change.unit in POINT_UNITS:
        earlier = figure.value - change.value
        return earlier, change.value / earlier if earlier else 0.0
    return figure.value / (1 + change.value) if change.value > -1 else 0.0, change.value


def _change(
    figure: Estimate, change: Estimate, label: str, *, currency: str | None, direction: int, is_marked: bool
) -> Change:
    """A change in the words of a tile: of a share in points, of anything else in per cent, both with what it was."""
    earlier, relative = _parts(figure, change)
    was = _written(earlier, figure.unit, currency)
    if not is_marked:
        return Change(text=f"{was} in {label}", way="")
    if figure.unit == "share":
        points = abs(figure.value - earlier) * 100
        text = format_number(points, step=1 if points >= 10 else 0.1).removesuffix(".0")
        size = f"{text} {'point' if text == '1' else 'points'}"
    else:
        size = format_share(abs(relative), step=1.0 if abs(relative) >= 0.1 else 0.1)
    way = "up" if change.value > 0 else "down"
    return Change(text=f"{size} from {was} in {label}", way=way, is_better=(change.value > 0) == (direction > 0))


def _is_replay(card: Mapping[str, Any], standing: Mapping[str, AgendaItem]) -> bool:
    item = standing.get(card["id"])
    return item is not None and item.is_replay


def _to_undo(cards: Iterable[Mapping[str, Any]], standing: Mapping[str, AgendaItem]) -> list[Mapping[str, Any]]:
    """What was launched and did harm: to be undone now, whoever has not answered; nobody knows here whether it is still on."""
    return [
        {**card, "recommendation": UNDO}
        for card in cards
        if is_harmful(card) and str(card.get("decision")).startswith("launch") and not _is_replay(card, standing)
    ]


def _grouped(
    cards: Iterable[Mapping[str, Any]], standing: Mapping[str, AgendaItem]
) -> dict[str, list[Mapping[str, Any]]]:
    """What waits for a decision, by what it waits for, the most money first; a replay waits for nobody."""
    groups: dict[str, list[Mapping[str, Any]]] = {NOW: [], SOMEBODY: [], EVIDENCE: []}
    for card in cards:
        item = standing.get(card["id"])
        if item and item.is_replay:
            continue
        if card.get("recommendation") == UNDO:
            groups[NOW].append(card)
            continue
        is_open = card.get("recommendation") in ("test first", "gather data") or card["verdict"].startswith("invalid")
        groups[SOMEBODY if item and item.waits_for else EVIDENCE if is_open else NOW].append(card)
    for items in groups.values():
        items.sort(key=lambda card: -abs((card.get("money") or {}).get("value") or 0.0))
    return {name: items for name, items in groups.items() if items}


def _headline(
    records: Sequence[PageRecord],
    argued: Sequence[str],
    harmed: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    currency: str | None,
) -> list[str]:
    """How the period was, by the page of the first key figure; then what cannot wait."""
    said = next((r.answer for r in records if argued and r.name == argued[0]), "")
    if harmed:
        is_one = len(harmed) == 1
        many = "One launched change" if is_one else f"{format_number(len(harmed))} launched changes"
        undo = "undo it if it is still on" if is_one else "undo them if they are still on"
        names = listed([f"{card['id']} {card['title']}" for card in harmed])
        return [*filter(None, [said]), f"{many} did harm: {names}; {undo}."]
    waiting = groups.get(NOW, ())
    if not waiting:
        return [*filter(None, [said])]
    name, money = f"{waiting[0]['id']} {waiting[0]['title']}", waiting[0].get("money")
    worth = f", {format_value(money['value'], money['unit'], currency=currency)} net a year" if money else ""
    return [*filter(None, [said]), f"{count_of(len(waiting), 'decision')} can be made now, first {name}{worth}."]


def _departments(
    records: Sequence[PageRecord], waiting: Sequence[Mapping[str, Any]], standing: Mapping[str, AgendaItem]
) -> list[dict[str, Any]]:
    """What is each department's own: its actions, the decisions that are its own or wait for it, its findings."""
    own: dict[str, dict[str, Any]] = {}

    def part(name: str) -> dict[str, Any]:
        return own.setdefault(name, {"name": name, "actions": [], "waiting": [], "findings": []})

    told = [
        (r.name, item) for r in records if r.status == "ok" and not r.harvest.proposals for item in r.harvest.findings
    ]
    placed = [item | {"address": address(page, Finding.from_json(item))} for page, item in told]
    for item in actions_of(placed):
        if item.get("department"):
            part(item["department"])["actions"].append(item)
    for item in placed:
        if item.get("department") and item.get("is_told", True):
            part(item["department"])["findings"].append(item)
    for card in waiting:
        item = standing.get(card["id"])
        asked = item.waits_for if item and card.get("recommendation") != UNDO else ()
        for name in dict.fromkeys([*([item.owner] if item else []), *asked]):
            part(name)["waiting"].append({**card, "must_answer": name in asked})
    for found in own.values():
        for name in ("actions", "findings"):
            found[name] = found[name][:N_OF_DEPARTMENT]
    place = {name: i for i, name in enumerate(DEPARTMENTS)}
    return sorted(own.values(), key=lambda found: (place.get(found["name"], len(place)), found["name"]))
