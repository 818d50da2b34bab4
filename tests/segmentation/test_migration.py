"""Flows between segments, where growth comes from, what became of cohorts."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.errors import ContractError, ParameterError
from opslib.segmentation import NOBODY, cohort_segments, rfm_scores, segment_growth, segment_migration
from opslib.stats.shares import share
from tests import retail

REL = 1e-9  # engine floats at 12 significant digits against Python's own sums


def table(segments: dict[str, tuple[str, float]]) -> pd.DataFrame:
    return pd.DataFrame({
        "customer_id": list(segments), "segment": [s for s, _ in segments.values()],
        "revenue_amount": [r for _, r in segments.values()],
    })  # fmt: skip


BEFORE = table({"a": ("loyal", 10.0), "b": ("loyal", 20.0), "c": ("loyal", 5.0), "d": ("new", 1.0)})
AFTER = table({"a": ("loyal", 12.0), "b": ("at risk", 2.0), "d": ("loyal", 9.0), "e": ("new", 3.0)})


def test_flows_by_hand() -> None:
    flows = segment_migration(BEFORE, AFTER).set_index(["segment_before", "segment_after"])
    assert flows["n_customers"].to_dict() == {
        ("loyal", "at risk"): 1,
        ("loyal", "loyal"): 1,
        ("loyal", NOBODY): 1,
        ("new", "loyal"): 1,
        (NOBODY, "new"): 1,
    }
    assert flows.loc[("loyal", "at risk"), ["n_before", "revenue_change"]].tolist() == [3, -18.0]
    assert flows.loc[("loyal", NOBODY), "revenue_change"] == -5.0
    assert flows["revenue_change"].sum() == 26 - 36


def test_flow_intervals_are_wilsons() -> None:
    flow = segment_migration(BEFORE, AFTER).set_index(["segment_before", "segment_after"]).loc[("loyal", "loyal")]
    expected = share(1, 3)
    assert flow[["flow_share", "flow_share_lower", "flow_share_upper"]].tolist() == pytest.approx(
        [expected.value, expected.lower, expected.upper], rel=REL
    )


def test_frame_and_table_give_the_same() -> None:
    con = ibis.duckdb.connect()
    staged = [con.create_table(name, frame) for name, frame in (("before", BEFORE), ("after", AFTER))]
    pd.testing.assert_frame_equal(segment_migration(BEFORE, AFTER), segment_migration(*staged))


def test_segments_without_revenue_still_flow() -> None:
    flows = segment_migration(BEFORE.drop(columns="revenue_amount"), AFTER.drop(columns="revenue_amount"))
    assert flows["n_customers"].sum() == 5
    assert (flows["revenue_change"] == 0).all()


def test_columns_are_named_when_missing() -> None:
    with pytest.raises(ContractError, match="after: no column 'tier'"):
        segment_migration(BEFORE.rename(columns={"segment": "tier"}), AFTER, by="tier")


def test_growth_by_hand() -> None:
    growth = segment_growth(BEFORE, AFTER).set_index("segment_compared")
    assert growth["change_amount"].to_dict() == {"loyal": -14.0, "at risk": 2.0, "new": 2.0}
    assert growth["growth_share"].to_dict() == {"loyal": 1.4, "at risk": -0.2, "new": -0.2}
    # Four customers before and after: nothing comes from their number.
    assert growth["volume_amount"].tolist() == [0.0, 0.0, 0.0]
    weight = (21 - 35) / np.log(21 / 35)
    assert growth.loc["loyal", "mix_amount"] == pytest.approx(weight * np.log(2 / 3), rel=REL)
    assert growth.loc["at risk", "mix_amount"] == pytest.approx(2.0, rel=REL)


SIDE = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.sampled_from("pqr"), st.integers(0, 50)), min_size=1)


@settings(max_examples=25, deadline=None)
@given(SIDE, SIDE)
def test_flows_and_effects_add_up(before: dict, after: dict) -> None:
    a, b = (table({c: (s, float(r)) for c, (s, r) in side.items()}) for side in (before, after))
    flows, growth = segment_migration(a, b), segment_growth(a, b)
    change = b["revenue_amount"].sum() - a["revenue_amount"].sum()
    assert flows["n_customers"].sum() == len(set(before) | set(after))
    assert flows["revenue_change"].sum() == pytest.approx(change, abs=1e-9)
    assert flows.groupby("segment_before")["flow_share"].sum().to_numpy() == pytest.approx(1.0, rel=REL)
    parts = growth[["volume_amount", "mix_amount", "rate_amount"]].sum(axis=1)
    np.testing.assert_allclose(parts, growth["change_amount"], atol=1e-9)
    assert growth["change_amount"].sum() == pytest.approx(change, abs=1e-9)


def test_cohorts_by_segment_by_hand() -> None:
    lines = pd.DataFrame({
        "order_id": list("1234"), "product_id": "a", "customer_id": list("xxyz"), "quantity": 1.0,
        "ordered_at": pd.to_datetime(["2026-01-05", "2026-05-05", "2026-02-05", "2026-04-05"]), "unit_price": 2.0,
    })  # fmt: skip
    segments = pd.DataFrame({"customer_id": list("xyz"), "segment": ["loyal", "lapsed", "new"]})
    found = cohort_segments(lines, segments, as_of=date(2026, 6, 30))
    assert found[["cohort", "segment", "n_cohort", "segment_share", "revenue_amount"]].values.tolist() == [
        [pd.Timestamp("2026-01-01"), "lapsed", 2, 0.5, 2.0], [pd.Timestamp("2026-01-01"), "loyal", 2, 0.5, 4.0],
        [pd.Timestamp("2026-04-01"), "new", 1, 1.0, 2.0],
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="grain: 'season' is not one of"):
        cohort_segments(lines, segments, as_of=date(2026, 6, 30), grain="season")  # type: ignore[arg-type]


@pytest.mark.real_data
def test_online_retail_flows_equal_plain_sql() -> None:
    lines = retail.lines()
    half = lines["ordered_at"] < ibis.timestamp("2011-07-01")
    before, after = (
        engine.collect(rfm_scores(lines.filter(part), as_of=day)) for part, day in
        ((half, date(2011, 6, 30)), (~half, date(2011, 12, 9)))
    )  # fmt: skip
    flows = segment_migration(before, after)
    found = dict(
        zip(zip(flows["segment_before"], flows["segment_after"], strict=True), flows["n_customers"], strict=True)
    )
    con = retail.raw()
    con.register("seg_before", before)
    con.register("seg_after", after)
    expected = con.sql(f"""
        select coalesce(b.segment, '{NOBODY}'), coalesce(a.segment, '{NOBODY}'), count(*)
        from seg_before b full join seg_after a on a.customer_id = b.customer_id group by 1, 2
    """).fetchall()
    assert found == {(b, a): n for b, a, n in expected}
    total = con.sql(
        f"select sum(Quantity * UnitPrice)::double from ({retail.RAW}) where CustomerID is not null"
    ).fetchone()
    assert flows["revenue_before"].sum() + flows["revenue_after"].sum() == pytest.approx(total[0], rel=REL)
