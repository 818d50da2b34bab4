"""Sentences of the positioning page: where our products stand in price, quality and perception, and where is space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes, answer
from opslib.findings.white_space import gap_findings, unmet_findings
from opslib.findings.wording import are, estimate_of, named
from opslib.formats import count_of, format_money, format_share
from opslib.positioning import HedonicModel, UnmetSearches
from opslib.stats.correspondence import CorrespondenceMap
from opslib.stats.estimates import Estimate

__all__ = ["answer", "findings", "limits"]


def findings(
    position: pd.DataFrame,
    model: HedonicModel,
    ladder: pd.DataFrame,
    promotions: pd.DataFrame,
    unmet: UnmetSearches,
    gaps: Mapping[str, pd.DataFrame],
    perceived: CorrespondenceMap,
    *,
    from_reviews: bool = True,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the positioning page.

    Parameters
    ----------
    position : pandas.DataFrame
        From `positioning.price_position`; may be empty, as every table here.
    model : HedonicModel
        From `positioning.hedonic_prices`; of no products where it could not be fitted.
    ladder : pandas.DataFrame
        From `positioning.price_ladder`.
    promotions : pandas.DataFrame
        From `positioning.promotion_depths`.
    unmet : UnmetSearches
        From `positioning.unmet_searches`; of no searches where none are recorded.
    gaps : mapping of str to pandas.DataFrame
        From `positioning.demand_gaps`, by its first column: category, attr_colour, ...
    perceived : CorrespondenceMap
        From `stats.correspondence.correspondence_map`; of a count of 0 where there is nothing to map.
    from_reviews : bool
        Whether words of reviews were mapped, or what brands are bought for.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
    """
    found = [*_against_rivals(position)] if len(position) else []
    found += _ladder_gap(ladder, page.currency) if len(ladder) else []
    found += _promotion(promotions) if len(promotions) else []
    found += unmet_findings(unmet, currency=page.currency)
    found += gap_findings(gaps, currency=page.currency)
    found += _quality(model) if model.n_products else []
    found += _perception(perceived, from_reviews=from_reviews) if perceived.n else []
    return tuple(found)


def limits(page: Facts, ladder: pd.DataFrame) -> tuple[str, ...]:
    """What the positioning page cannot say; the ladder of prices begins at its lowest band."""
    smallest = float(ladder["lower_price"].min()) if len(ladder) else 0.0
    seen = f" Prices below {format_money(smallest, page.currency)} are not on the ladder." if smallest else ""
    return (
        "What happens at prices that were never seen, and how competitors would answer: only a test of prices shows that."
        + seen,
        "Competitors that are not watched, and what their customers pay after coupons and delivery.",
        "Buyers who never write: reviews come from some customers, mostly pleased or disappointed ones.",
    )


def _change(row: pd.Series) -> Estimate:
    ends = ["price_index", "price_index_lower", "price_index_upper"]
    method = "Student's t on log price ratios, products as units"
    return estimate_of(row[ends] - 1, "price_index", n=row["n_covered"], unit="relative change", method=method)


def _against_rivals(position: pd.DataFrame) -> Iterator[Finding]:
    known = position.dropna(subset=["price_index", "price_index_lower", "price_index_upper"])
    for word, rows in (
        ("dearer", known[known["price_index_lower"] > 1]),
        ("cheaper", known[known["price_index_upper"] < 1].iloc[::-1]),
    ):
        if not len(rows):
            continue
        is_dear = word == "dearer"
        yield Finding(
            key=f"price-{word}",
            sentence=f"{len(rows)} of {len(position)} groups {are(len(rows))} clearly {word} than competitors: "
            f"{named(rows.head(3), _change)}.",
            kind="estimated",
            section="price-position",
            priority=1,
            estimate=_change(rows.iloc[0]),
            action=f"check whether quality or service carries it: {rows.iloc[0]['group']}" if is_dear else None,
            department="Buying" if is_dear else None,
            proposes=Proposes(metric="units_sold", design="elasticity") if is_dear else None,
            about=About(people=None),
        )
    share = position["n_covered"].sum() / position["n_products"].sum()
    stale = int(position["n_stale"].sum())
    yield Finding(
        key="coverage",
        kind="measured",
        section="price-position",
        sentence=f"A fresh competitor price is known for {format_share(share)} of the products; "
        f"{count_of(stale, 'price')} {are(stale)} stale and left out.",
        about=About(people=None),
    )


def _ladder_gap(ladder: pd.DataFrame, currency: str) -> Iterator[Finding]:
    """The price band whose share of demand exceeds its share of offer most."""
    rows = ladder.assign(excess=ladder["demand_share"] - ladder["offer_share"]).sort_values(
        ["excess", "category", "band"], ascending=[False, True, True], kind="stable"
    )
    row = rows.iloc[0]
    if row["excess"] <= 0:
        return
    low, high = (format_money(row[end], currency) for end in ("lower_price", "upper_price"))
    yield Finding(
        key="ladder-gap",
        kind="measured",
        section="price-ladder",
        sentence=f"In {row['category']}, the band from {low} to {high} takes "
        f"{format_share(row['demand_share'])} of the demand with {format_share(row['offer_share'])} of the products.",
        caveat="Demand is what was bought, without an interval: what is not offered cannot show here.",
        about=About(people=None),
    )


def _promotion(promotions: pd.DataFrame) -> Iterator[Finding]:
    total, shared = promotions["list_amount"].sum(), (promotions["promoted_share"] * promotions["list_amount"]).sum()
    deepest = promotions.dropna(subset=["depth_share"])
    if not len(deepest) or total <= 0:
        return
    yield Finding(
        key="promotion",
        kind="measured",
        section="discounts",
        sentence=f"{format_share(shared / total)} of the list value is sold with a discount; deepest in "
        f"{deepest.iloc[0]['group']}, {format_share(deepest.iloc[0]['depth_share'])} off.",
        about=About(people=None),
    )


def _quality(model: HedonicModel) -> Iterator[Finding]:
    """Who is dear or cheap for what it offers."""
    clear = model.groups[model.groups["is_dear"] | model.groups["is_cheap"]]
    names = named(clear, lambda row: estimate_of(row, "premium_share", unit="relative change"))
    said = f"for what they offer, clear of the others: {names}" if names else "no brand stands out for what it offers"
    yield Finding(
        key="quality-adjusted",
        kind="estimated",
        section="quality-adjusted",
        sentence=f"Attributes explain {format_share(model.r_squared)} of the differences in price; {said}.",
        caveat="Attributes that are not recorded (design, service) stay in the premium.",
        about=About(people=None),
    )


def _perception(drawn: CorrespondenceMap, *, from_reviews: bool) -> list[Finding]:
    """What the perceptual map shows, or that it shows nothing."""
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
    return [Finding(key="perception", sentence=text, kind="estimated", section="brands", about=About(people=None))]
