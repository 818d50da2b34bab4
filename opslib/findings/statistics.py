"""Sentences of the statistics page: how the period was, what moved and what brought it, and what did not move."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pandas as pd

from opslib.finding import About, Compared, Facts, Finding
from opslib.findings.wording import estimate_of, largest, listed, moved
from opslib.formats import format_estimate, format_money, format_number, format_value
from opslib.metrics import METRICS
from opslib.periods import Period
from opslib.privacy import MINIMUM, SUPPRESSED
from opslib.stats.estimates import Estimate
from opslib.suppression import suppressed

#: Figures that the index chooses from.
KEY_FIGURES = (
    "revenue", "margin", "orders", "sessions", "conversion", "average_order_value", "repeat_rate", "return_rate",
)  # fmt: skip
LEAST_COHORT = 30
"""Customers of a cohort below which its share is no finding."""
DAYS_TO_ACT = 14
USUAL = "within the usual ups and downs"
#: Names that say more than the registry's titles, which stand alone there.
_NAMES = {
    "repeat_rate": "Buyers with two or more orders in the period",
    "return_rate": "Units that came back per unit sold in the period",
    "margin": "Margin after refunds",
    "new_customer_share": "New customers among the buyers",
    "returning_revenue_share": "Revenue share of returning customers",
    "cost_per_order": "Advertising per order",
}
#: What moved, in the order of telling: if it rose, and if it fell.
_PHRASES = {
    "visitors": ("more visitors", "fewer visitors"),
    "conversion": ("more of them bought", "fewer of them bought"),
    "orders": ("more orders", "fewer orders"),
    "average_order_value": ("larger orders", "smaller orders"),
    "margin": ("more margin after refunds", "less margin after refunds"),
    "return_rate": ("more items came back", "fewer items came back"),
    "customers": ("more buyers", "fewer buyers"),
    "repeat_rate": ("more buyers ordered twice", "fewer buyers ordered twice"),
}
_FACTORS = {
    "buyers": ("more buyers", "fewer buyers"),
    "orders_per_buyer": ("more orders a buyer", "fewer orders a buyer"),
    "items_per_order": ("larger baskets", "smaller baskets"),
    "price_per_item": ("dearer items", "cheaper items"),
}
_ENOUGH = f" with at least {MINIMUM} buyers"  # of products whose changes are told: what a handful bought is theirs
#: Figures that the split of revenue speaks of.
_PARTS = ("customers", "items_per_order", "price_per_item")
_COMPARED: dict[Compared, str] = {"previous": "change", "year_before": "change-year"}
_MISSING = {
    "conversion": "how many visitors bought (orders do not name a visit)",
    "margin": "what was earned (neither orders nor products carry a cost)",
    "return_rate": "what came back (returns are not in the data)",
}


def answer(kpis: pd.DataFrame, *, page: Facts) -> str:
    """How the period was, in one or two sentences, from the values of the key figures.

    Parameters
    ----------
    kpis : pandas.DataFrame
        From `kpis.kpi_table`.
    page : Facts
        With its currency.

    Returns
    -------
    str
        '' where no revenue is known.
    """
    return _answer(_Figures(kpis, page.currency))


def findings(
    kpis: pd.DataFrame,
    factors: pd.DataFrame,
    products: pd.DataFrame,
    groups: Mapping[str, pd.DataFrame],
    retention: pd.DataFrame,
    *,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the statistics page.

    Parameters
    ----------
    kpis : pandas.DataFrame
        From `kpis.kpi_table`.
    factors : pandas.DataFrame
        From `kpis.decompose_change`, against the period that the page compares with; told only where revenue moved.
    products : pandas.DataFrame
        From `kpis.largest_changes`, against the same period; may be empty.
    groups : mapping of str to pandas.DataFrame
        From `kpis.decompose_by`, by the name of the column.
    retention : pandas.DataFrame
        From `kpis.cohort_retention`; may be empty.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        What moved and what brought it, in one line what did not; as numbers alone every key figure and its changes.
    """
    figures = _Figures(kpis, page.currency)
    products = suppressed(products)
    told = [*_reason(figures, suppressed(factors)), *_movers(figures, products, "product", page)]
    told += [found for name, rows in groups.items() for found in _movers(figures, suppressed(rows), name, page)]
    told += [*_also_moved(figures), *_unchanged(figures)]
    changes = [_change(figures, metric, side) for side in _COMPARED for metric in figures.known]
    return (
        *(_figure(figures, metric, products, page=page) for metric in figures.known),
        *told,
        *_retention(retention),
        *(change for change in changes if change is not None),
    )


