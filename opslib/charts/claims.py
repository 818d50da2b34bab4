"""Claims against their promises, how a test's difference grew, and promises against predictions and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opslib import formats
from opslib.charts import theme
from opslib.charts.display import drawing, finish
from opslib.charts.estimates import forest
from opslib.charts.marks import bars, line
from opslib.charts.rows import require_for_chart, rows_of, short
from opslib.proposals.claim_text import change_text, effect_text, in_own_unit, promise_text
from opslib.proposals.overview import BETTER, WORSE
from opslib.proposals.results import ClaimResult
from opslib.stats.estimates import Estimate
from opslib.suppression import UNSAID, Said

_UNMEASURED = Estimate(value=np.nan, lower=np.nan, upper=np.nan, n=0, unit="share", method="")


@drawing
def draw_claims(
    claims: Sequence[ClaimResult],
    *,
    currency: str = "money",
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes | None:
    """Each claim's interval in its metric's own unit, against nothing, the smallest change worth having and the promise.

    Claims in another unit than the first that was measured keep their row, with the number and without an interval.

    Parameters
    ----------
    claims : sequence of ClaimResult
        A proposal's claims, judged; nothing is drawn where none was measured.
    currency : str
        ISO code of amounts.
    """
    own = [in_own_unit(claim, currency=currency) for claim in claims]
    unit = next((one.unit for one in own if one.effect is not None), None)
    if unit is None:
        return None
    drawn = [one.effect if one.effect is not None and one.unit == unit else _UNMEASURED for one in own]
    numbers = [
        "" if one.effect is None else effect_text(one, signed=claim.design != "level")
        for one, claim in zip(own, claims, strict=True)
    ]
    texts = [f"{claim.label}\n{number}".strip() for claim, number in zip(claims, numbers, strict=True)]
    shades = [theme.colour_of(claim.state) for claim in claims]
    colours = [theme.INK if shade == theme.LIGHT else shade for shade in shades]
    ax = forest([claim.sentence for claim in claims], drawn, texts, colours, wrap=36)
    low, high = ax.get_xlim()
    marks = [one.promise for one in own if one.unit == unit] + [0.0] * (claims[0].design != "level")
    room = 0.06 * (max(high, *marks) - min(low, *marks))
    ax.set_xlim(min(low, min(marks) - room), max(high, max(marks) + room))
    if claims[0].design != "level":
        ax.axvline(0, color=theme.GREY, linewidth=1, zorder=1)
    for row, (one, claim) in enumerate(zip(own, claims, strict=True)):
        if one.unit != unit:
            continue
        ax.vlines(one.promise, row - 0.32, row + 0.32, color=theme.INK, linewidth=1.6, zorder=2)
        if 0 < claim.smallest_worthwhile < claim.promise:
            ax.vlines(one.smallest_worthwhile, row - 0.3, row + 0.3, color=theme.ORANGE, linewidth=2, zorder=1)
    theme.format_axis(ax.xaxis, unit, n_ticks=5)
    parts = " ".join(
        f"{claim.sentence.rstrip('.')}: {claim.label}{', ' if number else ''}{number}."
        for claim, number in zip(claims, numbers, strict=True)
    )
    measured = [claim for claim in claims if claim.measured.effect is not None]
    said = [f"{claim.title or claim.metric} {change_text(claim, currency=currency)}" for claim in measured]
    plain = "; ".join(said[:3])
    if len(measured) == 1:
        word = "claimed" if claims[0].design in ("level", "trend", "comparison", "elasticity") else "promised"
        plain = f"{plain}, {promise_text(measured[0], currency=currency)} {word}"
    days = measured[0].days.label if measured[0].days else ""
    return finish(
        ax,
        title=plain,
        alt=f"Intervals of {formats.count_of(len(claims), 'claim')} against their promises. {parts}",
        subtitle="; ".join(filter(None, (theme.unit_words(unit), days, "black mark: what was promised"))),
    )


@drawing
def draw_test_curve(
    curve: pd.DataFrame,
    *,
    unit: str,
    promise: float | None = None,
    people: Said = UNSAID,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Difference between the sides of a test as it stood while it filled, with its interval.

    Parameters
    ----------
    curve : DataFrame
        ``day``, ``value``, ``value_lower``, ``value_upper`` (see `proposals.sides.Sides`).
    unit : str
        Of the values: "points", "relative change", a currency code, ...
    promise : float or None
        In the same unit, drawn as a dashed line.
    """
    require_for_chart(curve, "curve", "day", "value", "value_lower", "value_upper")
    ax = theme.new_axes(height=3.2)
    ax.fill_between(curve["day"], curve["value_lower"], curve["value_upper"], color=theme.BLUE, alpha=0.2, linewidth=0)
    line(ax, curve["day"], curve["value"], theme.BLUE)
    ax.axhline(0, color=theme.GREY, linewidth=1, zorder=1)
    if promise is not None:
        ax.axhline(promise, color=theme.INK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        theme.text_at(
            ax, "promised", (1, promise), shift=(4, 0), xycoords=("axes fraction", "data"), annotation_clip=False
        )
    theme.format_axis(ax.yaxis, unit, n_ticks=5)
    ends = [curve["day"].iloc[0], curve["day"].iloc[len(curve) // 2], curve["day"].iloc[-1]]
    ax.set_xticks(ends, [formats.format_date(day, year=False) for day in ends])
    first, last = (formats.format_value(curve["value"].iloc[i], unit, step=None, signed=True) for i in (0, -1))
    return finish(
        ax,
        title=f"The difference stood at {first} early on and at {last} at the end",
        subtitle=f"{theme.unit_words(unit)}, of those who had come by each day; band: {theme.level_words(0.95)}",
        alt=f"A line with a band from {formats.format_date(ends[0])} ({first}) to {formats.format_date(ends[-1])} ({last}).",
    )


@drawing
def draw_promises(
    outcomes: pd.DataFrame, *, people: Said = UNSAID, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """What was found of each promise (dot and interval), beside what was promised (mark) and predicted (grey bar).

    Parameters
    ----------
    outcomes : DataFrame
        From `proposals.overview.outcomes_frame`: ``name``, ``promise_share``, ``predicted_share``, ``found_share`` (with ends),
        ``outcome`` and ``found`` (as it is written), in the order to draw.
    """
    require_for_chart(outcomes, "outcomes", "name", "promise_share", "found_share", "outcome", "found")
    unit = "relative change"
    found = [
        Estimate(value=r.found_share, lower=r.found_share_lower, upper=r.found_share_upper, n=0, unit=unit, method="")
        for r in rows_of(outcomes)
    ]
    colours = [
        theme.RED if word in WORSE else theme.BLUE if word in BETTER else theme.GREY for word in outcomes["outcome"]
    ]
    texts = [f"{r.outcome}\n{r.found}" for r in rows_of(outcomes)]
    ax = forest(list(outcomes["name"]), found, texts, colours, wrap=32)
    marks = [0.0, *outcomes["promise_share"]]
    foreseen = outcomes[["predicted_share_lower", "predicted_share_upper"]].astype("float64")
    lower, upper = foreseen.fillna(0.0).to_numpy().T
    bars(ax, upper - lower, [theme.LIGHT] * len(outcomes), start=lower, zorder=0)
    marks += [end for end in foreseen.to_numpy().ravel() if np.isfinite(end)]
    rows = np.arange(len(outcomes))
    ax.vlines(outcomes["promise_share"], rows - 0.36, rows + 0.36, color=theme.INK, linewidth=1.8, zorder=2)
    low, high = ax.get_xlim()
    room = 0.04 * (max(high, *marks) - min(low, *marks))
    ax.set_xlim(min(low, min(marks) - room), max(high, max(marks) + room))
    ax.axvline(0, color=theme.GREY, linewidth=1, zorder=1)
    theme.format_axis(ax.xaxis, unit, n_ticks=5)
    said = [
        f"{head}: {_names(outcomes.loc[outcomes['outcome'].isin(words), 'name'])}"
        for head, words in (("Better", BETTER), ("Worse or not as promised", WORSE))
        if outcomes["outcome"].isin(words).any()
    ]
    parts = "; ".join(f"{r.name}: {r.found}, {r.outcome}" for r in rows_of(outcomes))
    return finish(
        ax,
        title="; ".join(said) or "Nothing that was launched can be told yet",
        subtitle="change of the promised figure; dot and line: found, black mark: promised, grey bar: predicted (90 %)",
        alt=f"Found of each promise: {parts}.",
    )


def _names(names: pd.Series) -> str:
    shown = [short(name, 26) for name in names[:2]]
    return " and ".join(shown) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
