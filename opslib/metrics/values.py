"""Metrics counted per unit, per group and per day, with one scan of each source however many metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.contracts import CONTRACTS
from opslib.errors import ContractError, NotAvailableError, ParameterError, nearest
from opslib.metrics.blocks import Filter, Table, as_lines, buyer, filters_of, with_returns
from opslib.metrics.measured_rows import BUYER, UNITS, source_rows, with_column
from opslib.metrics.registry import SIDES, SOURCES, Measure, Metric, Side, Term
from opslib.periods import GRAINS, Coverage, Period
from opslib.stats.sufficient_statistics import SUMS, statistic_sums

#: One column of a scan: a measure, and the filters of its side.
_Part = tuple[Measure, tuple[Filter, ...]]


def unit_values(
    tables: Mapping[str, Table],
    metrics: Sequence[Metric],
    *,
    unit: str | Sequence[str],
    period: Period | None = None,
    where: Sequence[Any] = (),
    units: Table | None = None,
) -> ir.Table:
    """Numerators and denominators of metrics, one row a unit.

    Parameters
    ----------
    tables : mapping of name to table
        A shop's tables. Days are those of ``..._on`` columns where there are such (see `with_local_days`), else UTC.
    metrics : sequence of Metric
        What to count.
    unit : str or sequence of str
        visitor, customer, buyer (a customer, or a guest's order), session, order, product, store, region, market,
        country, channel, device, category, brand, supplier, day, week, month, quarter, year. A table without the
        column is linked to one that has it by session, order, product or customer. Of several, the first is
        ``unit_id``, the others are columns of their own name: ``("store", "day")`` is a panel.
    period : Period or None
        Local days that count; all unless given.
    where : sequence of Filter or [column, operator, value]
        Rows that count, in every source.
    units : table or None
        The population, e.g. of an experiment: ``unit_id`` (unique, which is checked by one query) and any other
        columns, which are kept. Units without rows get 0. A time column ``counted_from`` leaves out what happened to a unit before it.

    Returns
    -------
    ibis.Table
        unit_id (and the columns of ``units``), and ``<metric>_numerator``, ``<metric>_denominator`` of each, float64.
        Rows without a unit (a guest has no customer) are left out.

    Raises
    ------
    NotAvailableError
        A table that a metric needs is missing.
    ParameterError
        Unknown unit, or a metric that this unit cannot carry.
    ContractError
        A unit stands in more than one row of ``units``.

    Examples
    --------
    >>> from opslib.metrics import METRICS
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "product_id": ["a", "b"], "customer_id": ["x", "x"],
    ...     "ordered_at": pd.to_datetime(["2026-01-05", "2026-01-06"]), "quantity": [1.0, 2.0],
    ...     "unit_price": [4.0, 0.5]})
    >>> values = unit_values({"order_lines": lines}, [METRICS["average_order_value"]], unit="customer")
    >>> engine.collect(values).values.tolist()
    [['x', 5.0, 2.0]]
    """
    first, *others = [unit] if isinstance(unit, str) else unit
    keys = {"unit_id": first} | {other: other for other in others}
    if units is not None:
        _require_unique(engine.as_table(units))
    counts = _counted(_given(tables, metrics), metrics, keys, period=period, where=where, units=units)
    if units is None:
        return counts.select(*keys, **_sides(counts, metrics, unit=first))
    if others:
        raise ParameterError(f"units: a panel by {', '.join(others)} has no fixed population; leave units out")
    population = engine.as_table(units)
    joined = population.left_join(counts, "unit_id")
    filled = joined.mutate(**{name: joined[name].fill_null(0.0) for name in counts.columns if name not in keys})
    return filled.select(*population.columns, **_sides(filled, metrics, unit=first))


def _require_unique(population: ir.Table) -> None:
    """A unit in two rows would count twice, and its outcomes twice in each."""
    sizes = population.group_by("unit_id").aggregate(n_rows=population.count())
    repeated = sizes.filter(sizes["n_rows"] > 1, sizes["unit_id"].notnull())
    found = engine.collect(repeated.aggregate(n_units=repeated.count(), example=repeated["unit_id"].min()))
    n_units, example = found.loc[0, ["n_units", "example"]]
    if n_units:
        raise ContractError(
            f"units.unit_id: {n_units} units stand in more than one row, e.g. '{example}'; needed: one row a unit "
            "(a unit in both arms of a test belongs to neither)"
        )


def unit_statistics(values: Table, metrics: Sequence[Metric], *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Sums, squares and products of unit values per group, as `stats.sufficient_statistics.arms_of` takes them.

    Parameters
    ----------
    values : table
        From `unit_values`; a column ``<metric>_covariate``, where there is one, enters as x.
    metrics : sequence of Metric
        Those to sum up.
    by : sequence of str
        Columns that make a group (an arm, a stratum).

    Returns
    -------
    DataFrame
        One row a metric and group: metric, the columns of ``by``, n (units), and the sums y, d, yy, yd, ... of
        `stats.sufficient_statistics.SUMS` (y numerator, d denominator). One scan for all.

    Examples
    --------
    >>> from opslib.metrics import METRICS
    >>> values = pd.DataFrame({"unit_id": ["x", "y"], "revenue_numerator": [3.0, 4.0],
    ...     "revenue_denominator": [1.0, 1.0]})
    >>> unit_statistics(values, [METRICS["revenue"]])[["metric", "n", "y", "yy"]].values.tolist()
    [['revenue', 2, 7.0, 25.0]]
    """
    table, keys = engine.as_table(values), list(by)
    sums: dict[str, ir.Value] = {}
    for metric in metrics:
        covariate = f"{metric.name}_covariate"
        statistics = statistic_sums(
            table[f"{metric.name}_numerator"],
            denominator=table[f"{metric.name}_denominator"],
            covariate=table[covariate] if covariate in table.columns else None,
        )
        sums |= {f"{metric.name}__{name}": value for name, value in statistics.items()}
    wide = engine.collect(table.group_by(keys).aggregate(**sums).order_by(keys) if keys else table.aggregate(**sums))
    return pd.concat([_statistics_of(wide, metric.name, keys) for metric in metrics], ignore_index=True)