def figure_rows(kpis: pd.DataFrame, *, currency: str) -> pd.DataFrame:
    """Key figures as a table of words: each row's numbers with the same decimals, what moved first and marked.

    Parameters
    ----------
    kpis : pandas.DataFrame
        From `kpis.kpi_table`.
    currency : str
        ISO code.

    Returns
    -------
    pandas.DataFrame
        figure, current, and of each period that can be compared ``<name>`` and ``<name>_moved``; definition, is_moved.
    """
    figures = _Figures(kpis, currency)
    rows = []
    for metric in figures.known:
        row = {"figure": figures.name(metric), "definition": METRICS[metric].definition}
        row |= dict(zip(figures.sides, figures.alike(metric, is_whole=True), strict=True))
        row |= {f"{side}_moved": figures.change_text(metric, side) for side in figures.sides[1:]}
        rows.append(row | {"is_moved": figures.is_clear(metric, figures.like)})
    moved_sides = [f"{side}_moved" for side in figures.sides[1:]]
    columns = ["figure", "definition", *figures.sides, *moved_sides, "is_moved"]
    return pd.DataFrame(rows, columns=columns).sort_values(
        "is_moved", ascending=False, kind="stable", ignore_index=True
    )


def figure_heads(kpis: pd.DataFrame) -> dict[str, str]:
    """Heads of `figure_rows`: the figure, the period and those it is compared with."""
    figures = _Figures(kpis)
    heads = {"figure": "Figure", **{side: figures.labels.get(side, side) for side in figures.sides}}
    rows = {}
    for name, head in heads.items():
        rows[name] = head
        if name in figures.sides[1:]:
            rows[f"{name}_moved"] = "Change" if name == figures.like else f"Change on {head}"
    return rows


def with_total(groups: pd.DataFrame) -> pd.DataFrame:
    """Groups that add up, as they may be shown, and below them their total.

    Parameters
    ----------
    groups : pandas.DataFrame
        From `kpis.decompose_by`.

    Returns
    -------
    pandas.DataFrame
        group, revenue_before, revenue_after, change_amount.
    """
    columns = ["revenue_before", "revenue_after", "change_amount"]
    if groups.empty:
        return groups[["group", *columns]]
    total = pd.DataFrame([{"group": "All", **groups[columns].sum(), SUPPRESSED: False}])
    shown = suppressed(groups)
    return pd.concat([shown[["group", *columns, *({SUPPRESSED} & set(shown.columns))]], total], ignore_index=True)


def why_not_split(kpis: pd.DataFrame) -> str:
    """Why the change of revenue is not told apart; '' where it is."""
    figures = _Figures(kpis)
    if "revenue" not in figures.known or not figures.like:
        return "Nothing earlier was seen as a whole, so a change cannot be split into parts."
    if figures.is_clear("revenue", figures.like):
        return ""
    return f"Revenue is {USUAL} against {figures.when(figures.like)}, so its change is not split into parts."


def compared(period: Period, like: Period | None) -> tuple[tuple[str, str], str]:
    """Names of the earlier and the later period, '' where nothing earlier was seen, and with what the page compares."""
    if like is None:
        return ("", period.label), "Nothing earlier was seen as a whole."
    return (like.label, period.label), f"Compared with {like.label}."


def split_against(kpis: pd.DataFrame, like: Period | None) -> Period | None:
    """The period against which the change of revenue is told apart; None where it is not."""
    return None if why_not_split(kpis) else like


