"""Channels: what each model of attribution credits them with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.channels import MODELS
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.suppression import UNSAID, Said

#: Models that follow a rule; the others are computed from journeys with and without an order.
_RULES = ("first", "linear", "position", "time_decay")


@drawing
def draw_attribution(
    credit: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Share of the whole that each model credits a channel with: one row a channel, one dot a model.

    Parameters
    ----------
    credit : DataFrame
        From `channels.attribution`: ``channel`` and a column a model; missing where withheld.
    """
    require_for_chart(credit, "attribution", "channel", *MODELS)
    names = list(MODELS)
    whole = float(credit["last"].sum())
    shares = credit[names].astype("float64") / (whole if whole > 0 else np.nan)
    ax = theme.new_axes(height=theme.height_for(len(credit), around=1.7))
    for row, r in enumerate(rows_of(shares)):
        values = {name: float(getattr(r, name)) for name in names}
        known = [value for value in values.values() if not np.isnan(value)]
        if not known:
            theme.text_at(ax, "withheld", (0, row), shift=(6, 0), colour=theme.GREY)
            continue
        ax.plot([min(known), max(known)], [row, row], color=theme.LIGHT, linewidth=2.4, zorder=1)
        for name in names[1:]:
            colour = theme.GREY if name in _RULES else theme.ORANGE
            ax.plot(values[name], row, marker="o", color=colour, markersize=5.5, zorder=2, alpha=0.8)
        ax.plot(values["last"], row, marker="D", color=theme.BLUE, markersize=6.5, zorder=3)
        theme.text_at(ax, _range(known), (max(known), row), shift=(9, 0), colour=theme.INK)
    theme.row_axis(ax, [short(name) for name in credit["channel"]])
    ax.set_xlim(-0.01, float(np.nanmax(shares.to_numpy(), initial=0.05)) * 1.25)
    theme.format_axis(ax.xaxis, "share", n_ticks=5)
    parts = "; ".join(
        f"{name} {_range([v for v in row if not np.isnan(v)])}"
        for name, row in zip(credit["channel"], shares.to_numpy(), strict=True)
    )
    return finish(
        ax,
        title=_widest(credit["channel"], shares),
        subtitle="share of orders; blue: visit of the order; grey: other rules; orange: Markov, Shapley",
        alt=f"Dots by channel, one a model: {parts or 'none'}.",
    )


def _range(values: list[float]) -> str:
    """Both ends, or one where they read alike."""
    if not values:
        return "withheld"
    low, high = (
        formats.format_share(end, step=1.0 if max(values) >= 0.0995 else 0.1) for end in (min(values), max(values))
    )
    return low if low == high else f"{low.removesuffix('%').strip()}–{high}"


def _widest(names: pd.Series, shares: pd.DataFrame) -> str:
    """The channel on which models differ by the widest margin."""
    width = (shares.max(axis=1) - shares.min(axis=1)).to_numpy()
    if np.isnan(width).all():
        return "No channel is large enough to be shown"
    place = int(np.nanargmax(width))
    values = [float(value) for value in shares.iloc[place]]
    return f"{names.iloc[place]} is credited with {_range(values)} of orders, by the model chosen"
