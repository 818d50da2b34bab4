"""RFM scores, cut points and segments."""

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
from opslib.segmentation import SEGMENTS, rfm_coverage, rfm_cut_points, rfm_scores, segment_sizes
from tests import retail

AS_OF = date(2026, 3, 31)
REL = 1e-9  # engine floats at 12 significant digits against Python's own sums


def order(customer: str | None, day: str, amount: float, *, order_id: str | None = None, **more: object) -> dict:
    """One line."""
    return {
        "order_id": order_id or f"{customer}-{day}", "product_id": "a", "customer_id": customer,
        "ordered_at": pd.Timestamp(day), "quantity": 1.0, "unit_price": amount, **more,
    }  # fmt: skip


@pytest.fixture
def lines() -> pd.DataFrame:
    """Five customers: a three orders, b two on one day, c and d alike, e one long ago; one guest, one cancelled."""
    return pd.DataFrame([
        order("a", "2026-01-10", 10), order("a", "2026-02-10", 20), order("a", "2026-03-30", 30),
        order("b", "2026-03-01", 5, order_id="b1"), order("b", "2026-03-01", 5, order_id="b1"),
        order("b", "2026-03-01", 7, order_id="b2"),
        order("c", "2026-02-01", 9), order("d", "2026-02-01", 9), order("e", "2025-10-01", 100),
        order(None, "2026-03-30", 50), order("f", "2026-03-30", 50, status="cancelled"),
    ]).fillna({"status": "paid"})  # fmt: skip


def scores_of(lines: object, **more: object) -> pd.DataFrame:
    frame = engine.collect(rfm_scores(lines, as_of=AS_OF, **more))
    return frame.set_index("customer_id").sort_index()


def test_values_counted_by_hand(lines: pd.DataFrame) -> None:
    found = scores_of(lines)
    assert found["recency_days"].to_dict() == {"a": 1, "b": 30, "c": 58, "d": 58, "e": 181}
    assert found["n_orders"].to_dict() == {"a": 3, "b": 2, "c": 1, "d": 1, "e": 1}
    assert found["revenue_amount"].to_dict() == {"a": 60.0, "b": 17.0, "c": 9.0, "d": 9.0, "e": 100.0}


def test_scores_by_hand(lines: pd.DataFrame) -> None:
    # Percent rank among five: the share of the other four who are worse; score = floor(5 x rank) + 1, at most 5.
    found = scores_of(lines)
    assert found["r_score"].to_dict() == {"a": 5, "b": 4, "c": 2, "d": 2, "e": 1}
    assert found["f_score"].to_dict() == {"a": 5, "b": 4, "c": 1, "d": 1, "e": 1}
    assert found["m_score"].to_dict() == {"a": 4, "b": 3, "c": 1, "d": 1, "e": 5}
    assert found["segment"].to_dict() == {
        "a": "champions",
        "b": "champions",
        "c": "hibernating",
        "d": "hibernating",
        "e": "hibernating",
    }


def test_guests_and_unpaid_orders_are_nobody_and_are_counted(lines: pd.DataFrame) -> None:
    assert set(scores_of(lines).index) == set("abcde")
    found = rfm_coverage(lines, as_of=AS_OF).set_index("part")
    assert found.loc["without a customer", ["n_lines", "n_orders", "revenue_amount"]].tolist() == [1, 1, 50.0]
    assert found.loc["with a customer", "n_orders"] == 8
    assert found["revenue_share"].sum() == pytest.approx(1.0, rel=REL)


def test_orders_after_the_day_do_not_count(lines: pd.DataFrame) -> None:
    found = engine.collect(rfm_scores(lines, as_of=date(2026, 2, 28))).set_index("customer_id")
    assert found.loc["a", ["recency_days", "n_orders"]].tolist() == [18, 2]
    assert "b" not in found.index


def test_the_day_is_an_argument_never_the_clock(lines: pd.DataFrame) -> None:
    with pytest.raises(TypeError, match="as_of"):
        rfm_scores(lines)  # type: ignore[call-arg]


def test_five_customers_alike_have_one_score() -> None:
    """A peer's own test fixes frequency scores 0 to 4 for five customers who all ordered once."""
    alike = pd.DataFrame([order(c, "2026-03-01", 9) for c in "abcde"])
    found = scores_of(alike)
    assert found[["r_score", "f_score", "m_score"]].drop_duplicates().to_numpy().tolist() == [[1, 1, 1]]


def test_names_of_customers_do_not_matter(lines: pd.DataFrame) -> None:
    renamed = lines.assign(customer_id=lines["customer_id"].map(dict(zip("abcdef", "zyxwvu", strict=True))))
    a, b = scores_of(lines), scores_of(renamed)
    columns = ["recency_days", "r_score", "f_score", "m_score", "segment"]
    assert sorted(a[columns].to_numpy().tolist()) == sorted(b[columns].to_numpy().tolist())


def test_new_needs_exactly_one_order() -> None:
    many = [order(c, day, 9) for c in "abcdefgh" for day in ("2026-01-01", "2026-01-02", f"2026-02-{ord(c) - 90}")]
    frame = pd.DataFrame([*many, order("n", "2026-03-30", 9), order("m", "2026-03-29", 9), order("m", "2026-03-30", 9)])
    found = scores_of(frame)
    assert found.loc[["n", "m"], "segment"].tolist() == ["new", "promising"]
    assert found.loc[["n", "m"], "f_score"].tolist() == [1, 1]