def _statistics_of(wide: pd.DataFrame, metric: str, keys: list[str]) -> pd.DataFrame:
    prefix = f"{metric}__"
    names = {column: column.removeprefix(prefix) for column in wide.columns if column.startswith(prefix)}
    part = wide[[*keys, *names]].rename(columns=names)
    order = [name for name in ("n", *SUMS) if name in part.columns]
    part[order] = part[order].fillna(0)
    return part[[*keys, *order]].assign(metric=metric)[["metric", *keys, *order]]


def daily_values(
    tables: Mapping[str, Table],
    metrics: Sequence[Metric],
    *,
    period: Period,
    coverage: Coverage | None = None,
    where: Sequence[Any] = (),
    by: str | None = None,
) -> pd.DataFrame:
    """Metrics per local day: the series that charts, placebo windows and roll-outs read.

    Parameters
    ----------
    tables, metrics, where
        As for `unit_values`.
    period : Period
        Days of the series, each with a row.
    coverage : Coverage or None
        Days that were observed; the others are missing, not zero. Without it every day counts as observed.
    by : str or None
        A unit as well (``store``): one series each.

    Returns
    -------
    DataFrame
        unit_id (with ``by``), day, is_observed, and per metric ``<metric>_numerator``, ``<metric>_denominator``,
        ``<metric>`` (their ratio; missing without a denominator).

    Examples
    --------
    >>> from opslib.metrics import METRICS
    >>> lines = pd.DataFrame({"order_id": ["1"], "product_id": ["a"], "quantity": [2.0], "unit_price": [4.0],
    ...     "ordered_at": pd.to_datetime(["2026-01-05"])})
    >>> january = Period.parse("2026-01-05", "2026-01-06")
    >>> daily_values({"order_lines": lines}, [METRICS["revenue"]], period=january)["revenue"].tolist()
    [8.0, 0.0]
    """
    values = unit_values(tables, metrics, unit=(by, "day") if by else "day", period=period, where=where)
    keys = ["unit_id", "day"] if by else ["day"]
    found = engine.collect(values.rename(day="unit_id") if not by else values)
    found["day"] = pd.to_datetime(found["day"]).astype("datetime64[us]")
    grid = pd.DataFrame({"day": pd.date_range(period.start, period.end, freq="D", unit="us")})
    if by:
        grid = found[["unit_id"]].drop_duplicates().sort_values("unit_id").merge(grid, how="cross")
    return _filled(grid.merge(found, how="left", on=keys), metrics, coverage)