def limits(kpis: pd.DataFrame) -> tuple[str, ...]:
    """What this page cannot say of this shop and period, in one line.

    Parameters
    ----------
    kpis : pandas.DataFrame
        From `kpis.kpi_table`.

    Returns
    -------
    tuple of str
    """
    figures = _Figures(kpis)
    gaps = [words for metric, words in _MISSING.items() if metric not in figures.known]
    if figures.like == "previous":
        gaps.insert(0, "whether the season explains a change (the same days of the year before are not in the data)")
    if gaps and figures.known:
        return (f"Not known here: {', '.join(gaps)}.",)
    n = sum(figures.estimate(metric, figures.like) is not None for metric in figures.known) if figures.like else 0
    return (
        (f"Of {n} figures compared, about {max(1, round(n / 20))} would leave its usual range by chance.",) if n else ()
    )


class _Figures:
    """A table of key figures, asked by metric and period: every sentence, title and row takes its words from here."""

    def __init__(self, kpis: pd.DataFrame, currency: str = "") -> None:
        self.currency = currency
        rows = suppressed(kpis)
        self._rows = {(row["metric"], row["comparison"]): row for _, row in rows.iterrows()}
        self.known = [m for m in dict.fromkeys(rows["metric"]) if not math.isnan(self.value(m, "current"))]
        compared = [side for side in _COMPARED if any(self.estimate(metric, side) for metric in self.known)]
        #: The current period, then the one with which a shop with a season is compared, then the other.
        self.sides = ["current", *reversed(compared)]
        self.like = compared[-1] if compared else ""
        self.labels = {side: row["period"] for (_, side), row in self._rows.items()}

    def value(self, metric: str, side: str) -> float:
        row = self._rows.get((metric, side))
        return math.nan if row is None else float(row["value"])

    def row(self, metric: str, side: str) -> pd.Series:
        return self._rows[metric, side]

    @property
    def current(self) -> pd.Series:
        return self._rows["revenue", "current"]

    def name(self, metric: str) -> str:
        title = METRICS[metric].title if metric in METRICS else str(self.row(metric, "current")["title"])
        return _NAMES.get(metric, title)

    def when(self, side: str) -> str:
        """A period as a sentence names it: the month alone where it is of the same year."""
        rows = {name: row for (_, name), row in self._rows.items()}
        row, now = rows[side], rows["current"]
        start = row["start"]
        if start.day != 1 or row["end"] != start + pd.offsets.MonthEnd(0):
            return str(row["period"])
        return f"{start:%B}" if side == "previous" and start.year == now["start"].year else f"{start:%B %Y}"

    def unit(self, metric: str) -> str:
        unit = str(self.row(metric, "current")["unit"])
        return self.currency or "money" if unit == "money" else "" if unit == "count" else unit

    def alike(self, metric: str, *sides: str, is_whole: bool = False) -> list[str]:
        """The figure in several periods, three digits of the largest and the same decimals in all; counts, if wished, whole."""
        values = [self.value(metric, side) for side in sides or self.sides]
        unit = self.unit(metric)
        top = max((abs(value) for value in values if not math.isnan(value)), default=0.0)
        step = 10.0 ** (math.floor(math.log10(top)) - 2) if top else 1.0
        if unit == "share":
            step = 0.1
        elif unit == self.currency and top < 100:
            step = 0.01
        elif METRICS[metric].is_total and unit != self.currency:
            step = 1.0 if top < 1e4 or is_whole else step
        return [format_value(value, unit, step=min(step, 1.0) if top < 1e4 else step, scale=top) for value in values]

    def text(self, metric: str, side: str) -> str:
        return self.alike(metric)[self.sides.index(side)] if side in self.sides else self.alike(metric, side)[0]

    def estimate(self, metric: str, side: str) -> Estimate | None:
        """The change from a period to the current one, of a share in points; None where it is not known."""
        row = self._rows.get((metric, side))
        if row is None:
            return None
        column, unit = ("change_points", "points") if row["unit"] == "share" else ("change_share", "relative change")
        if math.isnan(float(row[column])):
            return None
        # What has no interval is counted: its value stands at both ends.
        ends = dict.fromkeys((f"{column}_lower", f"{column}_upper"), row[column])
        method = "delta method, buyers as clusters, both periods"
        change = estimate_of(row.fillna(ends), column, n=row["n"], unit=unit, method=method)
        # An end that lies on zero but for its last digits is written, and judged, as zero.
        width = change.upper - change.lower
        lower, upper = (0.0 if width and abs(end) < width / 100 else end for end in (change.lower, change.upper))
        return replace(change, lower=lower, upper=upper)

    def _calendar(self, metric: str, side: str) -> tuple[float, float]:
        """Changes that the number of days explains: 0, and of a total what 31 days bring more than 30."""
        days = [self.row(metric, name)["n_days"] for name in ("current", side)]
        longer = days[0] / days[1] - 1 if metric in METRICS and METRICS[metric].is_total and days[1] else 0.0
        return min(longer, 0.0), max(longer, 0.0)

    def is_clear(self, metric: str, side: str) -> bool:
        """Whether a figure moved by more than chance and calendar explain: its interval has a width and leaves both out."""
        change = self.estimate(metric, side) if side else None
        if change is None or not change.lower < change.upper:
            return False
        least, most = self._calendar(metric, side)
        return change.upper < least or change.lower > most

    def is_usual(self, metric: str, side: str) -> bool:
        """Whether a figure did not move by more than that; what is decided, and not drawn, has no chance."""
        change = self.estimate(metric, side) if side else None
        if change is None or self.is_clear(metric, side):
            return False
        least, most = self._calendar(metric, side)
        return change.lower < change.upper or least <= change.value <= most

    def change_text(self, metric: str, side: str) -> str:
        change = self.estimate(metric, side)
        if change is None:
            return "not known"
        text = _written(change)
        return text if side == self.like else text.partition(" (")[0]


