"""Faulty products: returns, low ratings and service cases beyond those of other products of the category."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.metrics import MONEY, day_of, order_day, paid
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.privacy import MINIMUM
from opslib.stats.excess import peer_excess
from opslib.stats.multiplicity import adjusted
from opslib.suppression import counted

FALSE_DISCOVERY = 0.1
"""Share of the named products that may be named wrongly, on average."""
LOW_STARS, FEWEST_CHANCES = 2, 10
"""Stars up to which a rating is low; lines (reviews) from which a product is judged: of fewer, one return of an earlier sale is a fault."""
CHECKS: dict[str, tuple[str, str]] = {
    "returns": ("n_returns", "n_lines"),
    "low ratings": ("n_low", "n_reviews"),
    "service cases": ("n_cases", "n_lines"),
}
"""What is checked: what is counted, and of what."""
_SUMS = ("n_lines", "n_returns", "refund_amount", "n_reviews", "n_low", "n_cases")
_MONTH_DAYS = 365.25 / 12


def product_faults(
    order_lines: Table,
    *,
    period: Period,
    products: Table,
    returns: Table,
    reviews: Table,
    tickets: Table,
) -> pd.DataFrame:
    """Each product's returns, low ratings and service cases against those of the other products of its category.

    Parameters
    ----------
    order_lines : order_lines
        Paid lines of the period count.
    period : Period
        Local days of lines, returns, reviews and cases.
    products : products
        Category (one group of all where none is known) and supplier.
    returns, reviews, tickets : table
        What is empty is not checked.

    Returns
    -------
    pandas.DataFrame
        One row a product sold: product_id, category, supplier, n_lines, n_returns, refund_amount, n_reviews, n_low, n_cases; for each check that could be made
        ``<check>_expected``, ``<check>_ratio`` with ``_lower``, ``_upper`` and ``_next`` (if nothing is done), ``<check>_p``;
        q_value (of the product: its smallest p-value times the number of checks, over all products by Benjamini and
        Hochberg), signs (checks that name it, '' where it is not named), is_faulty, reason (most given by those returned; missing below ten
        returns with it), loss_amount (refunds a month beyond those expected), loss_amount_lower, loss_amount_upper,
        loss_next_amount (what of it will remain if nothing is done).

    Examples
    --------
    >>> lines = pd.DataFrame({"product_id": ["a", "b", "c"] * 200, "ordered_at": pd.Timestamp("2026-10-05")})
    >>> back = pd.DataFrame({"product_id": ["a"] * 60 + ["b", "c"] * 8, "returned_at": pd.Timestamp("2026-10-09"),
    ...     "refund_amount": 9.0, "reason": "faulty"})
    >>> own = pd.DataFrame({"product_id": ["a", "b", "c"], "category": "lamps", "supplier": "S"})
    >>> none = pd.DataFrame({"product_id": [], "rating": []})
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> found = product_faults(lines, period=october, products=own, returns=back, reviews=none, tickets=none)
    >>> found.loc[found["is_faulty"], ["product_id", "signs", "reason"]].values.tolist()
    [['a', 'returns', 'faulty']]
    """
    rows = _counted(order_lines, period=period, products=products, returns=returns, reviews=reviews, tickets=tickets)
    found = engine.grouped(rows, "product_id", **_sums_of(rows), **{name: rows[name].max() for name in ("category", "supplier")})  # fmt: skip
    found = found[found["n_lines"] > 0].reset_index(drop=True)
    groups = found["category"].astype("object").to_numpy()
    made = [check for check, (events, _) in CHECKS.items() if found[events].sum() > 0]
    for check in made:
        events, chances = (found[name].to_numpy(dtype="float64") for name in CHECKS[check])
        tested = peer_excess(events, chances, groups, false_discovery=FALSE_DISCOVERY)
        for name in ("expected", "ratio", "ratio_lower", "ratio_upper", "ratio_next"):
            found[f"{check}_{name}"] = tested[name]
        found[f"{check}_p"] = tested["p_value"].where(chances >= FEWEST_CHANCES, 1.0)
    own = np.column_stack([np.ones(len(found)), *(found[f"{check}_p"] * len(made) for check in made)])
    best = adjusted(dict(enumerate(own.min(axis=1))), method="benjamini_hochberg", alpha=FALSE_DISCOVERY)
    found["q_value"], found["is_faulty"] = best["adjusted_p_value"], best["is_rejected"]
    share = FALSE_DISCOVERY * best["is_rejected"].mean() if len(best) else 0.0
    signs = own[:, 1:] <= share
    found["signs"] = [", ".join(check for check, is_said in zip(made, row, strict=True) if is_said) for row in signs]
    found = found.merge(_reasons(returns, period), on="product_id", how="left", validate="one_to_one")
    return counted(_with_loss(found, period), None)


def supplier_months(
    order_lines: Table, faults: pd.DataFrame, *, period: Period, products: Table, returns: Table
) -> pd.DataFrame:
    """Returns of each supplier's products month by month, faulty ones apart: a bad delivery shows in all of them at once.

    Parameters
    ----------
    order_lines, period, products, returns
        As for `product_faults`.
    faults : pandas.DataFrame
        From `product_faults`; the products that it names are left out.

    Returns
    -------
    pandas.DataFrame
        One row a supplier and month with returns: supplier, month, n_lines, n_returns, refund_amount, return_share, expected_share (the
        rate of all other suppliers and months in these categories), ratio, ratio_lower, ratio_upper, q_value, is_bad,
        loss_amount (refunds of the month beyond those expected). Bad ones first.

    Examples
    --------
    >>> lines = pd.DataFrame({"product_id": ["a", "b", "c", "d"] * 200, "ordered_at": pd.Timestamp("2026-10-05")})
    >>> back = pd.DataFrame({"product_id": ["a"] * 50 + ["b", "c", "d"] * 9, "returned_at": pd.Timestamp("2026-10-09"), "refund_amount": 9.0})
    >>> own = pd.DataFrame({"product_id": ["a", "b", "c", "d"], "category": "lamps", "supplier": ["S", "T", "U", "V"]})
    >>> named = pd.DataFrame({"product_id": [], "is_faulty": []}).astype({"is_faulty": bool})
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> found = supplier_months(lines, named, period=october, products=own, returns=back)
    >>> found[["supplier", "is_bad"]].values.tolist()[0]
    ['S', True]
    """
    none = returns.head(0).select("product_id") if isinstance(returns, ir.Table) else returns[["product_id"]].head(0)
    rows = _counted(order_lines, period=period, products=products, returns=returns, reviews=none, tickets=none)
    rows = rows.filter(rows["supplier"].notnull(), rows["product_id"].notin(["", *faults.loc[faults["is_faulty"], "product_id"]]))  # fmt: skip
    rows = rows.mutate(category=rows["category"].fill_null(""), month=rows["day"].truncate("M"))
    cells = engine.grouped(rows, ["supplier", "month", "category"], **_sums_of(rows))
    rates = cells.groupby("category")[["n_lines", "n_returns"]].transform("sum")
    cells["usual"] = cells["n_lines"] * rates["n_returns"] / rates["n_lines"].clip(lower=1)
    found = cells.groupby(["supplier", "month"], as_index=False)[
        ["n_lines", "n_returns", "refund_amount", "usual"]
    ].sum()
    found = found[(found["n_lines"] > 0) & (found["usual"] > 0)].reset_index(drop=True)
    events, usual = (found[name].to_numpy(dtype="float64") for name in ("n_returns", "usual"))
    tested = peer_excess(events, usual, np.full(len(found), "all"), false_discovery=FALSE_DISCOVERY)
    found = pd.concat([found, tested[["expected", "ratio", "ratio_lower", "ratio_upper", "q_value"]]], axis=1)
    found["return_share"] = found["n_returns"] / found["n_lines"]
    found["expected_share"] = found["expected"] / found["n_lines"]
    found["is_bad"] = found["q_value"] <= FALSE_DISCOVERY
    found["loss_amount"] = found["refund_amount"] * (1 - 1 / found["ratio"]).clip(lower=0).fillna(0.0)
    ordered = ["is_bad", "loss_amount", "supplier", "month"]
    found = found.sort_values(ordered, ascending=[False, False, True, True], ignore_index=True)
    return counted(found.drop(columns=["usual", "expected"]), None)


def _sums_of(rows: ir.Table) -> dict[str, ir.Value]:
    return {name: rows[name].sum().cast("float64").fill_null(0.0) for name in _SUMS}


def _counted(
    order_lines: Table, *, period: Period, products: Table, returns: Table, reviews: Table, tickets: Table
) -> ir.Table:
    """Lines, returns, reviews and cases of the period stacked: one row each, with its product's category and supplier."""
    lines = paid(order_lines)
    back, said, cases = (engine.as_table(table) for table in (returns, reviews, tickets))
    parts = [_part(lines, order_day(lines), n_lines=1)]
    if "returned_at" in back.columns:
        refund = back["refund_amount"].cast(MONEY) if "refund_amount" in back.columns else None
        parts.append(_part(back, day_of(back, "returned_at"), n_returns=1, refund_amount=refund))
    if "written_at" in said.columns:
        rating = said["rating"].cast("float64")
        parts.append(_part(said, day_of(said, "written_at"), n_reviews=rating.notnull().ifelse(1, 0), n_low=(rating <= LOW_STARS).fill_null(False).ifelse(1, 0)))  # fmt: skip
    if "opened_at" in cases.columns:
        parts.append(_part(cases, day_of(cases, "opened_at"), n_cases=1))
    rows = ibis.union(*parts) if len(parts) > 1 else parts[0]
    rows = rows.filter(rows["day"].between(period.start, period.end), rows["product_id"].notnull())
    table = engine.as_table(products)
    known = table.select(known_id=table["product_id"].cast("string"), **{name: table[name].cast("string") for name in ("category", "supplier")})  # fmt: skip
    return rows.left_join(known, rows["product_id"] == known["known_id"]).drop("known_id")


