"""What happened then: what the shop wrote down and what jumped in its other tables, each held against the figure's own course."""

from __future__ import annotations

import math
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from opslib import engine
from opslib.errors import ContractError
from opslib.investigation.questions import Change, Question
from opslib.kpis.figures import unit_of
from opslib.metrics import Filter, daily_values, day_of
from opslib.metrics.blocks import Table
from opslib.periods import Coverage, Period
from opslib.stats.changepoint import changepoints
from opslib.stats.daily_series import long_run_variance, weekday_factors
from opslib.stats.estimates import Estimate
from opslib.stats.multiplicity import adjusted

WINDOW_DAYS = 42
"""Most days before and after a cause's first (last) day that are compared."""
LEAST_DAYS = 7
LEAST_JUMP = 0.05
"""Relative change of a price, of spending or of empty shelves' share of products that counts as something that happened."""
SAME_DAYS = 7
"""A jump that begins within so many days of something written down about the same part is that thing."""
FALSE_SHARE = 0.05
_DETECTED = 2.8
"""Effect, in standard errors, that a two-sided test at 0.05 sees with a chance of 0.8."""
_HAPPENED = ("kind", "scope", "description", "started_on", "ended_on", "is_written")
_CAUSES = (*_HAPPENED, "part_share", "active_share", "effect_share", "effect_share_lower", "effect_share_upper", "brought_share",
           "brought_share_lower", "brought_share_upper", "is_timed", "test_days", "q_value", "verdict")  # fmt: skip


def possible_causes(
    tables: Mapping[str, Table], course: pd.DataFrame, *, question: Question, coverage: Coverage
) -> pd.DataFrame:
    """What happened between the two periods, ranked by how well a step on its days and in its part of the shop fits the figure.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables; changes, price_history, ad_spend, stock_levels and competitor_prices are looked through where they are.
    course : DataFrame
        From `daily_course`.
    question : Question
        Figure and periods.
    coverage : Coverage
        Days seen.

    Returns
    -------
    DataFrame
        One row a thing that was at work on more days of one period than of the other, the best fit first: kind, scope, description,
        started_on, ended_on (missing while it lasts), is_written (in ``changes``; else found in another table), part_share (of the
        figure that its scope makes up), active_share (days of the period on which it was at work, less those of the baseline),
        effect_share (relative change of the figure in its part when it began, and back when it ended, that of all others taken
        off) with its interval, brought_share (of the figure as a whole, from the baseline to the period) with its interval,
        is_timed (it began or ended within the interval of a level change of its part beside the others), q_value (Benjamini-Hochberg), test_days (after so many
        a test that takes it from half of its part sees such an effect, with a chance of 0.8), verdict: "fits",
        "against" (clear, and the other way), "not clear", "cannot be told" (its part is not in the figure's rows).

    Notes
    -----
    Windows of up to 42 days on either side of a first and a last day, cut where it began or ended; error by the long-run variance of
    the daily difference. What began is no proof: two things of one day and one part cannot be told apart.

    Examples
    --------
    >>> nothing = Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> possible_causes({}, pd.DataFrame(), question=nothing, coverage=None).empty
    True
    """
    if question.metric is None or question.baseline is None or course.empty:
        return pd.DataFrame(columns=list(_CAUSES))
    happened = _happened(tables, question, coverage)
    active = [_active(row, question) for row in happened.itertuples()]
    happened = happened.assign(active_share=active)[np.abs(active) > 0]
    parts = {scope: _part(tables, str(scope), course, question, coverage) for scope in dict.fromkeys(happened["scope"])}
    rows = [_fit(row, parts[row.scope], course) for row in happened.itertuples()]
    found = pd.DataFrame(rows, columns=[*_CAUSES, "z"])
    p = dict(enumerate(2 * stats.norm.sf(np.abs(found["z"].dropna().to_numpy(float)))))
    found["q_value"] = pd.Series(
        adjusted(p, method="benjamini_hochberg")["adjusted_p_value"].to_numpy() if p else [],
        index=found["z"].dropna().index,
        dtype=float,
    ).reindex(found.index)
    up = np.sign(_level(course, question.period) - _level(course, question.baseline))
    clear, same = found["q_value"] <= FALSE_SHARE, np.sign(found["brought_share"].astype(float)) == up
    found["verdict"] = np.select(
        [found["z"].isna(), clear & same, clear], ["cannot be told", "fits", "against"], "not clear"
    )
    found = found[found["is_written"] | found["z"].notna()]
    order = found["z"].abs().where(same, -found["z"].abs()).fillna(-math.inf)
    found = found.assign(order=order).sort_values(
        ["order", "started_on", "description"], ascending=[False, True, True], kind="stable"
    )
    table = found[list(_CAUSES)].reset_index(drop=True)
    table.attrs["people"] = None
    return table


