"""Where a figure moved: its factors, who came against what they did, and the smallest set of slices that carries the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from opslib import engine
from opslib.investigation.questions import Question
from opslib.kpis import decompose_change
from opslib.kpis.figures import unit_of
from opslib.metrics import day_of, unit_statistics, unit_values
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.stats.decomposition import lmdi_effects, mix_effects, shapley_effects
from opslib.stats.estimates import Estimate
from opslib.stats.multiplicity import adjusted
from opslib.stats.pooling import pool_towards
from opslib.suppression import counted

#: Columns that slices are cut by, by who the figure's units are; three at most are crossed.
DIMENSIONS = {"visitor": ("device", "channel", "country"), "buyer": ("channel", "category", "country", "store")}
STEPS = {"view_item": "see a product", "add_to_cart": "put it into the cart", "begin_checkout": "begin the checkout"}
"""Events of the way to an order, as a factor names them; the last factor is ``order``."""
FALSE_SHARE = 0.05
LEAST_PEOPLE = 30
"""People of a slice, and of all others, in each period, below which a slice is not judged."""
MOST_SLICES = 3
MOST_VALUES = 40
"""Values of a column above which it cuts no slices."""
_SUMS = ("n", "y", "d", "yy", "yd", "dd")
_FACTORS = ("factor", "before", "after", "effect_amount", "shapley_amount", "n_before", "n_after")
_SLICES = ("group", "scope", "n_before", "n_after", "before", "after", "size_share", "carried_amount",
           "carried_share", "q_value")  # fmt: skip


def factor_effects(tables: Mapping[str, Table], *, question: Question) -> pd.DataFrame:
    """The change of the figure shared out among its factors, in two ways that both add up to it.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables.
    question : Question
        Figure and periods.

    Returns
    -------
    DataFrame
        One row a factor: factor, before, after, effect_amount (LMDI) and shapley_amount, in the figure's unit; n_before and
        n_after (people). Revenue by buyers, orders a buyer, items an order and price an item; conversion by the steps of the
        way to an order where events tell them; another total by people and amount a person, another ratio by both its sides.

    Examples
    --------
    >>> nothing = Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> factor_effects({}, question=nothing).empty
    True
    """
    metric, baseline = question.metric, question.baseline
    if metric is None or baseline is None:
        return pd.DataFrame(columns=list(_FACTORS))
    if metric.name == "revenue":
        split = decompose_change(tables["order_lines"], period=question.period, baseline=baseline)
        if split.empty:
            return pd.DataFrame(columns=list(_FACTORS))
        split["shapley_amount"] = shapley_effects(split["before"].tolist(), split["after"].tolist())
        return counted(split[list(_FACTORS)], ("n_before", "n_after"), by=["factor"], adds_up=False)
    unit = unit_of(metric)
    sides = []
    for part in (baseline, question.period):
        row = unit_statistics(unit_values(tables, [metric], unit=unit, period=part), [metric])
        n, y, d = (float(row[name].iloc[0]) if len(row) else 0.0 for name in ("n", "y", "d"))
        if metric.name == "conversion" and "events" in tables:
            levels = {"visitors": d, **_steps(tables["events"], part), "order": y}
            values = list(levels.values())
            factors = {
                name: b / a if a else np.nan
                for name, a, b in zip(list(levels)[1:], values[:-1], values[1:], strict=True)
            }
        elif metric.is_total:
            factors = {f"{unit}s": n, f"{metric.title.lower()} a {unit}": y / n if n else np.nan}
        else:
            factors = {metric.numerator: y, f"1 / {metric.denominator}": 1 / d if d else np.nan}
        sides.append((factors, n))
    (before, n_before), (after, n_after) = sides
    ends = list(before.values()), list(after.values())
    told = {
        "factor": list(before),
        "before": ends[0],
        "after": ends[1],
        "effect_amount": lmdi_effects(*ends),
        "shapley_amount": shapley_effects(*ends),
    }
    return counted(
        pd.DataFrame({**told, "n_before": n_before, "n_after": n_after}),
        ("n_before", "n_after"),
        by=["factor"],
        adds_up=False,
    )


def _steps(events: Table, part: Period) -> dict[str, float]:
    """Visitors of a period who came as far as each step."""
    rows = engine.as_table(events)
    day = day_of(rows, "occurred_at")
    rows = rows.filter(day >= part.start, day < part.until)
    who = rows["visitor_id" if "visitor_id" in rows.columns else "session_id"]
    found = engine.collect(rows.aggregate(**{name: who.nunique(where=rows["event_name"] == name) for name in STEPS}))
    return {name: float(found[name].iloc[0]) for name in STEPS}


def slice_cells(tables: Mapping[str, Table], *, question: Question, by: Sequence[str] = ()) -> pd.DataFrame:
    """The figure's sums in both periods for every combination of the columns that slices are cut by.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables.
    question : Question
        Figure and periods.
    by : sequence of str
        Columns; three of those that are usual for the figure unless given. ``channel`` is the medium of a visit where the figure counts visitors.

    Returns
    -------
    DataFrame
        One row a combination: the columns, and for either period ``<sum>_before`` and ``<sum>_after`` of n (people), y, d, yy, yd, dd.
        Who came in two ways stands in both.

    Examples
    --------
    >>> nothing = Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> len(slice_cells({}, question=nothing))
    0
    """
    metric, baseline = question.metric, question.baseline
    if metric is None or baseline is None:
        return pd.DataFrame()
    unit = unit_of(metric)
    known = {name: engine.as_table(table) for name, table in tables.items()}
    if unit == "visitor":
        known |= (
            {"order_lines": known["order_lines"].drop(*({"channel"} & set(known["order_lines"].columns)))}
            if "order_lines" in known
            else {}
        )
    dims = list(by)[:3] or [name for name in DIMENSIONS.get(unit, ()) if _is_cut_by(known, unit, name)][:3]
    if not dims:
        return pd.DataFrame()
    sides = []
    for part in (baseline, question.period):
        values = unit_values(known, [metric], unit=(unit, *dims), period=part)
        sides.append(unit_statistics(values, [metric], by=dims))
    both = (
        sides[0]
        .merge(sides[1], how="outer", on=dims, suffixes=("_before", "_after"))
        .sort_values(dims, ignore_index=True)
    )
    sums = [f"{name}_{side}" for side in ("before", "after") for name in _SUMS]
    return both.reindex(columns=[*dims, *sums]).fillna(dict.fromkeys(sums, 0.0))


def _is_cut_by(tables: Mapping[str, Table], unit: str, column: str) -> bool:
    """Whether the shop tells the column of the figure's rows, with a handful of values."""
    names = {"visitor": ("sessions",), "buyer": ("order_lines", "products")}[unit]
    column = "medium" if unit == "visitor" and column == "channel" else column
    for name in names:
        table = engine.as_table(tables[name]) if name in tables else None
        if table is not None and column in table.columns:
            return 2 <= int(engine.collect(table.aggregate(n=table[column].nunique()))["n"].iloc[0]) <= MOST_VALUES
    return False


