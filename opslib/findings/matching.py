"""Sentences about product matching: which competitors' products are ours."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from opslib.finding import About, Finding
from opslib.findings.wording import are
from opslib.formats import count_of, format_estimate, format_number, format_share
from opslib.positioning import ProductMatches


def match_findings(matches: ProductMatches, *, before: pd.DataFrame, after: pd.DataFrame) -> Iterator[Finding]:
    """How many pairs were matched, how well, what is left to look at, and what it does to the price comparison."""
    if not matches.n_possible:
        return
    if matches.precision is not None and matches.recall is not None:
        how = (
            f"tested on {count_of(matches.n_known, 'known pair')} that the model had not seen, "
            f"{format_estimate(matches.precision)} of what it accepts is right and it finds {format_estimate(matches.recall)}"
        )
    else:
        why = "no known pair could test it" if matches.n_known else "no pair is known yet"
        how = f"{why}, so nothing stands behind it but its own probabilities"
    yield Finding(
        key="matching",
        kind="estimated",
        section="matching",
        sentence=f"{count_of(matches.n_matched, 'product')} of competitors {are(matches.n_matched)} "
        f"newly matched to ours, beside {count_of(matches.n_known, 'pair')} known before; {how}.",
        estimate=matches.precision,
        caveat=f"About {format_number(matches.expected_wrong, step=0.1)} of the new matches are expected to be wrong; known pairs count as a "
        "fair sample of all, and precision is that among products that have a match.",
        about=About(people=None),
    )
    if matches.n_review:
        first = matches.review.iloc[0]
        yield Finding(
            key="matching-review",
            kind="measured",
            section="matching",
            sentence=f"{count_of(matches.n_review, 'pair')} {are(matches.n_review)} too doubtful to "
            f"accept or drop; the one most worth a look is “{first['their_name']}” at {first['competitor']} "
            f"against our “{first['name']}” ({format_share(first['probability'])}).",
            action="look through the doubtful pairs, in the order of the list",
            department="Buying",
            about=About(people=None),
        )
    if len(before) and len(after):
        shares = [frame["n_covered"].sum() / frame["n_products"].sum() for frame in (before, after)]
        yield Finding(
            key="matching-coverage",
            kind="measured",
            section="matching",
            sentence=f"With the new matches, products with a fresh competitor price rise from {format_share(shares[0])} to "
            f"{format_share(shares[1])}.",
            about=About(people=None),
        )
