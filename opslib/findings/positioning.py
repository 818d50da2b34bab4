"""Where our products stand, in sentences."""

from __future__ import annotations

import pandas as pd

from opslib.finding import Finding, Proposes
from opslib.findings.rows import estimate_of
from opslib.formats import count_of, format_estimate, format_money, format_share
from opslib.positioning import HedonicModel
from opslib.stats.correspondence import CorrespondenceMap
from opslib.stats.estimates import Estimate


def price_findings(
    position: pd.DataFrame, ladder: pd.DataFrame, promotions: pd.DataFrame, *, currency: str
) -> tuple[Finding, ...]:
    """Findings about prices against competitors, gaps of the ladder and discounts.

    Parameters
    ----------
    position : pandas.DataFrame
        From `positioning.price_position`; may be empty.
    ladder : pandas.DataFrame
        From `positioning.price_ladder`.
    promotions : pandas.DataFrame
        From `positioning.promotion_depths`; may be empty.
    currency : str
        ISO code of prices.

    Returns
    -------
    tuple of Finding
    """
    found = _against_rivals(position) if len(position) else []
    found += _gap(ladder, currency) if len(ladder) else []
    found += _promotion(promotions) if len(promotions) else []
    return tuple(found)


def _change(row: pd.Series) -> Estimate:
    names, method = ("price_index", "lower", "upper"), "Student's t on log price ratios, products as units"
    return estimate_of(row[list(names)] - 1, names, n=row["n_covered"], unit="relative change", method=method)


def _against_rivals(position: pd.DataFrame) -> list[Finding]:
    known = position.dropna(subset=["price_index", "lower", "upper"])
    found = []
    for word, rows in (("dearer", known[known["lower"] > 1]), ("cheaper", known[known["upper"] < 1].iloc[::-1])):
        if not len(rows):
            continue
        names = ", ".join(
            f"{r['group']} {format_estimate(_change(r), signed=True)}" for _, r in rows.head(3).iterrows()
        )
        found.append(
            Finding(
                key=f"price-{word}",
                sentence=f"{len(rows)} of {len(position)} groups {'is' if len(rows) == 1 else 'are'} clearly {word} than "
                f"competitors: {names}.",
                kind="estimated",
                section="Against competitors",
                estimate=_change(rows.iloc[0]),
                action=f"check whether quality or service carries it: {rows.iloc[0]['group']}"
                if word == "dearer"
                else None,
                department="Merchandising" if word == "dearer" else None,
                proposes=Proposes(metric="units_sold", design="elasticity") if word == "dearer" else None,
            )
        )
    share = position["n_covered"].sum() / position["n_products"].sum()
    stale = int(position["n_stale"].sum())
    found.append(
        Finding(
            key="coverage",
            kind="measured",
            section="Against competitors",
            sentence=f"A fresh competitor price is known for {format_share(share)} of the products; "
            f"{count_of(stale, 'price')} {'is' if stale == 1 else 'are'} stale and left out.",
        )
    )
    return found


def _gap(ladder: pd.DataFrame, currency: str) -> list[Finding]:
    """The price band whose share of demand exceeds its share of offer most."""
    rows = ladder.assign(excess=ladder["demand_share"] - ladder["offer_share"]).sort_values(
        ["excess", "category", "band"], ascending=[False, True, True], kind="stable"
    )
    row = rows.iloc[0]
    if row["excess"] <= 0:
        return []
    low, high = (format_money(row[end], currency) for end in ("lower_price", "upper_price"))
    return [
        Finding(
            key="ladder-gap",
            kind="measured",
            section="The price ladder",
            sentence=f"In {row['category']}, the band from {low} to {high} takes "
            f"{format_share(row['demand_share'])} of the demand with {format_share(row['offer_share'])} of the products.",
            caveat="Demand is what was bought, without an interval: what is not offered cannot show here.",
        )
    ]


def _promotion(promotions: pd.DataFrame) -> list[Finding]:
    total, shared = promotions["list_amount"].sum(), (promotions["promoted_share"] * promotions["list_amount"]).sum()
    deepest = promotions.dropna(subset=["depth_share"])
    if not len(deepest) or total <= 0:
        return []
    return [
        Finding(
            key="promotion",
            kind="measured",
            section="Sold below list price",
            sentence=f"{format_share(shared / total)} of the list value is sold with a discount; deepest in "
            f"{deepest.iloc[0]['group']}, {format_share(deepest.iloc[0]['depth_share'])} off.",
        )
    ]


def quality_findings(model: HedonicModel | None) -> tuple[Finding, ...]:
    """Who is dear or cheap for what it offers.

    Parameters
    ----------
    model : HedonicModel or None
        From `positioning.hedonic_prices`.

    Returns
    -------
    tuple of Finding
    """
    if model is None:
        return ()
    clear = model.groups[model.groups["is_dear"] | model.groups["is_cheap"]]
    ends = ("premium_share", "lower", "upper")
    premiums = [
        estimate_of(r, ends, n=r["n_products"], unit="relative change", method="hedonic price, HC3", level=model.level)
        for _, r in clear.iterrows()
    ]
    names = ", ".join(
        f"{group} {format_estimate(premium, signed=True)}"
        for group, premium in zip(clear["group"], premiums, strict=True)
    )
    said = (
        f"for what they offer, clear of the others: {names}" if len(clear) else "no brand stands out for what it offers"
    )
    return (
        Finding(
            key="quality-adjusted",
            kind="estimated",
            section="Price for what is offered",
            sentence=f"Attributes explain {format_share(model.r_squared)} of the differences in price; {said}.",
            caveat="Attributes that are not recorded (design, service) stay in the premium.",
        ),
    )


def perception_findings(drawn: CorrespondenceMap | None, *, from_reviews: bool = True) -> tuple[Finding, ...]:
    """What the perceptual map shows, or that it shows nothing.

    Parameters
    ----------
    drawn : CorrespondenceMap or None
        From `stats.correspondence.correspondence_map`.
    from_reviews : bool
        Whether words of reviews were mapped, or what brands are bought for.

    Returns
    -------
    tuple of Finding
    """
    if drawn is None:
        return ()
    source = "Reviews" if from_reviews else "Purchases"
    if drawn.n_axes_beyond_chance == 0:
        what = "what is said" if from_reviews else "what they are bought for"
        text = f"{source} do not tell the brands apart: {what} differs no more than chance allows."
    else:
        first = drawn.columns["axis_1"]
        text = (
            f"{source} tell brands apart along {count_of(drawn.n_axes_beyond_chance, 'axis')}; the "
            f"first ({format_share(drawn.shares[0])} of the differences) runs from "
            f"“{first.idxmin()}” ({drawn.rows['axis_1'].idxmin()}) to “{first.idxmax()}” ({drawn.rows['axis_1'].idxmax()})."
        )
    return (Finding(key="perception", sentence=text, kind="estimated", section="How buyers see the brands"),)


def positioning_limits(*, currency: str, smallest: float | None) -> tuple[str, ...]:
    """What the positioning page cannot say."""
    seen = f" Prices below {format_money(smallest, currency)} are not on the ladder." if smallest else ""
    return (
        "What happens at prices that were never seen, and how competitors would answer: only a test of prices shows that."
        + seen,
        "Competitors that are not watched, and what their customers pay after coupons and delivery.",
        "Buyers who never write: reviews come from some customers, mostly pleased or disappointed ones.",
    )
