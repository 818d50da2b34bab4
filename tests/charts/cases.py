"""One realistic and several awkward results for every draw function, by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import charts
from opslib.proposals.results import ClaimResult, Measured
from opslib.stats.estimates import Estimate

LONG = "Netherlands, Luxembourg and the Flemish part of Belgium, without the islands"


def estimate(value: float, lower: float, upper: float, unit: str = "share") -> Estimate:
    return Estimate(value=value, lower=lower, upper=upper, n=100, unit=unit, method="by hand")


def months(n: int = 14) -> pd.DataFrame:
    value = 400e3 + 30e3 * np.sin(np.arange(n))
    status = ["partial", *["complete"] * (n - 3), "partial", "unobserved"]
    start = pd.date_range("2025-01-01", periods=n, freq="MS")
    return pd.DataFrame(
        {"start": start, "value": value, "value_lower": value * 0.96, "value_upper": value * 1.04, "status": status}
    )


def days(names: tuple[str, ...], n: int = 90) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"start": pd.date_range("2026-01-01", periods=n), "value": 0.02 + i * 1e-4, "name": name})
        for i, name in enumerate(names)
    ]
    return pd.concat(parts, ignore_index=True)


def daily_shares(n: int = 150) -> pd.DataFrame:
    days = pd.date_range("2026-01-01", periods=n)
    return pd.DataFrame(
        {"day": days, "adjusted": np.where(np.arange(n) < 100, 0.1, 0.08) + 0.002 * np.sin(np.arange(n))}
    )


def one_level() -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.to_datetime([day])
            for name, day in (("day", "2026-04-11"), ("day_lower", "2026-04-08"), ("day_upper", "2026-04-16"))
        }
    )


def two_years() -> pd.DataFrame:
    starts = pd.date_range("2025-05-01", periods=18, freq="MS")
    rows = [("revenue", "Revenue", "money", start, "complete", 5e4 + 1e3 * i) for i, start in enumerate(starts)]
    rows += [("orders", "Orders", "count", start, "complete", 400.0 + i) for i, start in enumerate(starts)]
    return pd.DataFrame(rows, columns=["metric", "title", "unit", "start", "status", "value"])


def changes() -> pd.DataFrame:
    return pd.DataFrame({
        "group": ["mug", "rug", LONG], "revenue_before": [10.0, 900.0, 50.0], "revenue_after": [2010.0, 100.0, 60.0],
        "change_amount": [2000.0, -800.0, 10.0],
    })  # fmt: skip


def every_day() -> pd.DataFrame:
    days = pd.date_range("2026-01-01", "2026-10-31")
    frame = pd.DataFrame(
        {"day": days, "is_observed": days != pd.Timestamp("2026-09-04"), "orders": 20.0 + days.dayofweek}
    )
    return frame.assign(orders=frame["orders"].where(frame["is_observed"]))


def claim(
    sentence: str, state: str, effect: Estimate | None, *, promise: float, smallest_worthwhile: float = 0.0
) -> ClaimResult:
    return ClaimResult(
        claim_id="c", sentence=sentence, metric="revenue", design="experiment", state=state, qualifier="",
        page_sentence="", measured=Measured(effect=effect), grade="High", grade_reasons=(), promise=promise, smallest_worthwhile=smallest_worthwhile,
        scale="relative",
    )  # fmt: skip


def falling_curve() -> pd.DataFrame:
    days = pd.date_range("2026-03-02", periods=12, freq="7D")
    value = np.linspace(0.04, 0.02, 12)
    return pd.DataFrame({"day": days, "value": value, "value_lower": value - 0.03, "value_upper": value + 0.03})


def kept_promises() -> pd.DataFrame:
    outcomes = ("as promised", "better but unclear how much", "open", "worse")
    return pd.DataFrame({
        "name": [f"D-0{i} {LONG if i == 1 else 'Countdown banner'}" for i in range(4)], "outcome": outcomes,
        "promise_share": 0.1, "predicted_share": [0.05, 0.05, np.nan, 0.02], "predicted_share_lower": [0.0, -0.1, np.nan, -0.05],
        "predicted_share_upper": [0.1, 0.2, np.nan, 0.09], "found_share": [0.15, 0.08, 0.02, -0.19],
        "found_share_lower": [0.12, 0.01, -0.1, -0.26], "found_share_upper": [0.18, 0.15, 0.14, -0.11],
        "found": ["+15 % (12–18)", "+8 % (1–15)", "+2 % (−10 to 14)", "−19 % (−26 to −11)"],
    })  # fmt: skip


def claims() -> list[ClaimResult]:
    return [
        claim(
            f"Free delivery raises conversion in {LONG}",
            "supported",
            estimate(0.012, 0.004, 0.02),
            promise=0.01,
            smallest_worthwhile=0.002,
        ),
        claim("Order value holds", "refuted", estimate(-0.1, -0.6, 0.4, "GBP"), promise=0.5),
        claim(
            "Returns fall",
            "inconclusive",
            estimate(0.03, -0.01, 0.07, "relative change"),
            promise=0.1,
            smallest_worthwhile=0.02,
        ),
        claim("Margin rises", "invalid", None, promise=0.4),
    ]


def cohorts(n: int) -> pd.DataFrame:
    starts = pd.date_range("2025-01-01", periods=n, freq="MS")
    rows = [
        (cohort, age, 1.0 if age == 0 else 0.35 * age**-0.4 if i + age < n else np.nan)
        for i, cohort in enumerate(starts)
        for age in range(n)
    ]
    return pd.DataFrame(rows, columns=["cohort", "age", "retention_share"])


def profiles() -> pd.DataFrame:
    rows = [
        (cluster, f"group {cluster}", name, d, d - 0.2, d + 0.2, abs(d) > 0.5)
        for cluster in (1, 2, 3)
        for name, d in (("gap", 1.4 - cluster), ("discount", cluster - 2.0), ("share_kitchen", 0.8 * (cluster == 3)))
    ]
    return pd.DataFrame(
        rows,
        columns=["cluster", "segment", "feature", "difference", "difference_lower", "difference_upper", "is_distinct"],
    )


def segments() -> pd.DataFrame:
    return pd.DataFrame({
        "segment": ["champions", "loyal", LONG, "hibernating", "tiny"],
        "customer_share": [0.08, 0.2, 0.15, 0.57, np.nan], "revenue_share": [0.42, 0.31, 0.2, 0.07, np.nan],
    })  # fmt: skip


def grid() -> pd.DataFrame:
    frame = pd.DataFrame([(r, f, 90.0 * r * f) for r in range(1, 6) for f in range(1, 6)])
    frame.columns = ["recency_score", "frequency_score", "n_customers"]
    frame.loc[3, "n_customers"] = np.nan
    return frame


def curve() -> pd.DataFrame:
    value = 1 / np.arange(1, 201)
    share = value.cumsum() / value.sum()
    classes = np.where(share <= 0.8, "A", np.where(share <= 0.95, "B", "C"))
    return pd.DataFrame({"item_share": np.arange(1, 201) / 200, "value_share": share, "abc": classes})


def cells() -> pd.DataFrame:
    shares = [0.35, 0.25, 0.12, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02]
    return pd.DataFrame({
        "abc_class": list("AAABBBCCC"), "xyz_class": list("XYZ" * 3), "n_products": range(1, 10),
        "amount_share": shares, "treatment": "order by hand, watch closely, ask the buyer",
    })  # fmt: skip


def portfolio(n: int) -> pd.DataFrame:
    growth = 0.4 * np.cos(np.arange(n) * 2.4)
    revenue = 1e5 / np.arange(1, n + 1)
    return pd.DataFrame({
        "group": [f"Category {i} of things" for i in range(n)], "growth_change": growth, "revenue_share": revenue / revenue.sum(),
        "revenue_after": revenue, "quadrant": np.where(growth > 0, "star", "dog"), "shop_growth": 0.0, "average_share": 1 / n,
        "is_clear": np.abs(growth) > 0.3,
    })  # fmt: skip


def stages() -> pd.DataFrame:
    names = ["launch", "growth", "maturity", "decline", "dormant"]
    return pd.DataFrame(
        {"stage": names, "n_products": [12, 23, 90, 40, 8], "revenue_share": [0.05, 0.2, 0.6, 0.14, 0.01]}
    )


def ladder() -> pd.DataFrame:
    edges = np.geomspace(2, 200, 7)
    parts = []
    for i, name in enumerate(["Kitchen", "Garden", LONG, "Bath"]):
        offer = np.array([0.3, 0.3, 0, 0.2, 0.2, 0]) if i % 2 else np.array([0.1, 0.2, 0.3, 0.2, 0.1, 0.1])
        parts.append(pd.DataFrame({
            "category": name, "band": range(6), "lower_price": edges[:-1] * (i + 1), "upper_price": edges[1:] * (i + 1),
            "n_products": offer * 50, "revenue_amount": 1e4 * offer[::-1], "offer_share": offer,
            "demand_share": offer[::-1], "leading_product": "Amber stoneware doormat", "leading_amount": 6e3 * offer[::-1],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def needs() -> pd.DataFrame:
    visits = np.array([60.0, 24.0, 17.0, 9.5, 3.25, 0.0])
    return pd.DataFrame({
        "need": ["misspelt words", "air fryer", "dog bed", LONG, "rug", "solar lights"], "n_people": [600, 288, 204, 114, 39, 90],
        "kind": ["misspelt", *["finds nothing"] * 3, "finds, but is not clicked", "finds nothing"], "visits_per_month": visits,
        "worth_amount": 2 * visits, "worth_amount_upper": 5 * visits, "is_met": [False] * 5 + [True],
    })  # fmt: skip


def gaps() -> pd.DataFrame:
    pressure = np.array([2.8, 1.6, 1.2, 0.9, np.inf, 0.4])
    return pd.DataFrame({
        "category": ["rugs", "rugs", "rugs", LONG, LONG, LONG], "price_band": ["lower", "middle", "upper"] * 2,
        "pressure": pressure, "pressure_lower": pressure * 0.9, "pressure_upper": pressure * 1.1,
        "excess_amount": [12_345.0, 830.0, 45.5, -12.0, 0.0, -2_300.0],
    })  # fmt: skip


PREMIUMS = pd.DataFrame({
    "group": ["Alma", "Borg", "Cato"], "premium_share": [0.12, -0.03, np.nan], "premium_share_lower": [0.05, -0.1, np.nan],
    "premium_share_upper": [0.2, 0.04, np.nan],
})  # fmt: skip


def complements(n: int = 12) -> pd.DataFrame:
    names = [f"{word} of a long name" for word in ("lamp", "rug", "chair", "table", "mug", "tray", "vase", "sofa")]
    pairs = [(names[i % 8], names[(i + 1 + i // 8) % 8]) for i in range(n)]
    frame = pd.DataFrame(pairs, columns=["item_a", "item_b"])
    ratio = [12.0 / (i + 1) + 1 for i in range(n)]
    return frame.assign(
        ratio=ratio,
        ratio_lower=[0.8 * r for r in ratio],
        ratio_upper=[1.3 * r for r in ratio],
        n_customers=[9, *[40] * (n - 1)][:n],
        is_beyond_chance=True,
    )


def density() -> pd.DataFrame:
    amount = np.linspace(-10e3, 50e3, 121)
    return pd.DataFrame({"amount": amount, "density": np.exp(-0.5 * ((amount - 18e3) / 11e3) ** 2)})


ACCOUNTING = pd.DataFrame({
    "reason": ["kept", "cancelled order", LONG, "never"], "n_rows": [397_884, 9288, 2515, 0],
    "outcome": ["kept", *["set aside"] * 3],
})  # fmt: skip
EFFECTS = pd.DataFrame({"factor": ["buyers", "orders_per_buyer", "price_per_item"], "effect_amount": [12e3, -8e3, 4e3]})
FALL = pd.DataFrame({"factor": ["returns", "price"], "effect_amount": [-50.0, 20.0]})
GROUPS = pd.DataFrame({"factor": [f"Country {i}" for i in range(25)], "effect_amount": np.linspace(900, -900, 25)})
BINS = pd.DataFrame({
    "stated": [0.1, 0.35, 0.6], "observed": [0.2, 0.3, 0.7], "observed_lower": [0.05, 0.1, 0.5], "observed_upper": [0.4, 0.6, 0.9],
    "n": [10, 12, 14],
})  # fmt: skip
MONEY = estimate(18e3, -4e3, 41e3, "GBP/year")
OPEN = {"All": estimate(3100, 1400, float("inf"), "GBP/month")}
MANY = {f"Segment {i}": estimate(0.01 * i - 0.1, 0.01 * i - 0.2, 0.01 * i, "relative change") for i in range(30)}
FEW = {"United Kingdom": estimate(0.28, 0.27, 0.29), LONG: estimate(0.22, 0.14, 0.33)}

CASES: dict[str, Callable[[], Axes]] = {
    "course": lambda: charts.draw_course(
        daily_shares(),
        levels=one_level(),
        spans={"Mar 2026": (date(2026, 3, 1), date(2026, 3, 31))},
        unit="share",
        people=None,
    ),
    "course without a level": lambda: charts.draw_course(
        daily_shares().assign(adjusted=0.0), levels=one_level().head(0), spans={}, unit="orders", people=None
    ),
    "series": lambda: charts.draw_series(months(), unit="GBP"),
    "series of many names": lambda: charts.draw_series(
        days(("phone", "desk", "tablet", "app", LONG[:24])), unit="share"
    ),
    "series of one month": lambda: charts.draw_series(months(14).head(1), unit="GBP"),
    "series below zero": lambda: charts.draw_series(months(8).assign(value=[-3, 2, 0, 4, -9, 1, 1, 0]), unit="orders"),
    "series of nothing": lambda: charts.draw_series(months(4).assign(value=np.nan, status="unobserved"), unit="GBP"),
    "series of zeros": lambda: charts.draw_series(days(("x",)).assign(value=0.0), unit="share"),
    "estimates": lambda: charts.draw_estimates(FEW, highlight=["United Kingdom"]),
    "thirty estimates": lambda: charts.draw_estimates(MANY, reference=0),
    "one open estimate": lambda: charts.draw_estimates(OPEN),
    "with last year": lambda: charts.draw_with_last_year(two_years(), currency="GBP"),
    "without last year": lambda: charts.draw_with_last_year(two_years().head(5), currency="GBP"),
    "rise and fall": lambda: charts.draw_money_changes(changes(), currency="GBP", names=("Oct 2025", "Oct 2026")),
    "claims": lambda: charts.draw_claims(claims()),
    "test curve": lambda: charts.draw_test_curve(falling_curve(), unit="points", promise=0.02),
    "promises": lambda: charts.draw_promises(kept_promises()),
    "premiums": lambda: charts.draw_intervals(PREMIUMS, value="premium_share", unit="relative change", reference=0),
    "price ladder": lambda: charts.draw_price_ladder(ladder(), currency="GBP"),
    "premiums on both sides": lambda: charts.draw_intervals(
        PREMIUMS, value="premium_share", unit="relative change", reference=0, sides=("cheap", "dear")
    ),
    "intervals far from what they are held against": lambda: charts.draw_intervals(
        gaps().dropna().query("pressure < 9"), value="pressure", unit="ratio", reference=90.0, sides=("below", "above")
    ),
    "price ladder without gaps": lambda: charts.draw_price_ladder(
        ladder().query("category == 'Kitchen'"), currency="GBP"
    ),
    "needs": lambda: charts.draw_needs(needs(), currency="GBP"),
    "needs without money": lambda: charts.draw_needs(needs().assign(worth_amount=np.nan), currency="GBP"),
    "white space": lambda: charts.draw_white_space(gaps(), currency="GBP"),
    "white space, one row": lambda: charts.draw_white_space(gaps().head(1), currency="GBP"),
    "pairs": lambda: charts.draw_pairs(complements()),
    "one pair": lambda: charts.draw_pairs(complements(1)),
    "posterior": lambda: charts.draw_posterior(density(), estimate=MONEY, p_positive=0.95),
    "calibration": lambda: charts.draw_calibration(BINS),
    "cohorts": lambda: charts.draw_cohorts(cohorts(12)),
    "thirty cohorts": lambda: charts.draw_cohorts(cohorts(30)),
    "two cohorts": lambda: charts.draw_cohorts(cohorts(2)),
    "rfm grid": lambda: charts.draw_rfm_grid(grid()),
    "segment profile": lambda: charts.draw_segment_profile(profiles()),
    "segments": lambda: charts.draw_segment_sizes(segments()),
    "one segment": lambda: charts.draw_segment_sizes(segments().head(1)),
    "pareto": lambda: charts.draw_pareto(curve()),
    "nine cells": lambda: charts.draw_abc_xyz(cells()),
    "portfolio": lambda: charts.draw_growth_share(portfolio(9), currency="GBP"),
    "portfolio of many": lambda: charts.draw_growth_share(portfolio(60), currency="GBP"),
    "life cycle": lambda: charts.draw_life_cycle(stages()),
    "accounting": lambda: charts.draw_accounting(ACCOUNTING),
    "days": lambda: charts.draw_days(every_day(), what="orders"),
    "effects": lambda: charts.draw_decomposition(EFFECTS, ends=(400e3, 408e3), currency="GBP"),
    "effects below zero": lambda: charts.draw_decomposition(FALL, ends=(10.0, -20.0), currency="GBP"),
    "effects of many groups": lambda: charts.draw_decomposition(GROUPS, ends=(1e4, 1e4), currency="GBP"),
}