def _answer(figures: _Figures) -> str:
    if "revenue" not in figures.known:
        return ""
    when = figures.when("current")
    note = figures.current["note"]
    first = f"{when}: revenue {figures.text('revenue', 'current')}"
    first += f" so far ({note})" if note else ""
    against = _against(figures, "revenue")
    first += f", {against}." if against else "; there is nothing earlier to compare with."
    second = _also(figures)
    return f"{first} {second}" if second else first


def _against(figures: _Figures, metric: str) -> str:
    """How a figure stands against each period that it can be compared with; '' where there is none."""
    clear: list[str] = []
    usual: list[str] = []
    for side in figures.sides[1:]:
        change = figures.estimate(metric, side)
        if change is None:
            continue
        what = f"{figures.when(side)} ({figures.text(metric, side)})"
        if not figures.is_usual(metric, side):
            size = _size(change)
            clear.append(f"{moved(change, up='up', down='down')} {size} on {what}")
        else:
            usual.insert(0, what)
    return ", ".join([*clear, *([f"{USUAL} against {listed(usual)}"] if usual else [])])


def _written(change: Estimate) -> str:
    """A change with its sign and interval; what is counted has none, and a value near zero beside its interval is zero."""
    if change.lower == change.upper:
        return format_value(change.value, change.unit, step=1, signed=True)
    is_small = abs(change.value) < (change.upper - change.lower) / 20
    return format_estimate(replace(change, value=0.0) if is_small else change, signed=True)


def _size(change: Estimate) -> str:
    """How large a change is, without its sign and interval."""
    return _written(change).partition(" (")[0].lstrip("+\u2212")


def _also(figures: _Figures) -> str:
    """The first two other figures that moved, in a sentence."""
    said = _in_answer(figures)
    if not said:
        return ""
    parts = []
    for metric in said:
        change = figures.estimate(metric, figures.like)
        assert change is not None
        up, down = _PHRASES[metric]
        phrase = moved(change, up=up, down=down).replace("of them", "of them" if "visitors" in said else "visitors")
        now, before = figures.alike(metric, "current", figures.like)
        is_count = METRICS[metric].unit == "count"
        size = _written(change).partition(" (")[0] if is_count else f"{now}, was {before}"
        parts.append(f"{phrase} ({size})")
    return f"Against {figures.when(figures.like)}: {', '.join(parts)}."


def _in_answer(figures: _Figures) -> list[str]:
    """Figures beside the revenue that the answer names."""
    clear = [metric for metric in _PHRASES if metric in figures.known and figures.is_clear(metric, figures.like)]
    return clear[:2]