def _part(table: ir.Table, day: ir.DateValue, **counts: Any) -> ir.Table:
    """One row a row of the table, with zeros for what it does not count."""
    typed = {}
    for name in _SUMS:
        value = 0 if counts.get(name) is None else counts[name]
        kind = MONEY if name == "refund_amount" else "int64"
        typed[name] = (ibis.literal(value) if isinstance(value, int) else value).cast(kind)
    return table.select(product_id=table["product_id"].cast("string"), day=day.cast("date"), **typed)


def _reasons(returns: Table, period: Period) -> pd.DataFrame:
    """The reason most often given for each product, where ten returns give it."""
    back = engine.as_table(returns)
    if "reason" not in back.columns or "returned_at" not in back.columns:
        return pd.DataFrame({"product_id": pd.Series(dtype="str"), "reason": pd.Series(dtype="str")})
    rows = back.select(product_id=back["product_id"].cast("string"), day=day_of(back, "returned_at"), reason=back["reason"].cast("string"))  # fmt: skip
    rows = rows.filter(rows["day"].between(period.start, period.end), rows["reason"].notnull())
    counts = rows.group_by("product_id", "reason").aggregate(n=rows.count())
    found = engine.collect(counts.filter(counts["n"] >= MINIMUM).order_by("product_id", ibis.desc("n"), "reason"))
    return found.drop_duplicates("product_id")[["product_id", "reason"]]


def _with_loss(found: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Refunds a month beyond those expected, and what of that remains next time if nothing is done."""
    ends = {"": "ratio", "_lower": "ratio_lower", "_upper": "ratio_upper", "_next": "ratio_next"}
    usual = found["refund_amount"] / found["returns_ratio"].where(found["n_returns"] > 0) if "returns_ratio" in found else pd.Series(np.nan, index=found.index)  # fmt: skip
    for end, name in ends.items():
        ratio = found[f"returns_{name}"] if "returns_ratio" in found else np.nan
        column = "loss_next_amount" if end == "_next" else f"loss_amount{end}"
        found[column] = (usual * (ratio - 1) * _MONTH_DAYS / period.n_days).astype("float64")
    return found
