"""Roadmap of a plan: which proposals each department works on in which month."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.heat import heat_map
from opslib.charts.rows import require_for_chart, top_row
from opslib.suppression import UNSAID, Said

MOST_NAMED, LEAST_MONTHS = 4, 3
"""Proposals that a cell names, and months that are drawn at least."""


@drawing
def draw_roadmap(
    work: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Person-days of each department and month by proposal; the darker, the fuller the month.

    Parameters
    ----------
    work : DataFrame
        From `proposals.portfolio.planned_work`: ``department``, ``month`` (date), ``proposal``, ``person_days``, ``free_days``
        (missing where not known).
    """
    require_for_chart(work, "roadmap", "department", "month", "proposal", "person_days", "free_days")
    cells = work.groupby(["department", "month"], as_index=False).agg(
        person_days=("person_days", "sum"), free_days=("free_days", "first")
    )
    cells["share"] = (cells["person_days"] / cells["free_days"]).fillna(0.0).clip(upper=1.0)
    first = min(cells["month"])
    ahead = pd.date_range(first, periods=LEAST_MONTHS, freq="MS").union(
        pd.date_range(first, max(cells["month"]), freq="MS")
    )
    months = [stamp.date() for stamp in ahead]
    named = work.groupby(["department", "month"])[["proposal", "person_days"]].apply(_named)
    texts = named.unstack().reindex(columns=months).fillna("")
    shares = cells.pivot(index="department", columns="month", values="share").reindex(columns=months).fillna(0.0)
    n_lines = int(texts.map(lambda text: text.count("\n") + 1).to_numpy().max())
    narrow = theme.is_narrow()
    ax = heat_map(
        shares.to_numpy(dtype="float64"), texts.to_numpy(), rows=list(shares.index), high=2.0, cell=0.62, is_hatched=False,
        columns=[f"{month:%b %y}" if narrow else f"{month:%b %Y}" for month in months],
        per_row=0.24 + 0.17 * n_lines, around=1.7, size=7.5 if narrow else 8.5,
    )  # fmt: skip
    full = top_row(cells, "share")
    days, free = (formats.format_number(full[name], step=1.0) for name in ("person_days", "free_days"))
    known = pd.notna(full["free_days"])
    filled = f"{full['department']} is planned fullest, in {full['month']:%B}: {days} of {free} days"
    return finish(
        ax,
        title=filled if known else f"{full['department']} works on {days} person-days in {full['month']:%B}",
        subtitle="proposals with their person-days; the darker, the larger the part of the month's days",
        alt=f"A grid of {formats.count_of(len(shares), 'department')} by {formats.count_of(len(months), 'month')}.",
    )


def _named(part: pd.DataFrame) -> str:
    rows = part.sort_values("person_days", ascending=False, kind="stable")
    lines = [f"{name} {formats.format_number(days)}" for name, days in rows.head(MOST_NAMED).to_numpy()]
    return "\n".join([*lines, *([f"+ {len(rows) - MOST_NAMED}"] if len(rows) > MOST_NAMED else [])])
