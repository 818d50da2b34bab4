"""New, active, at risk, lapsed: by each customer's own rhythm."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.segmentation import life_stages, stage_sizes
from tests import retail

AS_OF = date(2026, 6, 30)
REL = 1e-9  # engine floats at 12 significant digits against Python's own sums


def lines_of(days: dict[str, list[int]]) -> pd.DataFrame:
    """Orders of each customer, as days before ``AS_OF``."""
    rows = [(c, d) for c, each in days.items() for d in each]
    return pd.DataFrame({
        "order_id": [str(i) for i in range(len(rows))], "product_id": "a", "customer_id": [c for c, _ in rows],
        "ordered_at": [pd.Timestamp(AS_OF) - pd.Timedelta(days=d) for _, d in rows], "quantity": 1.0, "unit_price": 2.0,
    })  # fmt: skip


def stages_of(lines: object, **more: object) -> pd.DataFrame:
    return engine.collect(life_stages(lines, as_of=AS_OF, **more)).set_index("customer_id").sort_index()


WEEKLY = list(range(60, 200, 7))
MONTHLY = list(range(60, 600, 30))


def test_the_same_silence_means_different_things() -> None:
    """Sixty days: long for who came every week, nothing for who comes every quarter."""
    found = stages_of(lines_of({"weekly": WEEKLY, "monthly": MONTHLY, "quarterly": list(range(60, 900, 90))}))
    assert found["stage"].to_dict() == {"weekly": "silent", "monthly": "overdue", "quarterly": "in rhythm"}
    assert (found["silence_days"] == 60).all()


def test_probability_of_the_silence_by_hand() -> None:
    found = stages_of(lines_of({"x": [10, 20, 30], "y": [5, 45]}))
    gap = (20 + 40) / (2 + 1)  # time between first and last order, over gaps, of both
    shape, scale = 2 + 2, 20 + 2 * gap
    assert found.loc["x", "gap_days"] == pytest.approx(scale / (shape - 1), rel=REL)
    assert found.loc["x", "silence_share"] == pytest.approx((scale / (scale + 10)) ** shape, rel=REL)


def test_the_expected_gap_is_the_mean_of_the_law() -> None:
    """Second road: the mean of scipy's Lomax law."""
    lines = lines_of({"x": [10, 20, 30], "y": [5, 45], "z": [7]})
    gap = (20 + 40) / (2 + 1)
    found = stages_of(lines)
    for customer, gaps, span in (("x", 2, 20), ("y", 1, 40), ("z", 0, 0)):
        law = stats.lomax(2 + gaps, scale=2 * gap + span)
        assert found.loc[customer, "gap_days"] == pytest.approx(law.mean(), rel=REL)


def test_one_order_is_called_so_while_the_shops_rhythm_allows() -> None:
    found = stages_of(lines_of({"m": MONTHLY, "fresh": [10], "stale": [60], "gone": [400]}))
    assert found.loc[["fresh", "stale", "gone"], "stage"].tolist() == ["one order", "overdue", "silent"]


def test_two_orders_of_one_day_are_one_visit() -> None:
    found = stages_of(lines_of({"m": MONTHLY, "x": [10, 10]}))
    assert found.loc["x", ["n_order_days", "stage"]].tolist() == [1, "one order"]


def test_a_shop_where_nobody_came_back_has_a_months_rhythm() -> None:
    found = stages_of(lines_of({"x": [10], "y": [300]}))
    assert found["gap_days"].tolist() == [60.0, 60.0]  # b / (a - 1) with a of 2 and b of twice a month
    assert found["stage"].tolist() == ["one order", "silent"]


def test_sizes_add_up_and_name_a_treatment() -> None:
    sizes = stage_sizes(life_stages(lines_of({"m": MONTHLY, "x": [10]}), as_of=AS_OF))
    assert sizes["stage"].tolist() == ["one order", "in rhythm", "overdue", "silent"]
    assert sizes["n_customers"].tolist() == [1, 0, 1, 0]
    assert sizes["revenue_share"].sum() == pytest.approx(1.0, rel=REL)
    assert (sizes["action"].str.len() > 0).all()
    assert sizes["median_gap_days"].notna().tolist() == [False, False, True, False]  # one order has no gap of its own


def test_frame_and_table_give_the_same_and_nobody_is_empty() -> None:
    lines = lines_of({"m": MONTHLY, "x": [10]})
    pd.testing.assert_frame_equal(stages_of(lines), stages_of(ibis.duckdb.connect().create_table("lines", lines)))
    assert stages_of(lines.assign(status="cancelled")).empty


def test_errors_name_the_thing() -> None:
    lines = lines_of({"x": [10]})
    with pytest.raises(ParameterError, match=r"limits: \(0.05, 0.25\) do not fall"):
        life_stages(lines, as_of=AS_OF, limits=(0.05, 0.25))
    with pytest.raises(ContractError, match="order_lines: no column 'customer_id'"):
        life_stages(lines.drop(columns="customer_id"), as_of=AS_OF)


def test_customers_who_still_buy_are_seldom_called_silent() -> None:
    """Planted: 1,000 customers who never leave, with gamma(2) rates of one order in 30 days, seen for 720 days."""
    rng = np.random.default_rng(11)
    days: dict[str, list[int]] = {}
    for i, rate in enumerate(rng.gamma(2.0, 1 / 60, 1_000)):
        times = np.cumsum(rng.exponential(1 / rate, 400))
        if times[0] < 720:
            days[f"c{i:04d}"] = [int(720 - t) for t in times[times < 720]]
    found = stages_of(lines_of(days))
    # The shop's mean gap weighs frequent buyers more, so the limits of 5 % and 25 % are met within a few points.
    assert 0.03 < (found["stage"] == "silent").mean() < 0.09
    assert (found["silence_share"] <= 0.25).mean() == pytest.approx(0.25, abs=0.05)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=8, unique=True), st.integers(0, 200))
def test_a_longer_silence_never_makes_a_customer_livelier(days: list[int], more: int) -> None:
    others = {"m": MONTHLY, "q": list(range(20, 900, 90))}
    lines = lines_of({**others, "x": days})
    now = stages_of(lines).loc["x", "silence_share"]
    later = engine.collect(life_stages(lines, as_of=date.fromordinal(AS_OF.toordinal() + more))).set_index(
        "customer_id"
    )
    assert later.loc["x", "silence_share"] <= now + REL


@pytest.mark.real_data
def test_online_retail_equals_plain_sql() -> None:
    found = engine.collect(life_stages(retail.lines(), as_of=date(2011, 12, 9))).set_index("customer_id").sort_index()
    expected = (
        retail.raw()
        .sql(f"""
        with c as (select CustomerID::varchar as c, min(InvoiceDate::date) as f, max(InvoiceDate::date) as l,
                       count(distinct InvoiceDate::date) as n from ({retail.RAW}) where CustomerID is not null group by 1),
        g as (select sum(l - f) / sum(n - 1) as gap from c)
        select c, pow((2 * gap + (l - f)) / (2 * gap + (l - f) + (date '2011-12-09' - l)), n + 1) as p from c, g order by 1
    """)
        .df()
        .set_index("c")["p"]
    )
    np.testing.assert_allclose(found["silence_share"], expected, rtol=1e-8)
