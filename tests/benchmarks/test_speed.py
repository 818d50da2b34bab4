"""The speed bench compares equal answers; its times are never asserted."""

from __future__ import annotations

from datetime import date

import ibis.expr.types as ir
import pandas as pd
import pytest

from opslib import engine
from opslib.bench.speed import OURS, SQL, Setting, run_speed
from opslib.errors import ParameterError
from opslib.periods import Coverage, Period


@pytest.fixture(scope="module")
def setting():
    rows = [
        (f"o{i}", f"c{i % 37}" if i % 5 else None, f"p{i % 23}", 1 + i % 4, (i % 9) + 0.25, i % 300) for i in range(900)
    ]
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "product_id", "quantity", "unit_price", "day"])
    frame["ordered_on"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame.pop("day"), unit="D")
    frame["revenue_amount"] = frame["quantity"] * frame["unit_price"]
    backend = engine.connect()
    backend.create_table("raw", frame.assign(status="paid", ordered_at=frame["ordered_on"]), temp=True)
    backend.raw_sql(
        "CREATE TEMP TABLE order_lines AS SELECT * REPLACE (ordered_on::DATE AS ordered_on, "
        "revenue_amount::DECIMAL(18, 4) AS revenue_amount, quantity::DECIMAL(18, 4) AS quantity) FROM raw"
    )
    seen = Coverage(date(2026, 1, 1), date(2026, 10, 31))
    return Setting(lines=backend.table("order_lines"), coverage=seen, period=Period.parse("2026-02-01", "2026-09-30"))


@pytest.mark.parametrize("case", list(SQL))
def test_both_sides_give_the_same_answer(setting, case):
    theirs = engine.backend_of(setting.lines).raw_sql(setting.sql(case)).to_arrow_table().to_pandas()
    ours = OURS[case](setting)
    if isinstance(ours, ir.Table):
        ours = engine.collect(ours)
    else:
        ours = ours[ours["n_active"] > 0].rename(columns={"period_start": "piece"})
        ours[["cohort", "piece"]] = ours[["cohort", "piece"]].astype("datetime64[us]")
        theirs[["cohort", "piece"]] = theirs[["cohort", "piece"]].astype("datetime64[us]")
    columns = list(theirs.columns)
    key = columns[:2] if case == "cohorts" else columns[:1]
    ours, theirs = (f[columns].sort_values(key).reset_index(drop=True) for f in (ours, theirs))
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-9)


def test_every_case_is_timed_in_pairs(setting):
    table = run_speed(setting, cases=("rfm", "abc"), n_pairs=3)
    assert table["case"].tolist() == ["rfm", "abc"]
    assert (table[["seconds", "sql_seconds", "ratio", "ratio_upper"]] > 0).all().all()
    assert (table["ratio_upper"] >= table["ratio"]).all()


def test_an_unknown_case_is_named(setting):
    with pytest.raises(ParameterError, match="no case 'funnel'; there are rfm"):
        run_speed(setting, cases=("funnel",))
