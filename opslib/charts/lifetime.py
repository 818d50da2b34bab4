"""Customer lifetime charts: hold-out validation of the forecast, cumulative tracking, migration between segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.heat import heat_map
from opslib.charts.labels import label_ends
from opslib.charts.marks import dots, line
from opslib.charts.rows import require_for_chart, rows_of
from opslib.segmentation import NOBODY, HoldoutCheck
from opslib.suppression import UNSAID, Said


@drawing
def draw_clv_holdout(
    check: HoldoutCheck, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Purchases a customer predicted and realised in the held-out days, by tenths of the customers.

    Parameters
    ----------
    check : HoldoutCheck
        From `segmentation.holdout_check`; reads ``groups`` and the errors.
    """
    groups = check.groups
    ax = theme.new_axes()
    n, at = groups["n_customers"].to_numpy(dtype="float64"), groups["group"].to_numpy(dtype="float64")
    rates = {
        name: groups[name].to_numpy(dtype="float64") / n
        for name in (
            "predicted_orders",
            "predicted_orders_lower",
            "predicted_orders_upper",
            "realised_orders",
            "naive_orders",
        )
    }
    floor = max(
        min(rates["predicted_orders_lower"].min(), rates["realised_orders"].min()),
        rates["predicted_orders"].min() / 4,
        1e-3,
    )
    low = np.maximum(rates["predicted_orders_lower"], floor)
    ax.vlines(
        at, low, np.maximum(rates["predicted_orders_upper"], low), color=theme.SKY, linewidth=9, alpha=0.45, zorder=1
    )
    dots(ax, at, rates["predicted_orders"], theme.BLUE, marker="_", s=150, zorder=2)
    naive = np.where(rates["naive_orders"] >= floor, rates["naive_orders"], np.nan)
    dots(ax, at + 0.22, naive, theme.GREY, marker="x", s=25, zorder=2)
    colours = [theme.RED if is_outside else theme.INK for is_outside in groups["is_outside"]]
    dots(ax, at, np.maximum(rates["realised_orders"], floor), colours, s=30)
    ax.set_yscale("log")
    ax.set_ylim(floor / 1.3, max(float(np.nanmax(part)) for part in rates.values()) * 1.3)
    ax.set_xlim(0.4, at.max() + 0.6)
    ax.set_xticks(at, [f"{number:.0f}" for number in at])
    ax.set_xlabel("tenth of the customers by forecast (1: most purchases expected)")
    theme.format_axis(ax.yaxis, "")
    n_days = (check.holdout_end - check.calibration_end).days
    outside = int(groups["is_outside"].sum())
    return finish(
        ax,
        title=f"Purchases forecast {_missed(check.orders_error)}, {outside} of {len(groups)} groups missed beyond chance; "
        f"going on as before: {_missed(check.naive_error)}",
        subtitle=f"purchases a customer in {n_days} days, log scale; bar: predicted, with what chance allows (95 %); "
        "dot: realised, red outside it; cross: going on as before",
        alt=f"{len(groups)} groups of customers; realised purchases lie outside the forecast's interval in {outside}. "
        f"Predicted {check.orders.value:,.0f} purchases, realised {check.realised_orders:,.0f}.",
    )


def _missed(error: float) -> str:
    """ "12 % too low"."""
    if np.isnan(error):
        return "without a purchase to compare with"
    share = formats.format_share(abs(error), step=0.1 if abs(error) < 0.0995 else 1.0)
    return f"{share} too {'low' if error < 0 else 'high'}"


