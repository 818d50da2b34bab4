"""Ways through the site: the funnel, and grids of where visits go."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.heat import MOST_LABELLED, heat_map
from opslib.charts.marks import bars
from opslib.charts.rows import require_for_chart, rows_of, short, top_row
from opslib.suppression import UNSAID, Said

MOST_PLACES = 40
"""Places up to which a map of transitions can be read: the busiest are drawn."""
MOST_AT_A_STEP = 15
"""The same of a step matrix, whose rows below are near zero."""


@drawing
def draw_funnel(
    steps: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Share of visits that reach each step, as bars with intervals; beside each, the share that goes on to it.

    Parameters
    ----------
    steps : DataFrame
        From `paths.funnel`: ``step``, ``whole_share`` with its ends, ``step_share``.
    """
    require_for_chart(steps, "funnel", "step", "whole_share", "whole_share_lower", "whole_share_upper", "step_share")
    known = steps.dropna(subset=["whole_share"]).reset_index(drop=True)
    if len(known) < 2:
        return None
    texts = [formats.format_share(share, step=0.1 if share < 0.1995 else 1.0) for share in known["whole_share"]]
    for row, share in enumerate(known["step_share"][1:], start=1):
        texts[row] += f"\n{formats.format_share(share, step=1.0)} of those before"
    ax = theme.row_axes([str(name).capitalize() for name in known["step"]], texts)
    bars(ax, known["whole_share"], [theme.SKY] * len(known))
    whiskers = known[known["whole_share"] < 1]
    ends = whiskers["whole_share_lower"], whiskers["whole_share_upper"]
    ax.hlines(whiskers.index, *ends, color=theme.INK, linewidth=1.6, zorder=3)
    ax.set_xlim(0, 1.0)
    theme.format_axis(ax.xaxis, "share", n_ticks=5)
    lost = (known["whole_share"].shift(1) - known["whole_share"]).fillna(0.0)
    worst, last = int(lost.to_numpy().argmax()), known.iloc[-1]
    title = (
        f"{formats.format_share(last['whole_share'], step=0.1)} of visits get to the {last['step']}; "
        f"{formats.format_share(lost[worst], step=1.0)} are lost at the step to the {known['step'][worst]}"
    )
    parts = "; ".join(f"{step.step} {formats.format_share(step.whole_share)}" for step in rows_of(known))
    return finish(
        ax, title=title, alt=f"Bars of the share of visits that reach each step: {parts}.",
        subtitle=f"share of visits that reach each step; lines: {theme.level_words(0.95)} over visitors",
    )  # fmt: skip


def _grid(values: pd.DataFrame) -> Axes:
    """Cells of shares, with their numbers where there are few."""
    shares = values.to_numpy(dtype="float64")
    texts = values.map(lambda share: "few" if np.isnan(share) else f"{100 * share:.0f}").to_numpy()
    ax = heat_map(
        shares, texts if shares.shape[1] <= MOST_LABELLED else None, rows=[short(name, 26) for name in values.index],
        columns=[short(name, 14) for name in values.columns], high=float(np.nanmax(shares, initial=0.01)), per_row=0.32, cell=0.5,
    )  # fmt: skip
    if shares.shape[1] > MOST_LABELLED:
        theme.format_axis(ax.collections[0].colorbar.ax.yaxis, "share", n_ticks=4)  # type: ignore[union-attr]
    return ax


@drawing
def draw_transitions(
    moves: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Map of transitions: of the visits that leave each place (down), the share that goes to each (across).

    Parameters
    ----------
    moves : DataFrame
        From `paths.transitions`: ``source``, ``target``, ``n_transitions``, ``source_share``; the busiest 40 places are drawn.
    """
    require_for_chart(moves, "transitions", "source", "target", "n_transitions", "source_share")
    known = moves.dropna(subset=["n_transitions"])
    if known.empty:
        return None
    size = known.groupby("target")["n_transitions"].sum().sort_values(ascending=False, kind="stable")
    ends = [name for name in ("(start)", "(end)") if name in {*known["source"], *known["target"]}]
    places = [name for name in size.index if name not in ends][:MOST_PLACES]
    kept = moves[moves["source"].isin([*places, *ends]) & moves["target"].isin([*places, *ends])]
    cells = (
        kept.assign(share=kept["source_share"].fillna(-1.0))
        .pivot(index="source", columns="target", values="share")
        .fillna(0.0)
    )
    cells = cells.reindex(
        index=[n for n in ("(start)", *places) if n in cells.index],
        columns=[n for n in (*places, "(end)") if n in cells.columns],
    )
    ax = _grid(cells.mask(cells < 0))
    ax.tick_params(axis="x", rotation=45)
    inner = known[~known["source"].isin(ends) & ~known["target"].isin(ends)]
    headline = "Visits stay where they begin"
    if len(inner):
        way = top_row(inner, "n_transitions")
        headline = f"The busiest way: {formats.format_share(way['source_share'], step=1.0)} of visits that leave {way['source']} go to {way['target']}"
    return finish(
        ax, title=headline, alt=f"A grid of {formats.count_of(len(cells), 'place')} by where visits go next, as shares of each row.",
        subtitle="% of the visits that leave a place (down) for the next (across); 0: never; few: too few people to show",
    )  # fmt: skip


@drawing
def draw_step_matrix(
    matrix: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes | None:
    """Step matrix: share of all visits that are at each place (down) at their first, second, ... step (across).

    Parameters
    ----------
    matrix : DataFrame
        From `paths.step_matrix`: ``step``, ``place``, ``visit_share``; the busiest 15 places are drawn.
    """
    require_for_chart(matrix, "step matrix", "step", "place", "visit_share")
    cells = (
        matrix.assign(share=matrix["visit_share"].fillna(-1.0))
        .pivot(index="place", columns="step", values="share")
        .fillna(0.0)
    )
    cells = cells.loc[
        cells.clip(lower=0).sum(axis=1).sort_values(ascending=False, kind="stable").index[:MOST_AT_A_STEP]
    ]
    known = matrix.dropna(subset=["visit_share"])
    if known.empty:
        return None
    first = top_row(known[known["step"] == known["step"].min()], "visit_share")
    left = known[known["step"] == known["step"].max()]["visit_share"].sum()
    ax = _grid(cells.mask(cells < 0))
    ax.set_xlabel("step of the visit")
    return finish(
        ax,
        title=f"{formats.format_share(first['visit_share'], step=1.0)} of visits begin at {first['place']}; "
        f"{formats.format_share(left, step=1.0)} are still there at step {known['step'].max()}",
        alt=f"A grid of {formats.count_of(len(cells), 'place')} by step, as shares of all visits.",
        subtitle="% of all visits at each place at each step; what is missing to 100 has left; few: too few people to show",
    )  # fmt: skip
