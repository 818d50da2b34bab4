"""Sentences of the positioning page: one verdict a category, and where products stand in price, demand and perception."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pandas as pd

from opslib.finding import MOST_TOLD, About, Facts, Finding, Proposes
from opslib.findings.gaps import gap_findings
from opslib.findings.price_response import LEAST_PART, UNREAD
from opslib.findings.wording import estimate_of, how_many, largest, listed, more_than, moved
from opslib.formats import count_of, format_date, format_estimate, format_money, format_number, format_share
from opslib.positioning import HedonicModel
from opslib.proposals.drafting import LEAD_DAYS
from opslib.stats.estimates import Estimate

NAMED = 2
"""Price moves with known money that are told; the others stand in the table."""
MOST_ACTIONS = 3
ONE_PRODUCT, LARGE_SHARE = 0.5, 0.2
"""A band is one product where that brings half of its revenue, and worth telling from this share of its category on."""
HALF = 0.5
"""Part of a category's products on which a price is tried, and so of what the whole would bring."""


def findings(
    verdicts: pd.DataFrame,
    model: HedonicModel,
    ladder: pd.DataFrame,
    promotions: pd.DataFrame,
    gaps: Mapping[str, pd.DataFrame],
    *,
    by: str = "category",
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the positioning page.

    Parameters
    ----------
    verdicts : pandas.DataFrame
        From `positioning.price_verdicts`; may be empty, as every table here.
    model : HedonicModel
        From `positioning.hedonic_prices`; of no products where it could not be fitted.
    ladder : pandas.DataFrame
        From `positioning.price_ladder`.
    promotions : pandas.DataFrame
        From `positioning.promotion_depths`.
    gaps : mapping of str to pandas.DataFrame
        From `positioning.demand_gaps`, by its first column: category, attr_colour, ...
    by : {"category", "brand"}
        What the rows of ``verdicts`` are.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        At most `MOST_TOLD` told, and `MOST_ACTIONS` that say what to do, each about other things.
    """
    start = page.period.end + timedelta(days=LEAD_DAYS)
    found = [*_positions(verdicts, by), *_moves(verdicts, by, page, start=start)]
    found += gap_findings(gaps, currency=page.currency, from_views="events" in page.tables)
    found += _one_product(ladder, page) if len(ladder) else []
    found += _quality(model) if model.n_products else []
    found += _promotion(promotions) if len(promotions) else []
    return settled(found, due=start)


def settled(found: Sequence[Finding], *, due: date) -> tuple[Finding, ...]:
    """Findings by priority: little money is not told, a thing has one action, and a page has three.

    Examples
    --------
    >>> rugs = [Finding(key=key, sentence="", kind="measured", action=key, things=("rugs",)) for key in ("raise", "lower")]
    >>> [finding.action for finding in settled(rugs, due=date(2026, 11, 28))]
    ['raise', None]
    """
    most = max((one.worth.value for one in found if one.worth), default=0.0)
    acted: set[str] = set()
    n_actions, n_told, kept = 0, 0, []
    for one in sorted(found, key=lambda finding: finding.priority):
        is_little = one.worth is not None and one.worth.value < LEAST_PART * most
        is_told = one.is_told and not is_little and n_told < MOST_TOLD
        acts = one.action is not None and is_told and n_actions < MOST_ACTIONS and not acted & set(one.things)
        if acts:
            acted |= set(one.things)
            kept.append(replace(one, is_told=is_told, due=one.due or due))
        else:
            kept.append(replace(one, is_told=is_told, action=None, proposes=None, would_tell=None))
        n_actions, n_told = n_actions + acts, n_told + is_told
    return tuple(kept)


def answer(verdicts: pd.DataFrame, found: Sequence[Finding], *, by: str = "category", page: Facts) -> str:
    """Where prices stand, and which could move; '' where neither is known."""
    return " ".join(filter(None, [_stand(verdicts, by), _could_move(verdicts, page)])) or next(
        (one.sentence for one in found if one.is_told), ""
    )


def verdict_rows(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The verdicts with what to do, and why a response is not read, in words: the table beside the findings."""
    to_do = []
    for move, is_known in zip(verdicts["move"], verdicts["is_known"], strict=True):
        size = _percent(abs(float(move))) + _PER_CENT
        way = "raise" if move > 0 else "lower"
        to_do.append(
            "keep" if move == 0 else f"{way} by {size} on half" if is_known else f"try: {way} by {size} on half"
        )
    return verdicts.assign(to_do=to_do, why=[UNREAD.get(reading, "") for reading in verdicts["reading"]])


WORD_HEADS = {"themes": "said (times as often as of all brands)", "categories": "bought for"}
"""Head of the words of brands, by what `positioning.perception_counts` counted."""


def perceived(words: pd.DataFrame, *, from_reviews: bool) -> str:
    """What sets brands apart, in one sentence."""
    if not len(words):
        return f"Brands are {'talked about' if from_reviews else 'bought for'} alike: what differs is within chance, or too few are known."
    row = words.iloc[0]
    said = "talked about with" if from_reviews else "bought for"
    return f"{row['brand']} is set apart furthest: {said} {row['words']} as often as all brands together."


def limits(page: Facts, position: pd.DataFrame) -> tuple[str, ...]:
    """What the positioning page cannot say."""
    n_products, n_covered = (int(position[name].sum()) if len(position) else 0 for name in ("n_products", "n_covered"))
    if not n_covered:
        return ("Competitors' prices are not known here, so nothing is said of dear or cheap.",)
    return (
        f"{format_number(n_products - n_covered)} of {count_of(n_products, 'product')} lack a fresh competitor price, and what "
        "competitors' customers pay after coupons and delivery is not seen.",
    )


def _stand(verdicts: pd.DataFrame, by: str) -> str:
    """Which groups are dearer or cheaper than competitors."""
    known = verdicts.dropna(subset=["price_change"])
    if not len(known):
        return ""
    dear = known[known["price_change_lower"] > 0].sort_values("price_change", ascending=False, kind="stable")
    cheap = known[known["price_change_upper"] < 0].sort_values("price_change", kind="stable")
    parts = [_apart(rows, count_of(len(known), by)) for rows in (dear, cheap) if len(rows)]
    if not parts:
        return f"{_capital(how_many(0, by))} is clearly dearer or cheaper than at competitors."
    return "; ".join(parts) + "."


def _apart(rows: pd.DataFrame, known: str) -> str:
    """How far groups on one side are from competitors, the farthest first."""
    names, sizes = list(rows["group"].astype(str)), rows["price_change"].abs()
    than = more_than(1 + float(rows["price_change"].iloc[0]), 1.0)
    if len(rows) > 3:
        which = f"All {known}" if known.startswith(f"{len(rows)} ") else f"{len(rows)} of {known}"
        span = f"{_percent(sizes.min())} to {_percent(sizes.max())}"
        return f"{which} cost {span}{_PER_CENT} {than} at competitors, {names[0]} furthest"
    numbers = listed([_percent(size) for size in sizes])
    return f"{listed(names)} {'costs' if len(names) == 1 else 'cost'} {numbers}{_PER_CENT} {than} at competitors"


_PER_CENT = "\u00a0%"


def _percent(share: float) -> str:
    return format_share(share, step=1.0 if share >= 0.01 else 0.1).removesuffix(_PER_CENT)


def _could_move(verdicts: pd.DataFrame, page: Facts) -> str:
    """Which groups gain by another price, together; else that none does, or why none can be told."""
    known = verdicts[verdicts["is_known"].astype(bool)]
    if len(known):
        parts = []
        for up, rows in known.groupby(known["move"] > 0, sort=True):
            money = format_money(float(f"{rows['change_amount'].sum():.2g}"), page.currency)
            size, which = _percent(abs(float(rows["move"].iloc[0]))), "higher" if up else "lower"
            could = "could bear" if up else "would earn more at"
            parts.append(
                f"if buyers react as they did, {listed(list(rows['group'].astype(str)))} {could} {size}{_PER_CENT} {which} prices: {rows['counted'].iloc[0]} up about "
                f"{money} a month{' together' if len(rows) > 1 else ''}"
            )
        return _capital("; ".join(parts)) + "."
    if not len(verdicts):
        return ""
    why = verdicts["reading"].mode()
    readable = verdicts[verdicts["reading"] == ""]
    if len(readable):
        return f"In {listed(list(readable['group'].astype(str)))} another price would change little that can be seen."
    return f"What another price would sell cannot be told here: {UNREAD[str(why.iloc[0])]}."


def _positions(verdicts: pd.DataFrame, by: str) -> Iterator[Finding]:
    """The position of each clear group, for the comparison of reports; the answer says it."""
    known = verdicts.dropna(subset=["price_change", "price_change_lower", "price_change_upper"])
    for _, row in known.iterrows():
        place = _place(row)
        if place.excludes(0.0):
            yield Finding(
                key=f"position-{_slug(row['group'])}",
                sentence=f"{row['group']} costs {_against(place)} at competitors.",
                kind="estimated",
                section="price-position",
                estimate=place,
                is_told=False,
                about=About(scope=((by, str(row["group"])),), people=None),
            )


def _place(row: pd.Series) -> Estimate:
    return estimate_of(
        row, "price_change", unit="relative change", method="Student's t on log price ratios, products as units"
    )


def _against(place: Estimate) -> str:
    """ "12 % more than"."""
    return f"{_percent(abs(place.value))}{_PER_CENT} {more_than(place.value, 0.0)}"


def _moves(verdicts: pd.DataFrame, by: str, page: Facts, *, start: date) -> Iterator[Finding]:
    """Groups whose price should be tried: with known money first, then one whose response cannot be told."""
    moving = verdicts[verdicts["move"] != 0]
    is_known = moving["is_known"].astype(bool)
    for _, row in moving[is_known].iterrows():
        yield _known_move(row, by, page, start=start)
    for _, row in moving[~is_known].head(1).iterrows():
        yield _tried_move(row, by, start=start)
    if len(verdicts) and not len(moving) and (verdicts["reading"] != "").all():
        yield _on_purpose(start=start)
    stay = verdicts[(verdicts["move"] == 0) & (verdicts["reading"] == "")]
    if len(stay) and len(moving):
        yield Finding(
            key="price-stays",
            sentence=f"{listed(list(stay['group'].astype(str)), shown=5)} can stay: what another price would change there cannot "
            "be seen.",
            kind="estimated",
            section="verdicts",
            priority=5,
            about=About(people=None),
        )


def _trial(what: str, of: str, start: date) -> str:
    """A price that is tried: from which day, on which products, for how long."""
    return f"Start on {format_date(start)}, for eight weeks: {what} on half of {of}, chosen at random"


def _known_move(row: pd.Series, by: str, page: Facts, *, start: date) -> Finding:
    name, up = str(row["group"]), row["move"] > 0
    worth = estimate_of(
        row,
        "change_amount",
        unit=f"{page.currency}/month",
        method="price response of the group, Poisson pseudo-likelihood",
    )
    units = estimate_of(row, "units_change", unit="relative change", method=worth.method)
    size = _percent(abs(float(row["move"]))) + _PER_CENT
    way, could = ("higher", "could bear") if up else ("lower", "would earn more at")
    follow = (
        f"sales would {moved(units.value, up='rise', down='fall')} by about {_percent(abs(units.value))}{_PER_CENT}"
    )
    now = Estimate(
        value=row["now_amount"],
        lower=row["now_amount"],
        upper=row["now_amount"],
        n=0,
        unit=worth.unit,
        method="a month as it is",
    )
    place = _place(row)
    caveat = "Prices were not moved at random, so what moved them may have moved sales as well."
    if not math.isnan(place.lower) and place.excludes(0.0) and (place.value > 0) == up:
        caveat = f"It costs {_against(place)} at competitors already, so watch whether buyers leave."
    return Finding(
        key=f"price-{_slug(name)}",
        sentence=f"{name} {could} {size} {way} prices: on all of it {row['counted']} up about "
        f"{format_estimate(worth)}, as {follow}.",
        kind="estimated",
        grade="Low",
        estimate=now if up else units,
        worth=worth.scaled(HALF, unit=worth.unit),
        section="verdicts",
        priority=1,
        action=_trial(f"{'raise' if up else 'lower'} the prices of {name} by {size}", "its products", start),
        things=(name,),
        department="Buying",
        caveat=caveat,
        about=About(metric=str(row["counted"]) if up else "units_sold", scope=((by, name),), people=None),
        proposes=Proposes(metric=str(row["counted"]), design="before_after")
        if up
        else Proposes(metric="units_sold", design="elasticity", change=float(row["move"])),
    )


def _tried_move(row: pd.Series, by: str, *, start: date) -> Finding:
    name, up, place = str(row["group"]), row["move"] > 0, _place(row)
    size = _percent(abs(float(row["move"]))) + _PER_CENT
    return Finding(
        key=f"price-{_slug(name)}",
        sentence=f"{name} costs {_against(place)} at competitors; what its buyers make of that cannot be told: {UNREAD[row['reading']]}.",
        kind="estimated",
        section="verdicts",
        priority=3,
        estimate=place,
        action=_trial(f"{'raise' if up else 'lower'} the prices of {name} by {size}", "its products", start),
        things=(name,),
        would_tell="those eight weeks",
        department="Buying",
        about=About(metric="units_sold", scope=((by, name),), people=None),
        proposes=Proposes(metric="units_sold", design="elasticity", change=float(row["move"])),
    )


def _on_purpose(*, start: date) -> Finding:
    """Where nothing can be told from the past: how it could be."""
    return Finding(
        key="price-unread",
        sentence="Only prices that are moved on purpose, on products chosen at random, would show what a price does.",
        kind="described",
        section="verdicts",
        priority=3,
        action=_trial("move the prices of one range by 5\u00a0%", "its products", start),
        would_tell="those eight weeks",
        department="Buying",
        about=About(metric="units_sold", people=None),
        proposes=Proposes(metric="units_sold", design="elasticity", change=-0.05),
    )


def _slug(name: object) -> str:
    return "-".join(re.findall(r"\w+", str(name).lower()))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one_product(ladder: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """The band of which one product takes the part that stands out."""
    rows = ladder.assign(excess=ladder["demand_share"] - ladder["offer_share"])
    is_one = rows["leading_amount"] >= ONE_PRODUCT * rows["revenue_amount"]
    rows = rows.assign(share=rows["demand_share"] * rows["leading_amount"] / rows["revenue_amount"].where(is_one))
    rows = rows[(rows["excess"] > 0) & (rows["share"] >= LARGE_SHARE)]
    if not len(rows):
        return
    row = rows.sort_values(["leading_amount", "category"], ascending=[False, True], kind="stable").iloc[0]
    money = format_money(float(row["leading_amount"]), page.currency)
    yield Finding(
        key="one-product",
        kind="measured",
        section="price-ladder",
        priority=4,
        sentence=f"One product, {row['leading_product']}, brings {format_share(float(row['share']), step=1.0)} of the revenue of "
        f"{row['category']}: {money} in {page.period.label}.",
        about=About(scope=(("category", str(row["category"])),), people=None),
    )


def _promotion(promotions: pd.DataFrame) -> Iterator[Finding]:
    """How much is sold with a discount, and where it is deepest among groups that matter."""
    total, shared = promotions["list_amount"].sum(), (promotions["promoted_share"] * promotions["list_amount"]).sum()
    deep = promotions[promotions["promoted_share"] * promotions["list_amount"] >= LEAST_PART * shared].dropna(
        subset=["depth_share"]
    )
    if not len(deep) or total <= 0:
        return
    row, _ = largest(deep, "depth_share")
    yield Finding(
        key="promotion",
        kind="measured",
        section="discounts",
        priority=5,
        sentence=f"{format_share(shared / total)} of sales at list price carry a discount; in {row['group']} it is deepest, "
        f"{format_share(row['depth_share'], step=1.0)} off.",
        about=About(people=None),
    )


def _quality(model: HedonicModel) -> Iterator[Finding]:
    """Who is dear or cheap for what it offers; nothing where no brand stands out."""
    groups = model.groups
    dear, cheap = groups[groups["is_dear"].astype(bool)], groups[groups["is_cheap"].astype(bool)].iloc[::-1]
    parts = [
        f"{listed(list(rows['group'].astype(str)))} {'is' if len(rows) == 1 else 'are'} {word}"
        for word, rows in (("dear", dear), ("cheap", cheap))
        if len(rows)
    ]
    if not parts:
        return
    row = dear.iloc[0] if len(dear) else cheap.iloc[0]
    yield Finding(
        key="quality-adjusted",
        kind="estimated",
        section="quality-adjusted",
        priority=5,
        sentence=f"For what they offer, {' and '.join(parts)}, {row['group']} by "
        f"{_percent(abs(float(row['premium_share'])))}{_PER_CENT}.",
        estimate=estimate_of(
            row, "premium_share", unit="relative change", n=row["n_products"], method="price on attributes, HC3"
        ),
        caveat="What is not recorded (design, service) may be why.",
        about=About(people=None),
    )