def unexplained(change: Change, causes: pd.DataFrame) -> Estimate | None:
    """What of the figure's relative change the calendar and the causes that fit or go against it leave.

    Parameters
    ----------
    change : Change
        From `measured_change`.
    causes : DataFrame
        From `possible_causes`.

    Returns
    -------
    Estimate or None
        Relative change of the figure; None where it did not move beyond chance.

    Examples
    --------
    >>> unexplained(Change(verdict="chance"), pd.DataFrame(columns=["verdict"])) is None
    True
    """
    if not change.is_beyond_chance or not change.before:
        return None
    scale = change.before if change.after - change.before == change.change else 1.0
    whole, ends = (change.after / change.before), [change.lower / scale, change.upper / scale]
    error = (ends[1] - ends[0]) / (2 * 1.96 * whole)
    known = causes[causes["verdict"].isin(["fits", "against"])]
    logs = np.log1p(known["brought_share"].astype(float).clip(lower=-0.99))
    errors = (known["brought_share_upper"] - known["brought_share_lower"]).astype(float) / (2 * 1.96)
    left = math.log(whole) - math.log1p(change.calendar) - float(logs.sum())
    spread = math.sqrt(error**2 + float((errors**2).sum()))
    value, lower, upper = (math.expm1(left + sign * 1.96 * spread) for sign in (0, -1, 1))
    return Estimate(
        value=value,
        lower=lower,
        upper=upper,
        n=len(known),
        unit="relative change",
        method="change less calendar and causes",
    )


def _happened(tables: Mapping[str, Table], question: Question, coverage: Coverage) -> pd.DataFrame:
    """What is written down, and what jumped in other tables without being written down."""
    assert question.baseline is not None
    days = Period(coverage.first, coverage.last)
    written = pd.DataFrame(columns=list(_HAPPENED))
    if "changes" in tables:
        table = engine.as_table(tables["changes"])
        rows = table.select(
            "kind",
            "scope",
            "description",
            "change_id",
            started_on=day_of(table, "started_at"),
            ended_on=day_of(table, "ended_at"),
        )
        written = engine.collect(rows.filter(rows["started_on"].notnull()).order_by("started_on", "change_id")).assign(
            is_written=True
        )
        written["scope"] = written["scope"].fillna("site")
    jumps = [
        {"kind": kind, "scope": scope, "description": text, "started_on": day, "ended_on": pd.NaT, "is_written": False}
        for kind, scope, text, day in _jumps(tables, days)
        if not any(_is_same(row, scope, day) for row in written.itertuples())
    ]
    return pd.DataFrame([*written[list(_HAPPENED)].to_dict("records"), *jumps], columns=list(_HAPPENED))


def _is_same(row: object, scope: str, day: pd.Timestamp) -> bool:
    near = [at for at in (row.started_on, row.ended_on) if pd.notna(at) and abs((at - day).days) <= SAME_DAYS]  # type: ignore[attr-defined]
    return bool(near) and (row.scope == scope or scope.partition(":")[2] in row.scope)  # type: ignore[attr-defined]


def _jumps(tables: Mapping[str, Table], days: Period) -> list[tuple[str, str, str, pd.Timestamp]]:
    """Days on which spending, prices, empty shelves or competitors' prices of a group changed their level: kind, scope, words, day."""
    given = {name: engine.as_table(table) for name, table in tables.items()}
    category = (
        given["products"].select("product_id", "category")
        if "category" in given.get("products", ibis.table({"x": "int"}, name="none")).columns
        else None
    )
    sources: list[tuple[str, str, str, ir.Table]] = []
    if "ad_spend" in given:
        rows = given["ad_spend"]
        sources.append(
            (
                "campaign",
                "channel",
                "Spending on {}",
                rows.group_by(group=rows["channel"], day=rows["date"]).aggregate(
                    value=rows["cost_amount"].sum().cast("float64")
                ),
            )
        )
    if "price_history" in given and category is not None:
        rows = given["price_history"].inner_join(category, "product_id")
        moves = rows.select(
            "product_id", group=rows["category"], day=rows["valid_from"], price=rows["price"].cast("float64")
        )
        sources.append(("price", "category", "List prices of {}", moves))
    if "stock_levels" in given and category is not None:
        rows = given["stock_levels"].inner_join(category, "product_id")
        out = engine.flag(rows["n_on_hand"] <= 0)
        sources.append(
            (
                "stock",
                "category",
                "Products of {} in stock",
                rows.group_by(group=rows["category"], day=rows["date"]).aggregate(value=1.0 - out.mean()),
            )
        )
    if "competitor_prices" in given and category is not None:
        rows = given["competitor_prices"].inner_join(category, "product_id")
        rows = rows.select(
            "product_id", group=rows["category"], day=day_of(rows, "observed_at"), price=rows["price"].cast("float64")
        )
        sources.append(
            (
                "competitor",
                "category",
                "Competitors' prices of {}",
                rows.group_by("group", "day").aggregate(value=rows["price"].ln().mean().exp()),
            )
        )
    found = []
    for kind, column, words, rows in sources:
        if kind == "price":
            wide = _mean_price(rows, days)
        else:
            wide = engine.collect(rows.order_by("group", "day")).pivot(index="day", columns="group", values="value")
            wide = wide.reindex(pd.date_range(days.start, days.end)).ffill()
        for group, series in wide.items():
            for one in changepoints(series.to_numpy(float), min_length=28):
                change = one.after / one.before - 1 if one.before else math.inf
                if abs(change) >= LEAST_JUMP:
                    verb = "rose" if change > 0 else "fell"
                    by = f" by {abs(change):.0%}".replace("%", "\u00a0%") if math.isfinite(change) else ""
                    found.append(
                        (kind, f"{column}:{group}", f"{words.format(group)} {verb}{by}", series.index[one.position])
                    )
    return found


