"""A shop of visits and orders made up for the investigation, with one release whose effect is known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from opslib.periods import Coverage, Period

FIRST, DAYS, BEGAN = pd.Timestamp("2026-01-01"), 151, pd.Timestamp("2026-04-01")
SEEN = Coverage(date(2026, 1, 1), date(2026, 5, 31))
MARCH, MAY = Period.parse("2026-03-01", "2026-03-31"), Period.parse("2026-05-01", "2026-05-31")


def visited(*, effect: float = -0.4, seed: int = 1, visits_a_day: int = 300) -> dict[str, pd.DataFrame]:
    """Visits of one visitor each; from 1 April on those on phones order more often by ``effect``, which is the first release's."""
    draw = np.random.default_rng(seed)
    day = np.repeat(np.arange(DAYS), visits_a_day)
    n = len(day)
    phone = draw.random(n) < 0.5
    at = FIRST + pd.to_timedelta(day, unit="D") + pd.Timedelta(hours=12)
    chance = 0.2 * np.where(phone & (at >= BEGAN), 1 + effect, 1.0)
    sessions = pd.DataFrame({
        "session_id": [f"s{i}" for i in range(n)], "visitor_id": [f"v{i}" for i in range(n)], "customer_id": None, "started_at": at,
        "device": np.where(phone, "mobile", "desktop"), "medium": draw.choice(["organic", "email", "cpc"], n), "country": draw.choice(["DE", "FR"], n),
        "landing_page": "/",
    })  # fmt: skip
    bought = sessions[draw.random(n) < chance]
    lines = pd.DataFrame({
        "order_id": [f"o{i}" for i in range(len(bought))], "line_id": "1", "customer_id": bought["visitor_id"].to_numpy(), "product_id": "a",
        "quantity": 1.0, "unit_price": draw.uniform(10, 30, len(bought)).round(2), "ordered_at": bought["started_at"].to_numpy(),
        "session_id": bought["session_id"].to_numpy(), "country": bought["country"].to_numpy(), "channel": "web",
    })  # fmt: skip
    changes = pd.DataFrame({
        "change_id": ["form", "banner", "old"], "kind": "release", "started_at": pd.to_datetime(["2026-04-01", "2026-04-20", "2026-01-10"]),
        "ended_at": pd.NaT, "scope": ["device:mobile", "device:desktop", "site"], "description": ["New form, on phones", "New banner", "Old menu"],
    })  # fmt: skip
    return {"sessions": sessions, "order_lines": lines, "changes": changes}
