"""Shops made for product control: lines, returns, reviews and cases of products whose faults are known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy.stats import norm

from opslib.periods import Coverage, Period

YEAR = Period.parse("2025-11-01", "2026-10-31")
SEEN = Coverage(date(2025, 5, 1), date(2026, 10, 31))
RATES = np.array([0.04, 0.05, 0.08, 0.1, 0.04, 0.05, 0.02, 0.06])
N, N_FAULTY = 320, 16
NONE = pd.DataFrame({"product_id": pd.Series(dtype="str")})


def planted(seed: int, *, n_faulty: int = N_FAULTY) -> tuple[dict[str, pd.DataFrame], set[str], np.ndarray]:
    """A shop of 320 products that differ in quality, of which some are faulty by 1.5 to 6 times; ids of those, and true returns a line.

    Returns, low ratings and cases all rise by the fault; quality moves returns by 15 % and stars by .45 a standard deviation, as in the demo.
    """
    rng = np.random.default_rng(seed)
    category, quality = rng.integers(0, 8, N), rng.standard_normal(N)
    factor = np.ones(N)
    factor[rng.choice(N, n_faulty, replace=False)] = rng.uniform(1.5, 6.0, n_faulty)
    share = np.minimum(RATES[category] * np.exp(-0.15 * quality) * factor, 0.5)
    lines = rng.lognormal(5.0, 0.7, N).astype(int)
    reviews = rng.binomial(lines, 0.1)
    low = norm.cdf((2.5 - 4.15 - 0.45 * quality + 0.4 * (factor - 1)) / 0.8)
    ids = np.array([f"P{i:03}" for i in range(N)])
    day = pd.Timestamp("2026-03-02")
    n_low = rng.binomial(reviews, low)
    tables = {
        "order_lines": pd.DataFrame({"product_id": ids.repeat(lines), "ordered_at": day}),
        "products": pd.DataFrame({"product_id": ids, "category": [f"c{i}" for i in category], "supplier": [f"S{i % 6}" for i in range(N)]}),
        "returns": pd.DataFrame({"product_id": ids.repeat(rng.binomial(lines, share)), "returned_at": day, "refund_amount": 10.0, "reason": "faulty"}),
        "reviews": pd.DataFrame({"product_id": ids.repeat(reviews), "written_at": day, "rating": np.concatenate([np.r_[np.full(k, 1.0), np.full(n - k, 5.0)] for k, n in zip(n_low, reviews, strict=True)])}),
        "tickets": pd.DataFrame({"product_id": ids.repeat(rng.binomial(lines, np.minimum(0.012 * factor, 1.0))), "opened_at": day}),
    }  # fmt: skip
    return tables, set(ids[factor > 1]), factor


def quiet(
    seed: int, *, mean: float = 10.0, phi: float = 0.6, sd: float = 0.08, n_days: int = 549
) -> dict[str, pd.DataFrame]:
    """Orders of eight categories with weekdays, a season and shocks that last (AR .6 on logarithms), and nothing else."""
    rng, days = np.random.default_rng(seed), pd.date_range("2025-05-01", periods=n_days)
    weekdays = np.array([1, 0.9, 0.9, 1, 1.1, 1.3, 0.8])[days.day_of_week.to_numpy()]
    shocks = rng.standard_normal((8, n_days)) * sd * np.sqrt(1 - phi**2)
    shocks[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, n_days):
        shocks[:, t] += phi * shocks[:, t - 1]
    season = np.exp(0.3 * np.sin(2 * np.pi * days.day_of_year.to_numpy() / 365))
    counts = rng.poisson(mean * rng.uniform(0.4, 2.5, (8, 1)) * weekdays * season * np.exp(shocks))
    category, day = np.nonzero(counts)
    of = np.repeat(np.arange(len(category)), counts[category, day])
    ids = category[of].astype(str)
    return {
        "order_lines": pd.DataFrame({"product_id": ids, "ordered_at": days[day[of]], "order_id": np.arange(len(of)).astype(str)}),
        "products": pd.DataFrame({"product_id": [str(i) for i in range(8)], "category": [f"c{i}" for i in range(8)]}),
    }  # fmt: skip