def _figure(figures: _Figures, metric: str, products: pd.DataFrame, *, page: Facts) -> Finding:
    """A key figure; told where it moved, unless the answer says so."""
    row = figures.row(metric, "current")
    is_counted = math.isnan(float(row["value_lower"]))
    ends = dict.fromkeys(("value_lower", "value_upper"), row["value"])
    unit = {"money": page.currency, "count": "", "rating": "stars"}.get(row["unit"], row["unit"])
    method = "counted" if is_counted else "delta method, buyers as clusters"
    is_clear = figures.is_clear(metric, figures.like)
    found = Finding(
        key=metric.replace("_", "-"),
        sentence=_moved_sentence(figures, metric, figures.like) if is_clear else _still_sentence(figures, metric),
        kind="measured" if is_counted else "estimated",
        estimate=estimate_of(row.fillna(ends), "value", n=row["n"], unit=unit, method=method),
        section="figures",
        role="key figure" if metric in KEY_FIGURES else None,
        priority=2,
        about=About(metric=metric, people=None),
        is_told=_is_worse(figures, metric) and metric not in ("revenue", *_in_answer(figures)),
    )
    return _urgent(figures, found, products, page) if metric == "revenue" else found


def _is_worse(figures: _Figures, metric: str) -> bool:
    """Whether a figure moved for the worse; of some figures neither way is."""
    is_told = figures.is_clear(metric, figures.like) and metric not in _PARTS
    change = figures.estimate(metric, figures.like) if is_told else None
    direction = METRICS[metric].direction if METRICS[metric].money_path else 0
    return change is not None and change.value * direction < 0


def _urgent(figures: _Figures, found: Finding, products: pd.DataFrame, page: Facts) -> Finding:
    """Revenue that went down beyond chance is looked into at once, product by product."""
    change = figures.estimate("revenue", figures.like)
    if change is None or not figures.is_clear("revenue", figures.like) or change.value >= 0:
        return found
    fallen = products[products["change_amount"] < 0].sort_values("change_amount") if len(products) else products
    things = tuple(str(name) for name in fallen["group"].head(5)) if len(fallen) else ()
    return Finding(
        **{name: getattr(found, name) for name in ("key", "sentence", "kind", "estimate", "section", "role", "about")},
        priority=1, is_urgent=True, things=things, department="Product control" if things else None,
        action="Look into the products that lost revenue" if things else None,
        due=page.period.end + timedelta(days=DAYS_TO_ACT) if things else None,
        would_tell="their stock, price and visits" if things else None,
    )  # fmt: skip


def _moved_sentence(figures: _Figures, metric: str, side: str) -> str:
    change = figures.estimate(metric, side)
    assert change is not None
    now, before = figures.alike(metric, "current", side)
    return f"{figures.name(metric)} {moved(change)} from {before} in {figures.when(side)} to {now}: {_written(change)}."


def _still_sentence(figures: _Figures, metric: str) -> str:
    against = _against(figures, metric)
    return f"{figures.name(metric)}: {figures.text(metric, 'current')}{f', {against}' if against else ''}."


def _reason(figures: _Figures, factors: pd.DataFrame) -> Iterator[Finding]:
    """What brought and what took the change of revenue, where there is one."""
    if factors.empty or factors["effect_amount"].isna().any() or not figures.is_clear("revenue", figures.like):
        return
    ordered = factors.reindex(factors["effect_amount"].abs().sort_values(ascending=False, kind="stable").index)
    parts = []
    for rows, verb in (
        (ordered[ordered["effect_amount"] > 0], "brought"),
        (ordered[ordered["effect_amount"] < 0], "took"),
    ):
        names = [
            moved(effect, up=_FACTORS[name][0], down=_FACTORS[name][1])
            for name, effect in zip(rows["factor"], rows["effect_amount"], strict=True)
        ]
        if names:
            amount = format_money(abs(float(rows["effect_amount"].sum())), figures.currency)
            parts.append((abs(float(rows["effect_amount"].sum())), f"{listed(names, shown=4)} {verb} {amount}"))
    told = [text for _, text in sorted(parts, key=lambda part: -part[0])]
    yield Finding(
        key="why-revenue-moved",
        sentence=f"Against {figures.when(figures.like)}, {'; '.join(told)}.",
        kind="measured",
        section="reasons",
        priority=2,
        caveat="A part that moved is where to look, not yet why it moved.",
        about=About(people=None),
    )