def mix_and_rate(cells: pd.DataFrame, *, question: Question) -> dict[str, float]:
    """How much of a ratio's change came from who was counted (mix), and how much from what each combination did (rate).

    Parameters
    ----------
    cells : DataFrame
        From `slice_cells`.
    question : Question
        Its figure.

    Returns
    -------
    dict of str to float
        ``mix`` and ``rate`` in the figure's unit; empty of a total, which has no such parts.

    Examples
    --------
    >>> from opslib.metrics import METRICS
    >>> cells = pd.DataFrame({"device": ["a", "b"], "d_before": [50.0, 50.0], "d_after": [80.0, 20.0], "y_before": [5.0, 15.0], "y_after": [8.0, 6.0]})
    >>> asked = Question(metric=METRICS["conversion"], period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> {name: round(amount, 9) for name, amount in mix_and_rate(cells, question=asked).items()}
    {'mix': -0.06, 'rate': 0.0}
    """
    if cells.empty or question.metric is None or question.metric.is_total:
        return {}
    parts = mix_effects(cells, units="d", total="y")
    return {"mix": float(parts["mix_amount"].sum()), "rate": float(parts["rate_amount"].sum())}


def moved_slices(cells: pd.DataFrame, *, question: Question) -> pd.DataFrame:
    """The smallest set of slices whose own change differs from that of all others, each found after the ones before were taken out.

    Parameters
    ----------
    cells : DataFrame
        From `slice_cells`.
    question : Question
        Its figure.

    Returns
    -------
    DataFrame
        One row a slice, at most three, none where no part stands out: group (in words), scope (tuple of (column, value)), n_before,
        n_after (people), before, after (the figure in the slice), size_share (its relative change beyond that of the others, shrunk
        towards none), carried_amount (what that brought to the figure, in its unit), carried_share (of the
        change), q_value.

    Notes
    -----
    Every value of one column with at least 30 people on each side is compared with all other people (difference of
    logarithms, delta method); where none is clear, every combination of two columns' values, then of three: q-values by
    Benjamini and Hochberg within each of the three, at a third of 0.05. The clearest one is taken, its people leave, and
    the rest is looked through again.

    Examples
    --------
    >>> nothing = Question(metric=None, period=Period.parse("2026-02-01", "2026-02-28"), baseline=None)
    >>> moved_slices(pd.DataFrame(), question=nothing).empty
    True
    """
    found: list[pd.Series] = []
    dims = [name for name in cells.columns if not name.endswith(("_before", "_after"))]
    left = cells
    while question.metric is not None and len(left) > 1 and len(found) < MOST_SLICES:
        best = _clearest(left, dims, is_total=question.metric.is_total)
        if best is None:
            break
        found.append(best)
        inside = np.logical_and.reduce([(left[column] == value).to_numpy() for column, value in best["scope"]])
        left = left[~inside]
    table = pd.DataFrame(found, columns=list(_SLICES)) if found else pd.DataFrame(columns=list(_SLICES))
    if found and question.metric is not None:
        whole = cells.drop(columns=dims).sum()
        sides = [
            whole[f"y_{side}"] / (1.0 if question.metric.is_total else whole[f"d_{side}"])
            for side in ("before", "after")
        ]
        table["carried_amount"] = table["carried_amount"] / (1.0 if question.metric.is_total else whole["d_after"])
        table["carried_share"] = table["carried_amount"] / (sides[1] - sides[0])
    return counted(table.reset_index(drop=True), ("n_before", "n_after"), by=["group"], adds_up=False)