@drawing
def draw_clv_tracking(
    check: HoldoutCheck, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Running total of purchases in the held-out weeks: realised, predicted, and going on as before.

    Parameters
    ----------
    check : HoldoutCheck
        From `segmentation.holdout_check`; reads ``weeks`` and the interval of the total.
    """
    weeks = check.weeks
    ax = theme.new_axes()
    lines = (("realised_orders", "realised", theme.INK), ("predicted_orders", "predicted", theme.BLUE),
             ("naive_orders", "as before", theme.GREY))  # fmt: skip
    passed = (check.holdout_end - check.calibration_end).days / 7
    at = np.r_[0.0, np.minimum(weeks["week"].to_numpy(dtype="float64"), passed)]
    ends = []
    for column, name, colour in lines:
        value = np.r_[0.0, weeks[column].to_numpy(dtype="float64")]
        line(ax, at, value, colour, linestyle="--" if name == "as before" else "-")
        ends.append((float(at[-1]), float(value[-1]), f"{name} {value[-1]:,.0f}", colour))
    ax.vlines(at[-1], check.orders.lower, check.orders.upper, color=theme.SKY, linewidth=7, alpha=0.45, zorder=0)
    ax.set_xlim(0, at[-1] * (1.9 if theme.is_narrow() else 1.3))
    ax.set_ylim(0, max(check.orders.upper, *(end[1] for end in ends)) * 1.06)
    ax.set_xticks(range(0, int(passed) + 1, max(1, len(at) // (4 if theme.is_narrow() else 8))))
    ax.set_xlabel("weeks after the model was fitted")
    theme.format_axis(ax.yaxis, "purchases")
    place = "above" if check.realised_orders > check.orders.upper else "within"
    place = "below" if check.realised_orders < check.orders.lower else place
    return finish(
        ax,
        title=f"Realised purchases end {place} the forecast's interval",
        subtitle="running total of purchases; the bar at the end is the forecast's 95 % interval",
        alt=f"Three lines over {len(weeks)} weeks: " + ", ".join(text for _, _, text, _ in ends) + ".",
        label=lambda: label_ends(ax, ends),
    )


@drawing
def draw_migration_flow(
    flows: pd.DataFrame,
    *,
    order: Sequence[str] = (),
    currency: str | None = None,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Migration matrix: shares of customers who moved between segments, with intervals, and the money at stake.

    Parameters
    ----------
    flows : DataFrame
        From `segmentation.segment_migration`: ``segment_before``, ``segment_after``, ``flow_share``, ``lower``,
        ``upper``, ``revenue_before``, ``revenue_after``; measures missing where withheld.
    order : sequence of str
        Segments from best to worst; alphabetical unless given, ``not a customer`` always last.
    currency : str or None
        ISO code.
    """
    require_for_chart(flows, "flows", "segment_before", "segment_after", "flow_share", "flow_share_lower", "flow_share_upper", "revenue_before", "revenue_after")  # fmt: skip
    names = sorted({*flows["segment_before"], *flows["segment_after"]} - {NOBODY})
    names = [name for name in order if name in names] + [name for name in names if name not in order]
    rows = [name for name in [*names, NOBODY] if name in set(flows["segment_before"])]
    columns = [name for name in [*names, NOBODY] if name in set(flows["segment_after"])]
    cells = pd.DataFrame(0.0, index=rows, columns=columns)
    texts = pd.DataFrame("", index=rows, columns=columns, dtype="object")
    for r in rows_of(flows):
        cells.loc[r.segment_before, r.segment_after] = r.flow_share
        if not np.isnan(r.flow_share):
            ends = f"{r.flow_share_lower * 100:.0f}–{r.flow_share_upper * 100:.0f}"
            texts.loc[r.segment_before, r.segment_after] = f"{r.flow_share * 100:.0f}\n{ends}"
    ax = heat_map(
        cells.to_numpy(), texts.to_numpy(), rows=rows,
        columns=columns, high=max(float(np.nanmax(cells.to_numpy(), initial=0.0)), 0.01),
        per_row=0.52, around=2.1, cell=0.8,
    )  # fmt: skip
    for text in ax.texts:
        column, row = map(int, text.get_position())
        text.set_fontweight("bold" if columns[column] == rows[row] else "normal")
    ax.tick_params(axis="x", labelsize=8, labelcolor=theme.INK)
    ax.tick_params(axis="y", labelcolor=theme.INK)
    money = flows.groupby("segment_before")[["revenue_before", "revenue_after"]].sum(min_count=1)
    for row, name in enumerate(rows):
        ends = [float(money.loc[name, column]) for column in money.columns]
        text = "withheld" if np.isnan(ends).any() else " → ".join(formats.format_money(x, currency or "") for x in ends)
        theme.text_at(ax, text, (len(columns), row + 0.5), shift=(6, 0), size=8.5, annotation_clip=False)
    return finish(
        ax,
        title=_largest_loss(money, currency),
        subtitle="rows: segment before; columns: after; per cent of the row with 95 % intervals; hatched: withheld; "
        "right: revenue of the row's shown customers, before → after",
        alt=_flow_words(flows),
    )


def _largest_loss(money: pd.DataFrame, currency: str | None) -> str:
    """The segment before whose customers lost most, from the two amounts that stand beside its row."""
    known = money.drop(index=NOBODY, errors="ignore").dropna()
    known = known.assign(change=known["revenue_after"] - known["revenue_before"]).sort_values("change", kind="stable")
    if known.empty or known["change"].iloc[0] >= 0:
        return "In no segment did the customers shown bring less than before"
    before, after = (
        formats.format_money(known[side].iloc[0], currency or "") for side in ("revenue_before", "revenue_after")
    )
    return f"The customers who were '{known.index[0]}' brought {after}, before that {before}"


def _flow_words(flows: pd.DataFrame) -> str:
    stayed = flows[flows["segment_before"] == flows["segment_after"]].dropna(subset=["flow_share"])
    parts = "; ".join(f"{r.segment_before} {formats.format_share(r.flow_share, step=1.0)}" for r in rows_of(stayed))
    return f"A matrix of shares that moved from each segment to each. Stayed in their segment: {parts or 'none'}."