def _movers(figures: _Figures, rows: pd.DataFrame, what: str, page: Facts) -> Iterator[Finding]:
    """Which product, or group of products, gained and lost the largest amount, by name and money."""
    known = rows.dropna(subset=["change_amount", "group"]) if len(rows) else rows
    if known.empty or not figures.like:
        return
    parts: list[str] = []
    people: dict[str, int] = {}
    for sign, side, how in ((1, "rise", "more"), (-1, "fall", "less")):
        of_side = known[known["change_amount"] * sign > 0]
        if of_side.empty:
            continue
        row, word = largest(of_side.assign(size=of_side["change_amount"].abs()), "size")
        parts.append(
            f"{row['group']} brought {format_money(row['size'], page.currency)} {how} ({word} {side} of a {what}{_ENOUGH if what == 'product' else ''})"
        )
        people |= {f"{row['group']}, {name}": int(row[name]) for name in ("n_before", "n_after")}
    if parts:
        yield Finding(
            key=f"moved-by-{what}".replace("_", "-"),
            sentence=f"Against {figures.when(figures.like)}, {'; '.join(parts)}.",
            kind="measured",
            section="products" if what == "product" else "groups",
            priority=3 if what in ("product", "category") else 5,
            caveat="A single product moves by chance too." if what == "product" else None,
            about=About(people=people),
        )


def _also_moved(figures: _Figures) -> Iterator[Finding]:
    """What else moved, in one line: neither said by the answer nor, for the worse, in a sentence of its own."""
    said = ("revenue", *_in_answer(figures))
    parts = []
    for metric in figures.known:
        change = figures.estimate(metric, figures.like)
        if change and figures.is_clear(metric, figures.like) and metric not in said and not _is_worse(figures, metric):
            parts.append(f"{_small(figures.name(metric))} {_written(change).partition(' (')[0]}")
    if parts:
        yield Finding(
            key="also-moved",
            sentence=f"Against {figures.when(figures.like)} also moved: {listed(parts, shown=4)}.",
            kind="estimated",
            section="figures",
            about=About(people=None),
        )


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _unchanged(figures: _Figures) -> Iterator[Finding]:
    """What did not move, in one line."""
    names = [_small(figures.name(metric)) for metric in figures.known if figures.is_usual(metric, figures.like)]
    if names:
        yield Finding(
            key="unchanged",
            sentence=f"Unchanged {USUAL} against {figures.when(figures.like)}: {listed(names, shown=4)}.",
            kind="estimated",
            section="figures",
            priority=4,
            about=About(people=None),
        )


def _change(figures: _Figures, metric: str, side: Compared) -> Finding | None:
    """A change as a number for the index and for proposals."""
    change = figures.estimate(metric, side)
    if change is None:
        return None
    usual = f"{figures.name(metric)}: {USUAL} against {figures.when(side)}."
    return Finding(
        key=f"{metric}-{_COMPARED[side]}",
        sentence=usual if figures.is_usual(metric, side) else _moved_sentence(figures, metric, side),
        kind="estimated",
        estimate=change,
        section="figures",
        role="change",
        about=About(metric=metric, compared=side, people=None),
        is_told=False,
    )


def _retention(retention: pd.DataFrame) -> Iterator[Finding]:
    """How many of the youngest cohort that can be judged ordered again in the period after their first."""
    if retention.empty:
        return
    retention = suppressed(retention)
    is_judged = (retention["age"] == 1) & retention["retention_share"].notna()
    known = retention[is_judged & (retention["n_customers"] >= LEAST_COHORT)].sort_values("cohort")
    if known.empty:
        return
    row = known.iloc[-1]
    estimate = estimate_of(row, "retention_share", n=row["n_customers"], unit="share", method="Wilson")
    low, high = (format_number(end * 100, step=1) for end in (estimate.lower, estimate.upper))
    yield Finding(
        key="retention",
        sentence=f"Of 100 customers who first ordered in {row['cohort']:%B %Y}, {format_number(estimate.value * 100, step=1)} "
        f"ordered again in the month after ({low} to {high}).",
        kind="estimated",
        estimate=estimate,
        section="retention",
        priority=5,
        about=About(people={name: int(row[name]) for name in ("n_customers", "n_active")}),
    )
