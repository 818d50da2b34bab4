"""Profiles of customer segments: standardised difference of each habit to all other customers, with intervals."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.heat import heat_map
from opslib.charts.rows import require_for_chart, rows_of, top_row
from opslib.segmentation.features import feature_named
from opslib.suppression import UNSAID, Said

_RAMP = LinearSegmentedColormap.from_list("apart", [theme.ORANGE, "#FBEBCB", "white", "#CFE3F1", theme.BLUE])
_STRONG = 2.0
"""Standard deviations at which the colour is full."""


@drawing
def draw_segment_profile(
    profiles: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Standardised difference of each habit and group to all others; what is not distinct stays empty, and nothing is drawn where nothing is.

    Parameters
    ----------
    profiles : DataFrame
        ``profiles`` of `segmentation.segment_clusters`: ``cluster``, ``segment``, ``feature``, ``difference``,
        ``difference_lower``, ``difference_upper``, ``is_distinct``.
    """
    require_for_chart(
        profiles,
        "profiles",
        "cluster",
        "segment",
        "feature",
        "difference",
        "difference_lower",
        "difference_upper",
        "is_distinct",
    )
    profiles = profiles.dropna(subset=["difference"])
    if not profiles["is_distinct"].any():
        return None
    features, groups = list(dict.fromkeys(profiles["feature"])), list(dict.fromkeys(profiles["cluster"]))
    names = [profiles.loc[profiles["cluster"] == number, "segment"].iloc[0] for number in groups]
    values = np.full((len(features), len(groups)), np.nan)
    texts = np.full(values.shape, "", dtype="object")
    for row in (row for row in rows_of(profiles) if row.is_distinct):
        at = (features.index(row.feature), groups.index(row.cluster))
        values[at] = row.difference
        texts[at] = f"{row.difference:+.1f}\n{row.difference_lower:+.1f} to {row.difference_upper:+.1f}".replace(
            "-", formats.MINUS
        )
    width = max(10, 66 // max(len(groups), 1))
    heads = [textwrap.fill(f"{number}: {name}", width) for number, name in zip(groups, names, strict=True)]
    ax = heat_map(
        values, texts, rows=[feature_named(name).high for name in features], columns=heads, low=-_STRONG, high=_STRONG, ramp=_RAMP,
        per_row=0.4, around=2.1, cell=0.85, size=8, is_hatched=False,
    )  # fmt: skip
    ax.tick_params(axis="x", labelsize=7.5)
    return finish(ax, title=_most_distinct(profiles), alt=_said(profiles, len(groups), len(features)),
                  subtitle="difference to all other customers in standard deviations, below it the 95 % interval; "
                           "empty: not distinct")  # fmt: skip


def _most_distinct(profiles: pd.DataFrame) -> str:
    known = profiles[profiles["is_distinct"]]
    row = top_row(known.assign(size=known["difference"].abs()), "size")
    feature = feature_named(str(row["feature"]))
    return f"Group {row['cluster']} stands out most: {feature.high if row['difference'] > 0 else feature.low}"


def _said(profiles: pd.DataFrame, n_groups: int, n_features: int) -> str:
    parts = dict.fromkeys(zip(profiles["cluster"], profiles["segment"], strict=True))
    who = "; ".join(f"group {number} is {name}" for number, name in parts)
    return (
        f"A grid of {formats.count_of(n_features, 'habit')} by {formats.count_of(n_groups, 'group')}: {who or 'none'}."
    )
