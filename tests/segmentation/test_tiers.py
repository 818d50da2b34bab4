"""Heavy, medium, light and zero customers."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ParameterError
from opslib.segmentation import tier_sizes, value_tiers
from tests import retail

AS_OF = date(2026, 3, 31)
REL = 1e-9  # engine floats at 12 significant digits against Python's own sums


def lines_of(amounts: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame({
        "order_id": list(amounts), "product_id": "a", "customer_id": list(amounts), "quantity": 1.0,
        "ordered_at": pd.Timestamp("2026-01-05"), "unit_price": list(amounts.values()),
    })  # fmt: skip


def tiers_of(lines: object, **more: object) -> dict[str, str]:
    found = engine.collect(value_tiers(lines, as_of=AS_OF, **more).order_by("customer_id"))
    return dict(zip(found["customer_id"], found["tier"], strict=True))


def test_tiers_by_hand() -> None:
    # Ahead of a: 0; of b: 40 %; of c: 70 %; of d: 90 %.
    assert tiers_of(lines_of({"a": 40, "b": 30, "c": 20, "d": 10})) == {
        "a": "heavy",
        "b": "heavy",
        "c": "medium",
        "d": "light",
    }


def test_equal_revenue_is_an_equal_tier() -> None:
    tiers = tiers_of(lines_of({"a": 10, "b": 10, "c": 10, "d": 10, "e": 10}))
    assert len(set(tiers.values())) == 1


def test_gifts_are_zero() -> None:
    assert tiers_of(lines_of({"a": 10, "b": 0})) == {"a": "heavy", "b": "zero"}


def test_sizes_keep_empty_tiers_and_add_up() -> None:
    sizes = tier_sizes(value_tiers(lines_of({"a": 40, "b": 30, "c": 20, "d": 10}), as_of=AS_OF))
    assert sizes["tier"].tolist() == ["heavy", "medium", "light", "zero"]
    assert sizes["n_customers"].tolist() == [2, 1, 1, 0]
    assert sizes["revenue_share"].tolist() == pytest.approx([0.7, 0.2, 0.1, 0.0], rel=REL)


def test_shares_must_rise() -> None:
    with pytest.raises(ParameterError, match=r"shares: \(0.8, 0.5\) do not rise"):
        value_tiers(lines_of({"a": 1}), as_of=AS_OF, shares=(0.8, 0.5))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_who_spends_more_is_never_in_a_lower_tier(amounts: list[int]) -> None:
    frame = engine.collect(value_tiers(lines_of({str(i): float(a) for i, a in enumerate(amounts)}), as_of=AS_OF))
    rank = frame["tier"].map({"heavy": 3, "medium": 2, "light": 1, "zero": 0})
    ordered = frame.assign(rank=rank).sort_values("revenue_amount")
    assert (ordered["rank"].diff().dropna() >= 0).all()
    assert (ordered.groupby("revenue_amount")["rank"].nunique() == 1).all()
    if sum(amounts):
        assert frame["revenue_share"].sum() == pytest.approx(1.0, rel=REL)


@pytest.mark.real_data
def test_online_retail_equals_plain_sql() -> None:
    found = tier_sizes(value_tiers(retail.lines(), as_of=date(2011, 12, 9))).set_index("tier")
    expected = (
        retail.raw()
        .sql(f"""
        with c as (select CustomerID as c, sum(Quantity * UnitPrice) as r from ({retail.RAW})
                   where CustomerID is not null group by 1),
        a as (select c, r, coalesce((select sum(x.r) from c x where x.r > c.r), 0)
                       + r * ((select count(*) from c x where x.r = c.r) - 1) as ahead from c),
        t as (select *, ahead / (select sum(r) from c) as share from a)
        select case when share < .5 then 'heavy' when share < .8 then 'medium' else 'light' end as tier,
            count(*) as n, sum(r)::double as r from t group by 1
    """)
        .df()
        .set_index("tier")
    )
    for tier in ("heavy", "medium", "light"):
        assert found.loc[tier, "n_customers"] == expected.loc[tier, "n"]
        assert found.loc[tier, "revenue_amount"] == pytest.approx(expected.loc[tier, "r"], rel=REL)
