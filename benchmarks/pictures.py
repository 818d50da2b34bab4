"""Figure of the truth bench: share of wrong verdicts, one dot a scenario against the bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib.charts import theme
from opslib.charts.display import finish

_PANELS = (
    ("false_support_share", "false support", theme.ORANGE),
    ("false_refute_share", "false refute", theme.BLUE),
)


def draw_truth(table: pd.DataFrame) -> Axes:
    """Share of wrong verdicts of every scenario, by design; the dashed line is the nominal 2.5 %.

    Parameters
    ----------
    table : DataFrame
        From `bench.run_truth`: ``design``, ``false_support_share``, ``false_refute_share``, ``is_met``.

    Returns
    -------
    Axes
    """
    designs = list(dict.fromkeys(table["design"]))
    ax = theme.new_axes(height=theme.height_for(2 * len(designs), per_row=0.34))
    labels = []
    for place, design in enumerate(designs):
        rows = table[table["design"] == design]
        for offset, (column, name, colour) in enumerate(_PANELS):
            values = rows[column].dropna().to_numpy(dtype="float64")
            at = 2 * place + offset
            spread = np.linspace(-0.24, 0.24, len(values)) if len(values) > 1 else np.zeros(len(values))
            ax.scatter(values, at + spread, s=14, color=colour, alpha=0.75, linewidths=0)
            labels.append((at, f"{design.replace('_', ' ')}: {name}"))
    ax.axvline(0.025, color=theme.INK, linewidth=1, linestyle="--")
    ax.set_yticks([at for at, _ in labels], [label for _, label in labels])
    ax.set_ylim(2 * len(designs) - 0.5, -0.6)
    ax.set_xlim(left=-0.001)
    theme.horizontal(ax)
    theme.format_axis(ax.xaxis, "share", n_ticks=6)
    n_met, n = int(table["is_met"].sum()), len(table)
    worst = float(np.nanmax(table[["false_support_share", "false_refute_share"]].to_numpy(dtype="float64")))
    return finish(
        ax,
        title=f"{n_met} of {n} scenarios meet every target",
        subtitle="share of wrong verdicts, one dot a scenario; dashed: nominal 2.5 %",
        alt=f"Dots by design: wrong verdicts in {n} scenarios, at most {worst:.1%}; {n_met} scenarios meet every target.",
    )