def _mean_price(moves: ir.Table, days: Period) -> pd.DataFrame:
    """Geometric mean list price of each category on each day, of the products that have one on the first day."""
    frame = engine.collect(moves.order_by("group", "product_id", "day"))
    wide = frame.pivot_table(index="day", columns=["group", "product_id"], values="price", aggfunc="last")
    every = pd.date_range(min(wide.index.min(), pd.Timestamp(days.start)), days.end)
    wide = np.log(wide.reindex(every).ffill().loc[pd.Timestamp(days.start) :])
    wide = wide.loc[:, wide.iloc[0].notna()]
    return np.exp(wide.T.groupby(level="group").mean().T)


def _active(row: object, question: Question) -> float:
    """Share of the period's days on which something was at work, less that of the baseline's."""
    assert question.baseline is not None
    shares = []
    for part in (question.baseline, question.period):
        days = pd.date_range(part.start, part.end)
        inside = days >= row.started_on  # type: ignore[attr-defined]
        inside &= pd.isna(row.ended_on) | (days < row.ended_on)  # type: ignore[attr-defined]
        shares.append(float(np.mean(inside)))
    return shares[1] - shares[0]


def _filters(scope: str, tables: Mapping[str, Table], question: Question) -> list[Filter] | None:
    """The rows that a scope touches; [] for the whole shop, None where it cannot be told."""
    assert question.metric is not None
    what, _, value = scope.partition(":")
    if not value or what in ("rollout",):
        return None if value else []
    is_visit = unit_of(question.metric) == "visitor"
    if what == "section":
        if "pages" not in tables or not is_visit:
            return None
        pages = engine.as_table(tables["pages"])
        names = engine.collect(pages.filter(pages["section"] == value).select("page").order_by("page"))["page"]
        return [Filter("landing_page", "in", tuple(names))] if len(names) else None
    column = {"page": "landing_page", "channel": "medium" if is_visit else "channel"}.get(what, what)
    if (what == "page" and not is_visit) or (what == "category" and is_visit):
        return None
    return [Filter(column, "in", tuple(value.split(",")))]


def _part(
    tables: Mapping[str, Table], scope: str, course: pd.DataFrame, question: Question, coverage: Coverage
) -> pd.DataFrame | None:
    """The figure's daily sums in a scope (y, d) and outside of it (y_out, d_out; missing where it is the whole shop)."""
    assert question.metric is not None
    where = _filters(scope, tables, question)
    if where is None:
        return None
    if not where:
        return course[["day", "y", "d"]].assign(y_out=np.nan, d_out=np.nan)
    name = question.metric.name
    try:
        inside = daily_values(
            tables, [question.metric], period=Period(coverage.first, coverage.last), coverage=coverage, where=where
        )
    except ContractError:  # the figure's rows do not tell the scope
        return None
    y, d = inside[f"{name}_numerator"], inside[f"{name}_denominator"]
    out = {"y_out": course["y"] - y, "d_out": course["d"] if question.metric.is_total else course["d"] - d}
    return pd.DataFrame({"day": course["day"], "y": y, "d": d, **out}) if y.sum() > 0 else None


