"""What becomes of a page after it is published: its visits beside those of the older pages of its section, week by week."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from opslib import engine
from opslib.metrics import day_of
from opslib.metrics.blocks import Table
from opslib.stats.decay import fit_decay
from opslib.suppression import counted

#: Fewest whole weeks that a page is followed for, and visits in them.
LEAST_WEEKS, LEAST_VISITS = 8, 100
_WEEKS = ["page", "title", "section", "published_on", "week", "start", "n_visits", "peer_visits", "ratio"]
_DECAYS = ["page", "title", "section", "published_on", "n_visits", "first_ratio", "first_ratio_lower", "first_ratio_upper", "rest_ratio",
           "rest_ratio_lower", "rest_ratio_upper", "half_life_days", "half_life_days_lower", "half_life_days_upper", "is_falling"]  # fmt: skip


def page_weeks(events: Table, pages: Table, *, as_of: date) -> pd.DataFrame:
    """Weekly visits of pages published while the data were kept, beside the mean of the older pages of their section.

    Parameters
    ----------
    events : events
        session_id, occurred_at, page, event_name; all that are known.
    pages : pages
        page, section, published_at. Pages of single products are left out: their demand is the product's.
    as_of : date
        Last local day that counts.

    Returns
    -------
    DataFrame
        One row a page and whole week since its publishing: page, title, section, published_on, week (from 0), start, n_visits,
        peer_visits (mean of the older pages of the section), ratio (of both).

    Examples
    --------
    >>> events = pd.DataFrame({"session_id": ["a", "b", "c"], "page": ["/new", "/old", "/old"], "event_name": "page_view",
    ...     "occurred_at": pd.to_datetime(["2026-01-12", "2026-01-01", "2026-01-13"])})
    >>> pages = pd.DataFrame({"page": ["/new", "/old"], "section": "guides", "title": ["New", "Old"],
    ...     "published_at": pd.to_datetime(["2026-01-10", "2025-01-01"])})
    >>> page_weeks(events, pages, as_of=date(2026, 1, 16))[["page", "week", "ratio"]].values.tolist()
    [['/new', 0, 1.0]]
    """
    seen, known = engine.as_table(events), engine.as_table(pages)
    seen = seen.select("session_id", "event_name", page=seen["page"].cast("string"), day=day_of(seen, "occurred_at"))
    seen = seen.filter(seen["page"].notnull() & (seen["day"] <= as_of))
    sold = seen.filter(seen["event_name"] == "view_item").select("page").distinct()
    known = known.select(page=known["page"].cast("string"), section=known["section"].cast("string"), title=known["title"].cast("string"),
                         published_on=day_of(known, "published_at"))  # fmt: skip
    known = engine.collect(
        known.filter(known["section"].notnull() & known["published_on"].notnull())
        .anti_join(sold, "page")
        .order_by("page")
    )
    begins = engine.collect(seen.aggregate(day=seen["day"].min()))["day"].iloc[0]
    if known.empty or pd.isna(begins):
        return _of_visits(pd.DataFrame(columns=_WEEKS))
    is_new = known["published_on"] > pd.Timestamp(begins)
    asked = known[known["section"].isin(known.loc[is_new, "section"])]
    days = seen.filter(seen["page"].isin(asked["page"].tolist()))
    counts = engine.grouped(days, ["page", "day"], n=days["session_id"].nunique())
    wide = counts.pivot(index="day", columns="page", values="n").fillna(0.0) if len(counts) else pd.DataFrame()
    wide.index = pd.to_datetime(wide.index)
    parts = [
        _weeks(row, wide, known[~is_new & (known["section"] == row.section)]["page"], pd.Timestamp(as_of))
        for row in known[is_new].itertuples()
    ]
    parts = [part for part in parts if len(part)]
    return _of_visits(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_WEEKS))


def _of_visits(weeks: pd.DataFrame) -> pd.DataFrame:
    return counted(weeks, "n_visits", by=["page", "week"], adds_up=False, follows=["start", "published_on"])


def _weeks(row: object, wide: pd.DataFrame, peers: pd.Series, last: pd.Timestamp) -> pd.DataFrame:
    """Whole weeks of one page and of its peers."""
    peers = [page for page in peers if page in wide.columns]
    start = pd.Timestamp(row.published_on)  # type: ignore[attr-defined]
    n_weeks = ((last - start).days + 1) // 7
    if row.page not in wide.columns or not peers or n_weeks < 1:  # type: ignore[attr-defined]
        return pd.DataFrame(columns=_WEEKS)
    days = pd.date_range(start, periods=n_weeks * 7)
    own = wide[row.page].reindex(days, fill_value=0.0).to_numpy().reshape(n_weeks, 7).sum(axis=1)  # type: ignore[attr-defined]
    other = wide[peers].mean(axis=1).reindex(days, fill_value=0.0).to_numpy().reshape(n_weeks, 7).sum(axis=1)
    return pd.DataFrame({
        "page": row.page, "title": row.title, "section": row.section, "published_on": start, "week": np.arange(n_weeks),  # type: ignore[attr-defined]
        "start": days[::7], "n_visits": own, "peer_visits": other, "ratio": own / np.where(other > 0, other, np.nan),
    })  # fmt: skip


def page_decays(weeks: pd.DataFrame, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """How large a new page's reach was at first, how fast it halved, and what remained.

    Parameters
    ----------
    weeks : DataFrame
        From `page_weeks`.
    confidence_level : float
        Coverage of the intervals (0-1).

    Returns
    -------
    DataFrame
        One row a page followed for 8 weeks and 100 visits, newest first: page, title, section, published_on, n_visits,
        first_ratio (visits per visit to an older page of the section, on the first day), rest_ratio (what remains), half_life_days (of what goes), each with its interval,
        is_falling (beyond chance at .05 over the number of pages; else first, rest and half-life are missing, and rest is the mean).

    Examples
    --------
    >>> weeks = pd.DataFrame({"page": "/new", "title": "New", "section": "guides", "published_on": pd.Timestamp("2026-01-01"),
    ...     "week": range(20), "peer_visits": 100.0})
    >>> weeks["n_visits"] = (100 * (1 + 3 * 0.5 ** ((7 * weeks["week"] + 3.5) / 28))).round()
    >>> page_decays(weeks)[["half_life_days", "rest_ratio"]].round().values.tolist()
    [[28.0, 1.0]]
    """
    rows = []
    pages = [
        (page, part)
        for page, part in weeks.groupby("page", sort=True)
        if len(part) >= LEAST_WEEKS and part["n_visits"].sum() >= LEAST_VISITS
    ]
    for page, part in pages:
        fit = fit_decay(
            7.0 * part["week"].to_numpy() + 3.5,
            part["n_visits"].to_numpy(),
            part["peer_visits"].to_numpy(),
            confidence_level=confidence_level,
        )
        row = {
            "page": page,
            **part.iloc[0][["title", "section", "published_on"]],
            "n_visits": int(part["n_visits"].sum()),
        }
        is_falling = fit is not None and fit.p_value < 0.05 / len(pages)
        ends = (
            {"first_ratio": fit.first, "rest_ratio": fit.rest, "half_life_days": fit.half_life}
            if fit is not None and is_falling
            else {}
        )
        for name, estimate in ends.items():
            row |= {name: estimate.value, f"{name}_lower": estimate.lower, f"{name}_upper": estimate.upper}
        row.setdefault(
            "rest_ratio", part["n_visits"].sum() / part["peer_visits"].sum() if part["peer_visits"].sum() else np.nan
        )
        rows.append({**row, "is_falling": is_falling})
    found = pd.DataFrame(rows, columns=_DECAYS).sort_values(
        "published_on", ascending=False, kind="stable", ignore_index=True
    )
    return counted(found, "n_visits", by=["page"], adds_up=False)
