"""What happened then: what the shop wrote down and what jumped in its other tables, each held against the figure's own course."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from opslib import engine
from opslib.errors import ContractError
from opslib.investigation.questions import FigureChange, Question
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
LEAST_DAYS, LEAST_SIDE = 7, 3
"""Days of the longer and of the shorter side of a step."""
LEAST_JUMP = 0.05
"""Relative change of a price, of spending or of empty shelves' share of products that counts as something that happened."""
SAME_DAYS = 7
"""A jump that begins within so many days of something written down about the same part is that thing."""
FALSE_SHARE = 0.05
CLEAR = 3.0
"""Standard errors from which on a cause is taken out before the others are looked at."""
_HAPPENED = ("kind", "scope", "description", "started_on", "ended_on", "is_written")
_CAUSES = (*_HAPPENED, "part_share", "active_share", "effect_share", "effect_share_lower", "effect_share_upper", "brought_share",
           "brought_share_lower", "brought_share_upper", "is_timed", "q_value", "verdict")  # fmt: skip


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
        off) with its interval, brought_share (relative change of the whole figure from the baseline to the period, over that without it) with its interval,
        is_timed (it began or ended within the interval of a level change of its part beside the others), q_value (Benjamini-Hochberg), verdict: "fits",
        "against" (clear, and the other way), "not clear", "cannot be told" (its part is not in the figure's rows).

    Notes
    -----
    Windows of up to 42 days on either side of a first and a last day, cut where it began or ended; error by the long-run variance of
    the daily difference. The clearest (three standard errors) is taken out of the course before the others are looked at again. What
    began is no proof: two things of one day and one part cannot be told apart.

    Examples
    --------
    >>> nothing = Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> possible_causes({}, pd.DataFrame(), question=nothing, coverage=None).empty
    True
    """
    if question.metric is None or question.baseline is None or course.empty:
        return pd.DataFrame(columns=list(_CAUSES))
    happened = _happened(tables, Period(coverage.first, coverage.last))
    active = [_active(row, question.period) - _active(row, question.baseline) for row in happened.itertuples()]
    happened = happened.assign(active_share=active)
    happened = happened[happened["active_share"] != 0]
    parts = {scope: _part(tables, scope, course, question, coverage) for scope in dict.fromkeys(happened["scope"])}
    found = pd.DataFrame(_fits(happened, parts, question), columns=[*_CAUSES, "z"])
    found = found[found["is_written"].astype(bool) | found["z"].notna()].reset_index(drop=True)
    known = found["z"].dropna().astype(float)
    p = dict(zip(known.index, 2 * stats.norm.sf(known.abs()), strict=True))
    q = adjusted(p, method="benjamini_hochberg")["adjusted_p_value"].to_numpy() if p else known
    found["q_value"] = pd.Series(np.asarray(q), index=known.index, dtype=float).reindex(found.index)
    up = _level(course, question.period) > _level(course, question.baseline)
    clear, same = found["q_value"] <= FALSE_SHARE, (found["brought_share"].astype(float) > 0) == up
    found["verdict"] = np.select(
        [found["z"].isna(), clear & same, clear], ["cannot be told", "fits", "against"], "not clear"
    )
    strength = found["z"].astype(float).abs()
    found["order"] = strength.where(same, -strength).fillna(-math.inf)
    found = found.sort_values(["order", "started_on", "description"], ascending=[False, True, True], kind="stable")
    table = found[list(_CAUSES)].reset_index(drop=True)
    table.attrs["people"] = None
    return table


def unexplained(change: FigureChange, causes: pd.DataFrame) -> Estimate | None:
    """What of the figure's relative change the calendar and the causes that fit or go against it leave.

    Parameters
    ----------
    change : FigureChange
        From `measured_change`.
    causes : DataFrame
        From `possible_causes`.

    Returns
    -------
    Estimate or None
        Relative change of the figure; None where it did not move beyond chance.

    Examples
    --------
    >>> unexplained(FigureChange(verdict="chance"), pd.DataFrame(columns=["verdict"])) is None
    True
    """
    if not change.is_beyond_chance or not change.before:
        return None
    known = causes[causes["verdict"].isin(["fits", "against"])]
    logs = np.log1p(known["brought_share"].astype(float).clip(lower=-0.99))
    errors = (known["brought_share_upper"] - known["brought_share_lower"]).astype(float) / (2 * 1.96)
    left = math.log(change.after / change.before) - math.log1p(change.calendar) - float(logs.sum())
    spread = math.sqrt(change.error**2 + float((errors**2).sum()))
    value, lower, upper = (math.expm1(left + sign * 1.96 * spread) for sign in (0, -1, 1))
    return Estimate(
        value=value,
        lower=lower,
        upper=upper,
        n=len(known),
        unit="relative change",
        method="change less calendar and causes",
    )


def _happened(tables: Mapping[str, Table], days: Period) -> pd.DataFrame:
    """What is written down, and what jumped in other tables without being written down."""
    written: list[dict[Any, Any]] = []
    if "changes" in tables:
        table = engine.as_table(tables["changes"])
        told = {
            name: table[name] if name in table.columns else ibis.null("string")
            for name in ("kind", "scope", "description")
        }
        told |= {
            "scope": told["scope"].fill_null("site"),
            "description": told["description"].fill_null(table["change_id"].cast("string")),
        }
        ended = day_of(table, "ended_at") if {"ended_at", "ended_on"} & set(table.columns) else ibis.null("date")
        rows = table.select("change_id", started_on=day_of(table, "started_at"), ended_on=ended, **told)
        rows = rows.filter(rows["started_on"].notnull()).order_by("started_on", "change_id")
        written = engine.collect(rows).assign(is_written=True).to_dict("records")
    known = [(row["scope"], at) for row in written for at in (row["started_on"], row["ended_on"]) if pd.notna(at)]
    jumps = [
        dict(zip(_HAPPENED, (kind, scope, text, day, pd.NaT, False), strict=True))
        for kind, scope, text, day in _jumps({name: engine.as_table(table) for name, table in tables.items()}, days)
        if not any(scope.partition(":")[2] in other and abs((at - day).days) <= SAME_DAYS for other, at in known)
    ]
    found = pd.DataFrame([*written, *jumps], columns=list(_HAPPENED))
    return found.assign(**{end: pd.to_datetime(found[end]) for end in ("started_on", "ended_on")})


def _jumps(tables: Mapping[str, ir.Table], days: Period) -> Iterator[tuple[str, str, str, pd.Timestamp]]:
    """Days on which the level of a group's spending, prices or stock, or competitors' prices, jumped: kind, scope, words, day."""
    for kind, column, words, rows in _sources(tables):
        wide = engine.collect(rows.order_by("group", "day")).pivot(index="day", columns="group", values="value")
        every = pd.date_range(min([*wide.index[:1], pd.Timestamp(days.start)]), days.end)
        for group, series in wide.reindex(every).ffill().loc[str(days.start) :].items():
            for one in changepoints(series.to_numpy(float), min_length=28):
                change = one.after / one.before - 1 if one.before else math.inf
                if abs(change) >= LEAST_JUMP:
                    text = f"{words.format(group)} {'up' if change > 0 else 'down'}"
                    size = f" by {abs(change) * 100:.0f}\u00a0%" if math.isfinite(change) else ""
                    yield kind, f"{column}:{group}", text + size, series.index[one.position]


def _sources(tables: Mapping[str, ir.Table]) -> Iterator[tuple[str, str, str, ir.Table]]:
    """What else is looked through: kind, column of the scope, words, and one row a group and day with its value."""
    if "ad_spend" in tables:
        rows = tables["ad_spend"]
        cost = rows["cost_amount"].sum().cast("float64")
        yield (
            "campaign",
            "channel",
            "Spending on {}",
            rows.group_by(group=rows["channel"], day=rows["date"]).aggregate(value=cost),
        )
    if "category" not in (tables["products"].columns if "products" in tables else ()):
        return
    categories = tables["products"].select("product_id", group="category")
    for name, kind, words in (
        ("price_history", "price", "List prices of {}"),
        ("stock_levels", "stock", "Products in stock of {}"),
        ("competitor_prices", "competitor", "Competitors' prices of {}"),
    ):
        if name in tables and "product_id" in tables[name].columns:
            rows = tables[name].inner_join(categories, "product_id")
            rows = rows.mutate(
                day=day_of(rows, "observed_at")
                if kind == "competitor"
                else rows["date" if kind == "stock" else "valid_from"]
            )
            if (
                kind == "price"
            ):  # of what changes its price on a day, by how much: added up, the course of the category's prices
                price = rows["price"].cast("float64").ln()
                before = price.lag().over(ibis.window(group_by="product_id", order_by="valid_from"))
                steps = rows.mutate(step=(price - before).fill_null(0.0))
                sizes = rows.group_by("group").aggregate(n=rows["product_id"].nunique().cast("float64"))
                steps = steps.inner_join(sizes, "group")
                daily = steps.group_by("group", "day").aggregate(step=(steps["step"] / steps["n"]).sum())
                course = daily["step"].sum().over(ibis.cumulative_window(group_by="group", order_by="day"))
                yield kind, "category", words, daily.select("group", "day", value=course.exp())
                continue
            value = (
                engine.flag(rows["n_on_hand"] > 0).mean()
                if kind == "stock"
                else rows["price"].cast("float64").ln().mean().exp()
            )
            yield kind, "category", words, rows.group_by("group", "day").aggregate(value=value)


def _active(row: Any, part: Period) -> float:
    """Share of a period's days on which something was at work."""
    days = pd.date_range(part.start, part.end)
    return float(np.mean((days >= row.started_on) & (pd.isna(row.ended_on) | (days < row.ended_on))))


def _filters(scope: str, tables: Mapping[str, Table], question: Question) -> list[Filter] | None:
    """The rows that a scope touches; [] for the whole shop, None where it cannot be told."""
    assert question.metric is not None
    what, _, value = scope.partition(":")
    is_visit = unit_of(question.metric) == "visitor"
    if not value:
        return []
    if what == "rollout" or what in (("category",) if is_visit else ("page", "section")):
        return None
    if what == "section":
        if "pages" not in tables:
            return None
        pages = engine.as_table(tables["pages"])
        names = engine.collect(pages.filter(pages["section"] == value).select("page").order_by("page"))["page"]
        return [Filter("landing_page", "in", tuple(names))] if len(names) else None
    column = {"page": "landing_page", "channel": "medium" if is_visit else "channel"}.get(what, what)
    return [Filter(column, "in", tuple(value.split(",")))]


def _part(
    tables: Mapping[str, Table], scope: str, course: pd.DataFrame, question: Question, coverage: Coverage
) -> pd.DataFrame | None:
    """The figure's daily sums in a scope (y, d) and outside of it (y_out, d_out; missing where it is the whole shop)."""
    assert question.metric is not None
    where = _filters(scope, tables, question)
    if not where:
        return None if where is None else course[["day", "y", "d"]].assign(y_out=np.nan, d_out=np.nan)
    days, name = Period(coverage.first, coverage.last), question.metric.name
    try:
        inside = daily_values(tables, [question.metric], period=days, coverage=coverage, where=where)
    except ContractError:  # the figure's rows do not tell the scope
        return None
    y, d = inside[f"{name}_numerator"], inside[f"{name}_denominator"]
    d_out = course["d"] if question.metric.is_total else course["d"] - d
    return (
        pd.DataFrame({"day": course["day"], "y": y, "d": d, "y_out": course["y"] - y, "d_out": d_out})
        if y.sum() > 0
        else None
    )


def _fits(happened: pd.DataFrame, parts: dict[Any, pd.DataFrame | None], question: Question) -> list[dict[str, Any]]:
    """Everything's step; that of the clearest is taken out of the course before the others are looked at again."""
    found: list[dict[str, Any]] = []
    waiting: list[Any] = list(happened.itertuples())
    while waiting:
        tried = [_fit(row, parts[row.scope], question) for row in waiting]
        best = max(range(len(tried)), key=lambda place: np.nan_to_num(abs(tried[place]["z"])))
        row, fit = waiting[best], tried[best]
        part = parts[row.scope]
        if part is None or not abs(fit["z"]) >= CLEAR:
            return found + tried
        found.append(fit)
        del waiting[best]
        is_on = (part["day"] >= row.started_on) & (pd.isna(row.ended_on) | (part["day"] < row.ended_on))
        gone = (1 / (1 + fit["effect_share"]) - 1) * part["y"] * is_on
        parts = {scope: _without(part, str(scope), str(row.scope), gone) for scope, part in parts.items()}
    return found


def _without(part: pd.DataFrame | None, scope: str, other: str, gone: pd.Series) -> pd.DataFrame | None:
    """A part's course without what something did in another part: beside it, inside it, or in both by size."""
    if part is None or part["y_out"].isna().all():
        return None if part is None else part.assign(y=part["y"] + gone)
    is_beside = scope.partition(":")[0] == other.partition(":")[0]
    share = float(scope == other) if is_beside else part["y"] / (part["y"] + part["y_out"]).replace(0.0, np.nan)
    return part.assign(y=part["y"] + gone * share, y_out=part["y_out"] + gone * (1 - share))


def _fit(row: Any, part: pd.DataFrame | None, question: Question) -> dict[str, Any]:
    """A step on the thing's days in its part of the shop, others taken off, and what it brought to the whole."""
    told = {name: getattr(row, name) for name in (*_HAPPENED, "active_share")} | {"z": math.nan}
    if part is None:
        return told
    began, over = row.started_on, row.ended_on
    window, last = pd.Timedelta(days=WINDOW_DAYS), part["day"].max() + pd.Timedelta(days=1)
    over = last if pd.isna(over) else over
    steps = [_step(part, began - window, began, min(began + window, over), 1.0)]
    steps += [_step(part, max(over - window, began), over, over + window, -1.0)] if over < last else []
    found = [step for step in steps if step is not None]
    if not found:
        return told
    weights = np.array([1 / error**2 for _, error in found])
    log, error = float(weights @ [value for value, _ in found] / weights.sum()), float(1 / math.sqrt(weights.sum()))
    whole = part["y"] + part["y_out"].fillna(0.0)
    effects = [math.expm1(log + sign * 1.96 * error) for sign in (0, -1, 1)]
    brought = [_brought(row, part["y"], whole, part["day"], effect, question) for effect in effects]
    ends = ("", "_lower", "_upper")
    told |= {f"effect_share{end}": value for end, value in zip(ends, effects, strict=True)}
    told |= {f"brought_share{end}": value for end, value in zip(ends, [brought[0], *sorted(brought[1:])], strict=True)}
    share = float(part["y"].sum() / whole.sum())
    return told | {"z": log / error, "is_timed": _is_timed(row, part), "part_share": share}


def _brought(row: Any, y: pd.Series, whole: pd.Series, day: pd.Series, effect: float, question: Question) -> float:
    """What a step of its part brought to the whole from the baseline to the period: as counted, over as it would be without the step."""
    is_on = (day >= row.started_on) & (pd.isna(row.ended_on) | (day < row.ended_on))
    without = whole - y * is_on * (1 - 1 / max(1 + effect, 1e-9))
    assert question.baseline is not None
    before, after = (
        day.between(pd.Timestamp(side.start), pd.Timestamp(side.end)) for side in (question.baseline, question.period)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(whole[after].sum() / without[after].sum() * without[before].sum() / whole[before].sum() - 1)


def _step(
    part: pd.DataFrame, first: pd.Timestamp, at: pd.Timestamp, until: pd.Timestamp, sign: float
) -> tuple[float, float] | None:
    """Logarithm of after over before, others taken off, with its standard error; None with fewer than seven days on the longer side."""
    day = part["day"]
    before, after = (day >= first) & (day < at), (day >= at) & (day < until)
    n_days = [int(part.loc[rows, "y"].notna().sum()) for rows in (before, after)]
    if min(n_days) < LEAST_SIDE or max(n_days) < LEAST_DAYS:
        return None
    log, line = _relative(part, "y", "d", before, after)
    if part["y_out"].notna().any():
        log_out, line_out = _relative(part, "y_out", "d_out", before, after)
        log, line = log - log_out, line - line_out
    spread = long_run_variance(line[(before | after).to_numpy()])
    is_known = math.isfinite(log) and spread > 0
    return (sign * log, math.sqrt(spread * (1 / n_days[0] + 1 / n_days[1]))) if is_known else None


def _relative(part: pd.DataFrame, y: str, d: str, before: pd.Series, after: pd.Series) -> tuple[float, np.ndarray]:
    """Logarithm of the figure after over before, and each day's relative distance from its side's level, weekdays out."""
    top, bottom = (_smooth(part[name], part["day"]) for name in (y, d))
    line, levels = np.full(len(part), np.nan), []
    for rows in (before.to_numpy(), after.to_numpy()):
        mean = np.nanmean(top[rows])
        levels.append(mean / np.nanmean(bottom[rows]) if np.nanmean(bottom[rows]) else math.nan)
        line[rows] = (top[rows] - levels[-1] * bottom[rows]) / mean if mean else np.nan
    return (math.log(levels[1] / levels[0]) if min(levels) > 0 else math.nan), line


def _smooth(values: pd.Series, days: pd.Series) -> np.ndarray:
    weekdays = days.dt.dayofweek.to_numpy()
    numbers = values.replace([np.inf, -np.inf], np.nan).to_numpy(float)
    return numbers / weekday_factors(numbers, weekdays)[weekdays]


def _level(course: pd.DataFrame, part: Period) -> float:
    rows = course[course["day"].between(pd.Timestamp(part.start), pd.Timestamp(part.end))]
    return float(rows["y"].sum() / rows["d"].sum()) if rows["d"].sum() else math.nan


def _is_timed(row: Any, part: pd.DataFrame) -> bool:
    """Whether it began or ended on a day on which its part's level beside the others may have changed."""
    ratio = part["y"] / part["d"] / (part["y_out"] / part["d_out"]).fillna(1.0)
    days = part["day"].to_list()
    spans = [(days[found.lower], days[found.upper]) for found in changepoints(_smooth(ratio, part["day"]))]
    return any(low <= at <= high for at in (row.started_on, row.ended_on) for low, high in spans)