def _fit(row: object, part: pd.DataFrame | None, course: pd.DataFrame) -> dict[str, object]:
    """A step on the thing's days in its part of the shop, others taken off, and what it brought to the whole."""
    told = {name: getattr(row, name) for name in (*_HAPPENED, "active_share")}
    nothing = {**told, "z": math.nan}
    if part is None:
        return nothing
    ends = [(row.started_on, 1.0, row.ended_on)] + ([(row.ended_on, -1.0, pd.NaT)] if pd.notna(row.ended_on) else [])  # type: ignore[attr-defined]
    steps = [step for at, sign, until in ends if (step := _step(part, at, sign, until, row.started_on)) is not None]  # type: ignore[attr-defined]
    if not steps:
        return nothing
    weights = np.array([1 / error**2 for _, error, _ in steps])
    log, error = float(weights @ [value for value, _, _ in steps] / weights.sum()), float(1 / math.sqrt(weights.sum()))
    spread = float(np.mean([spread for _, _, spread in steps]))
    share = float(part["y"].sum() / course["y"].sum())
    effects = [math.expm1(log + sign * 1.96 * error) for sign in (0, -1, 1)]
    brought = sorted(share * told["active_share"] * effect for effect in effects[1:])
    return {
        **told, "z": log / error, "is_timed": _is_timed(row, part), "test_days": math.ceil(4 * spread * (_DETECTED / log) ** 2) if log else math.inf, "part_share": share, "brought_share": share * told["active_share"] * effects[0],
        **dict(zip(("effect_share", "effect_share_lower", "effect_share_upper"), effects, strict=True)),
        **dict(zip(("brought_share_lower", "brought_share_upper"), brought, strict=True)),
    }  # fmt: skip


def _step(
    part: pd.DataFrame, at: pd.Timestamp, sign: float, until: pd.Timestamp, started: pd.Timestamp
) -> tuple[float, float, float] | None:
    """Logarithm of after over before at one end of a thing, others taken off, its standard error, variance a day; None without days."""
    day = part["day"]
    first = at - pd.Timedelta(days=WINDOW_DAYS)
    last = at + pd.Timedelta(days=WINDOW_DAYS)
    if sign < 0:
        first = max(first, started)
    if pd.notna(until):
        last = min(last, until)
    before, after = (day >= first) & (day < at), (day >= at) & (day < last)
    n_days = [int(part.loc[rows, "y"].notna().sum()) for rows in (before, after)]
    short = max(
        1, min(LEAST_DAYS, int((part["day"].max() - at).days) + 1 if pd.isna(until) else (until - started).days)
    )
    if min(n_days) < min(short, LEAST_DAYS) or max(n_days) < LEAST_DAYS:
        return None
    window = before | after
    log, line = _relative(part, "y", "d", before, after)
    if part["y_out"].notna().any():
        log_out, line_out = _relative(part, "y_out", "d_out", before, after)
        log, line = log - log_out, line - line_out
    if not math.isfinite(log):
        return None
    spread = long_run_variance(line[window.to_numpy()])
    return (sign * log, math.sqrt(spread * (1 / n_days[0] + 1 / n_days[1])), spread) if spread > 0 else None


def _relative(part: pd.DataFrame, y: str, d: str, before: pd.Series, after: pd.Series) -> tuple[float, np.ndarray]:
    """Logarithm of the figure after over before, and each day's relative distance from its side's level, weekdays out."""
    weekdays = part["day"].dt.dayofweek.to_numpy()
    numerator = part[y] / weekday_factors(part[y].to_numpy(float), weekdays)[weekdays]
    denominator = part[d] / weekday_factors(part[d].to_numpy(float), weekdays)[weekdays]
    line, levels = np.full(len(part), np.nan), []
    for rows in (before, after):
        top, bottom = numerator[rows].mean(), denominator[rows].mean()
        level = top / bottom if bottom else math.nan
        levels.append(level)
        line[rows.to_numpy()] = ((numerator[rows] - level * denominator[rows]) / top).to_numpy() if top else np.nan
    return (math.log(levels[1] / levels[0]) if min(levels) > 0 else math.nan), line


def _level(course: pd.DataFrame, part: Period) -> float:
    inside = course["day"].between(pd.Timestamp(part.start), pd.Timestamp(part.end))
    rows = course[inside]
    return float(rows["y"].sum() / rows["d"].sum()) if rows["d"].sum() else math.nan


def _is_timed(row: object, part: pd.DataFrame) -> bool:
    """Whether it began or ended on a day on which its part's level beside the others may have changed."""
    ratio = part["y"] / part["d"]
    ratio = ratio / (part["y_out"] / part["d_out"]).fillna(1.0)
    weekdays = part["day"].dt.dayofweek.to_numpy()
    values = (ratio / weekday_factors(ratio.to_numpy(float), weekdays)[weekdays]).replace([np.inf, -np.inf], np.nan)
    days = part["day"].to_list()
    spans = [(days[found.lower], days[found.upper]) for found in changepoints(values.to_numpy(float))]
    ends = [at for at in (row.started_on, row.ended_on) if pd.notna(at)]  # type: ignore[attr-defined]
    return any(low <= at <= high for at in ends for low, high in spans)