def _filled(frame: pd.DataFrame, metrics: Sequence[Metric], coverage: Coverage | None) -> pd.DataFrame:
    """Observed days without rows as zero, unobserved ones as missing, and the ratios."""
    observed = [coverage is None or coverage.n_observed(Period(day, day)) == 1 for day in frame["day"].dt.date]
    frame.insert(list(frame.columns).index("day") + 1, "is_observed", observed)
    for metric in metrics:
        numerator, denominator = (f"{metric.name}_{side}" for side in ("numerator", "denominator"))
        empty = 1.0 if metric.is_total else 0.0
        frame[numerator] = frame[numerator].fillna(0.0).where(frame["is_observed"])
        frame[denominator] = frame[denominator].fillna(empty).where(frame["is_observed"])
        frame[metric.name] = frame[numerator] / frame[denominator].replace(0.0, np.nan)
    return frame


def _given(tables: Mapping[str, Table], metrics: Sequence[Metric]) -> dict[str, ir.Table]:
    tables = with_returns(tables)
    for metric in metrics:
        for name in metric.tables:
            if name not in tables:
                raise NotAvailableError(name, CONTRACTS[name].would_answer)
    return {name: (as_lines if name == "order_lines" else engine.as_table)(table) for name, table in tables.items()}


def _terms(metrics: Iterable[Metric]) -> Iterator[tuple[Metric, Side, Term]]:
    yield from ((metric, side, term) for metric in metrics for side in SIDES for term in metric.terms(side))


def _parts(metrics: Sequence[Metric]) -> dict[_Part, str]:
    """Columns of the scans: each measure under each filter once."""
    wanted = [(counted, term.where) for _, _, term in _terms(metrics) if (counted := term.measure.counted)]
    return {part: f"part_{place}" for place, part in enumerate(dict.fromkeys(wanted))}


def _counted(
    tables: dict[str, ir.Table],
    metrics: Sequence[Metric],
    keys: dict[str, str],
    *,
    period: Period | None,
    where: Sequence[Any],
    units: Table | None,
) -> ir.Table:
    """Sums of every part per key: each source aggregated once, then stacked and summed."""
    parts = _parts(metrics)
    if not parts:
        raise ParameterError("metrics: none given that counts rows; name at least one, e.g. revenue")
    filters = filters_of(where)
    by_source: dict[str, dict[_Part, str]] = {}
    for part, name in parts.items():
        by_source.setdefault(part[0].source, {})[part] = name
    pieces = []
    for source, own in by_source.items():
        rows = source_rows(source, tables, own_columns=[measure.column for measure, _ in own])
        linked = {name: table for name, table in tables.items() if name != SOURCES[source]}
        rows = _kept(rows, linked, keys, period=period, where=filters, units=units)
        pieces.append(_aggregated(rows, linked, own, keys))
    if len(pieces) == 1:
        return pieces[0]
    zero = ibis.literal(0).cast("float64")
    stacked = [
        piece.select(*keys, **{name: piece[name] if name in piece.columns else zero for name in parts.values()})
        for piece in pieces
    ]
    union = reduce(lambda left, right: left.union(right), stacked)
    return union.group_by(list(keys)).aggregate(**{name: union[name].sum() for name in parts.values()})