def test_cut_points_reproduce_the_scores_and_travel(lines: pd.DataFrame) -> None:
    scores = rfm_scores(lines, as_of=AS_OF)
    points = rfm_cut_points(scores)
    assert points.recency_days == (58.0, 30.0, 30.0, 1.0)
    assert points.n_orders == (2.0, 2.0, 2.0, 3.0)
    pd.testing.assert_frame_equal(scores_of(lines), scores_of(lines, cut_points=points))
    alone = scores_of(lines[lines["customer_id"] == "b"], cut_points=points)
    assert alone.loc["b", ["r_score", "f_score", "m_score"]].tolist() == [4, 4, 3]


def test_a_score_that_nobody_had_is_out_of_reach() -> None:
    alike = pd.DataFrame([order(c, "2026-03-01", 9) for c in "ab"])
    points = rfm_cut_points(rfm_scores(alike, as_of=AS_OF))
    assert points.n_orders == (np.inf,) * 4
    assert scores_of(alike, cut_points=points)["f_score"].tolist() == [1, 1]


def test_segments_cover_every_pair_of_scores_once() -> None:
    for r in range(1, 6):
        for f in range(1, 6):
            held = [s.name for s in SEGMENTS if s.name != "new"
                    and s.recency[0] <= r <= s.recency[1] and s.frequency[0] <= f <= s.frequency[1]]  # fmt: skip
            assert len(held) == 1, (r, f, held)
    assert all(segment.action and segment.department for segment in SEGMENTS)


def test_sizes_add_up_and_keep_empty_segments(lines: pd.DataFrame) -> None:
    sizes = segment_sizes(rfm_scores(lines, as_of=AS_OF))
    assert sizes["segment"].tolist() == [segment.name for segment in SEGMENTS]
    assert sizes["n_customers"].sum() == 5
    assert sizes["customer_share"].sum() == pytest.approx(1.0, rel=REL)
    assert sizes["revenue_share"].sum() == pytest.approx(1.0, rel=REL)
    assert sizes.set_index("segment").loc["champions", "revenue_amount"] == 77.0


def test_frame_and_table_give_the_same(lines: pd.DataFrame) -> None:
    table = ibis.duckdb.connect().create_table("lines", lines)
    pd.testing.assert_frame_equal(scores_of(lines), scores_of(table))


def test_nobody_is_an_empty_table(lines: pd.DataFrame) -> None:
    none = lines.assign(status="cancelled")
    assert scores_of(none).empty
    assert segment_sizes(rfm_scores(none, as_of=AS_OF))["n_customers"].sum() == 0


def test_one_customer_has_the_lowest_scores() -> None:
    found = scores_of(pd.DataFrame([order("a", "2026-03-01", 9)]))
    assert found[["r_score", "f_score", "m_score"]].to_numpy().tolist() == [[1, 1, 1]]


def test_errors_name_the_thing(lines: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="bins: 1 is not from 2 to 10"):
        rfm_scores(lines, as_of=AS_OF, bins=1)
    points = rfm_cut_points(rfm_scores(lines, as_of=AS_OF))
    with pytest.raises(ParameterError, match="bins: 4 differs from the 5 scores"):
        rfm_scores(lines, as_of=AS_OF, bins=4, cut_points=points)
    with pytest.raises(ContractError, match="no column 'customer_id'"):
        rfm_scores(lines.drop(columns="customer_id"), as_of=AS_OF)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 80), st.integers(1, 500)), min_size=1, max_size=40),
       st.integers(2, 7), st.randoms())  # fmt: skip
def test_equal_values_have_equal_scores_whatever_the_order_of_rows(rows: list, bins: int, random: object) -> None:
    frame = pd.DataFrame([
        order(f"c{c}", str(date(2026, 1, 1) + pd.Timedelta(days=d)), m / 100, order_id=str(i))
        for i, (c, d, m) in enumerate(rows)
    ])  # fmt: skip
    found = scores_of(frame, bins=bins)
    for score, value in (("r_score", "recency_days"), ("f_score", "n_orders"), ("m_score", "revenue_amount")):
        assert (found.groupby(value)[score].nunique() == 1).all()
        assert found[score].between(1, bins).all()
        step = found.sort_values(value)[score].diff().dropna()
        assert (step <= 0).all() if score == "r_score" else (step >= 0).all()
    shuffled = frame.sample(frac=1, random_state=random.randrange(1000))  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(found, scores_of(shuffled, bins=bins))


@pytest.mark.real_data
def test_online_retail_equals_plain_sql() -> None:
    as_of = date(2011, 12, 9)
    found = engine.collect(rfm_scores(retail.lines(), as_of=as_of)).set_index("customer_id").sort_index()
    expected = (
        retail.raw()
        .sql(f"""
        with c as (
            select CustomerID::varchar as customer_id, date '2011-12-09' - max(InvoiceDate::date) as recency_days,
                count(distinct InvoiceNo) as n_orders, sum(Quantity * UnitPrice) as revenue
            from ({retail.RAW}) where CustomerID is not null group by 1
        )
        select customer_id, recency_days, n_orders, revenue::double as revenue,
            least(floor(5 * (rank() over (order by recency_days desc) - 1) / (count(*) over () - 1)) + 1, 5)::int as r,
            least(floor(5 * (rank() over (order by n_orders) - 1) / (count(*) over () - 1)) + 1, 5)::int as f,
            least(floor(5 * (rank() over (order by revenue) - 1) / (count(*) over () - 1)) + 1, 5)::int as m
        from c order by 1
    """)
        .df()
        .set_index("customer_id")
    )
    assert len(found) == len(expected) == 4338
    for mine, theirs in (("recency_days", "recency_days"), ("n_orders", "n_orders"), ("r_score", "r"),
                         ("f_score", "f"), ("m_score", "m")):  # fmt: skip
        assert (found[mine].to_numpy() == expected[theirs].to_numpy()).all(), mine
    np.testing.assert_allclose(found["revenue_amount"], expected["revenue"], rtol=REL)
