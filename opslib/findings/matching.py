"""Sentences about product matching: which competitors' products are ours."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from opslib.finding import About, Finding
from opslib.findings.wording import are, moved
from opslib.formats import count_of, format_estimate, format_number, format_share
from opslib.positioning import ProductMatches


def match_findings(matches: ProductMatches, *, before: pd.DataFrame, after: pd.DataFrame) -> Iterator[Finding]:
    """What the matches do to the price comparison, what is left to look at, and how good they are."""
    if not matches.n_possible:
        return
    if len(before) and len(after):
        old, new = (frame["n_covered"].sum() / frame["n_products"].sum() for frame in (before, after))
        change = f", {moved(new - old, up='up', down='down')} from {format_share(old, step=1.0)}" if new != old else ""
        yield Finding(
            key="matching-coverage",
            kind="measured",
            section="matching",
            priority=4,
            sentence=f"Competitors' prices are known for {format_share(new, step=1.0)} of our products{change} through "
            f"{count_of(matches.n_matched, 'new match')}.",
            about=About(people=None),
        )
    if matches.n_review:
        first = matches.review.iloc[0]
        yield Finding(
            key="matching-review",
            kind="measured",
            section="matching",
            priority=4,
            sentence=f"{count_of(matches.n_review, 'pair')} {are(matches.n_review)} too doubtful to decide without a look, first "
            f"“{first['their_name']}” at {first['competitor']} against our “{first['name']}”.",
            action=f"Look through the {count_of(matches.n_review, 'doubtful pair')}, in the order of the list",
            things=tuple(matches.review["name"].astype(str).head(10)),
            would_tell="how many prices can be compared afterwards",
            department="Buying",
            about=About(people=None),
        )
    how = "None is known to be right or wrong, so only the method's own word stands behind it."
    if matches.precision is not None and matches.recall is not None:
        how = (
            f"Of those it accepts, {format_estimate(matches.precision)} are right; it finds {format_estimate(matches.recall)} of "
            f"{count_of(matches.n_known, 'known pair')}."
        )
    yield Finding(
        key="matching",
        kind="estimated",
        section="matching",
        priority=5,
        sentence=f"{count_of(matches.n_matched, 'competitor product')} {are(matches.n_matched)} newly matched to ours. {how}",
        estimate=matches.precision,
        is_told=False,
        caveat=f"About {format_number(matches.expected_wrong, step=0.1)} of the new matches are expected to be wrong.",
        about=About(people=None),
    )