def _kept(
    rows: ir.Table,
    tables: dict[str, ir.Table],
    keys: dict[str, str],
    *,
    period: Period | None,
    where: tuple[Filter, ...],
    units: Table | None,
) -> ir.Table:
    """The rows that count, with their keys."""
    if period is not None:
        rows = rows.filter(rows["day"] >= period.start, rows["day"] < period.until)
    for condition in where:
        rows = with_column(rows, condition.column, tables)
        rows = rows.filter(condition.on(rows))
    for key, unit in keys.items():
        rows = _keyed(rows, tables, key, unit)
        rows = rows.filter(rows[key].notnull())
    if units is not None and "counted_from" in (population := engine.as_table(units)).columns:
        starts = population.select("unit_id", "counted_from")
        rows = rows.inner_join(starts, "unit_id")
        rows = rows.filter(rows["at"].cast("timestamp") >= rows["counted_from"].cast("timestamp"))
    return rows


def _keyed(rows: ir.Table, tables: dict[str, ir.Table], key: str, unit: str) -> ir.Table:
    if unit in GRAINS:
        return rows.mutate(**{key: rows["day"] if unit == "day" else rows["day"].truncate(unit[0].upper())})
    if unit not in UNITS:
        raise ParameterError(f"unit: '{unit}' is not a unit; {nearest(unit, (*UNITS, *GRAINS))}")
    for column in UNITS[unit]:
        # A shop without customers still has buyers: its orders.
        is_required = column == UNITS[unit][-1] and not (unit == BUYER and "order_id" in rows.columns)
        linked = with_column(rows, column, tables, is_required=is_required, why=f"unit '{unit}'")
        if column in linked.columns:
            break
    return linked.mutate(**{key: buyer(linked) if unit == BUYER else linked[column]})


def _aggregated(
    rows: ir.Table,
    tables: dict[str, ir.Table],
    parts: dict[_Part, str],
    keys: dict[str, str],
) -> ir.Table:
    columns = [condition.column for _, where in parts for condition in where]
    columns += [measure.column for measure, _ in parts if measure.kind == "distinct"]
    for column in dict.fromkeys(columns):
        rows = with_column(rows, column, tables)
    entities = {column for unit in keys.values() for column in UNITS.get(unit, ())[:1]}
    # All orders of a customer are of a known one: the same column, so that the engine counts it once.
    renamed = {"known_order_id": "order_id"} if "customer" in keys.values() else {}
    sums = {name: _sum(rows, *part, entities, renamed) for part, name in parts.items()}
    return rows.group_by(list(keys)).aggregate(**sums)


def _sum(
    rows: ir.Table, measure: Measure, where: tuple[Filter, ...], entities: set[str], renamed: Mapping[str, str]
) -> ir.Value:
    """One measure as an aggregate, float64, 0 where no row counts."""
    condition = ibis.and_(*(condition.on(rows) for condition in where)) if where else None
    if measure.kind == "count":
        return rows.count(where=condition).cast("float64")
    column = rows[renamed.get(measure.column, measure.column)]
    if measure.kind == "sum":
        return column.sum(where=condition).cast("float64").fill_null(0.0)
    if measure.column in entities:
        # Every row of the unit holds the unit itself, so "how many" is "any".
        seen = column.notnull() if condition is None else column.notnull() & condition
        return engine.flag(seen).max()
    return column.nunique(where=condition).cast("float64")


def _sides(counts: ir.Table, metrics: Sequence[Metric], *, unit: str) -> dict[str, ir.Value]:
    """Numerator and denominator columns of every metric."""
    parts = _parts(metrics)
    columns: dict[str, ir.Value] = {}
    for metric, side, term in _terms(metrics):
        measure, name = term.measure, f"{metric.name}_{side}"
        if measure.at_least > 1 and unit not in ("customer", BUYER):
            raise ParameterError(f"metric '{metric.name}' is a property of a customer; unit '{unit}' cannot carry it")
        value = (
            ibis.literal(1).cast("float64") if measure.counted is None else counts[parts[measure.counted, term.where]]
        )
        if measure.kind == "unit" and measure.column:
            value = engine.flag(value >= measure.at_least)
        signed = value if term.sign == 1 else -value
        columns[name] = columns[name] + signed if name in columns else signed
    return columns