def _clearest(cells: pd.DataFrame, dims: list[str], *, is_total: bool) -> pd.Series | None:
    """The slice whose change differs from that of the others beyond doubt, of the fewest columns; None where none does."""
    for size in range(1, len(dims) + 1):
        judged = _judged(cells, dims, size=size, is_total=is_total)
        clear = judged[judged["q_value"] <= FALSE_SHARE / len(dims)] if len(judged) else judged
        if len(clear):
            return clear.sort_values(["strength", "group"], ascending=[False, True], kind="stable").iloc[0]
    return None


def _judged(cells: pd.DataFrame, dims: list[str], *, size: int, is_total: bool) -> pd.DataFrame:
    """Every slice of so many columns with its change beyond that of the others, and how clear that is."""
    sums = [name for name in cells.columns if name not in dims]
    whole = cells[sums].sum()
    slices = []
    for columns in combinations(dims, size):
        rows = cells.groupby(list(columns), sort=True)[sums].sum().reset_index()
        scopes = [tuple(zip(columns, values, strict=True)) for values in rows[list(columns)].to_numpy().tolist()]
        rows["scope"] = pd.Series(scopes, dtype=object)
        slices.append(rows[["scope", *sums]])
    inside = pd.concat(slices, ignore_index=True)
    outside = whole - inside[sums]
    enough = np.logical_and.reduce(
        [
            side[f"{name}_{when}"] > (LEAST_PEOPLE - 1 if name == "n" else 0)
            for side in (inside, outside)
            for name in ("n", "y")
            for when in ("before", "after")
        ]
    )
    inside, outside = inside[enough].reset_index(drop=True), outside[enough].reset_index(drop=True)
    if inside.empty:
        return inside
    (log_in, var_in), (log_out, var_out) = (_log_change(side, is_total=is_total) for side in (inside, outside))
    error = np.sqrt(var_in + var_out)
    inside = inside[error > 0].reset_index(drop=True)
    gap, error = (log_in - log_out)[error > 0], error[error > 0]
    p = 2 * stats.norm.sf(np.abs(gap / error))
    inside["q_value"] = adjusted(dict(enumerate(p.tolist())), method="benjamini_hochberg")[
        "adjusted_p_value"
    ].to_numpy()
    inside["strength"] = np.abs(gap / error)
    centre = Estimate(
        value=0.0, lower=0.0, upper=0.0, n=len(p), unit="log", method="change of the others", std_error=1e-9
    )
    pooled = pool_towards(centre, gap.tolist(), error.tolist()).units
    inside["size_share"] = np.expm1(pooled["value"].to_numpy())
    for when in ("before", "after"):
        inside[when] = inside[f"y_{when}"] / (1.0 if is_total else inside[f"d_{when}"])
    inside["carried_amount"] = inside["y_after"] * (1 - np.exp(-pooled["value"].to_numpy()))
    inside["group"] = [", ".join(f"{column} {value}" for column, value in scope) for scope in inside["scope"]]
    return inside


def _log_change(side: pd.DataFrame, *, is_total: bool) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of after over before, and its variance by the delta method over people."""
    log, variance = np.zeros(len(side)), np.zeros(len(side))
    for when, sign in (("before", -1), ("after", 1)):
        _n, y, d, yy, yd, dd = (side[f"{name}_{when}"].to_numpy(float) for name in _SUMS)
        ratio = y if is_total else y / d
        log += sign * np.log(ratio)
        variance += (yy if is_total else yy - 2 * ratio * yd + ratio**2 * dd) / y**2
    return log, variance
