"""Channels: what each model of attribution credits them with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.channels import MODELS
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.marks import dots
from opslib.charts.rows import require_for_chart
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
    known = shares.to_numpy(dtype="float64")
    ax = theme.row_axes(credit["channel"], [_range([v for v in row if not np.isnan(v)]) for row in known])
    rows, limits = np.arange(len(credit)), ax.get_ylim()
    ends = pd.DataFrame(known).agg(["min", "max"], axis=1)
    ax.hlines(rows, ends["min"], ends["max"], color=theme.LIGHT, linewidth=2.4, zorder=1)
    for name in sorted(names, key=lambda name: (name == "last", name not in _RULES)):
        colour = theme.BLUE if name == "last" else theme.GREY if name in _RULES else theme.ORANGE
        dots(ax, shares[name], rows, colour, s=46 if name == "last" else 30, marker="D" if name == "last" else "o")
    ax.set_ylim(limits)
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
