"""Product matching by probabilistic record linkage: candidate pairs, a calibrated probability, pairs to review by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, require_table_columns
from opslib.positioning.candidates import FEATURES, TELLING, THEIRS, compared_pairs, own_products, their_products
from opslib.stats.estimates import Estimate
from opslib.stats.linkage import CLASSES, KNOWN_MATCH, KNOWN_OTHER, UNKNOWN, LinkageModel, fit_linkage
from opslib.stats.shares import share

N_FOLDS, N_BINS = 5, 10
MOST_REVIEWED = 200
_CALIBRATION = ("probability_share", "n_pairs", "n_same", "same_share", "same_share_lower", "same_share_upper")
_REVIEW = (*THEIRS, "product_id", "probability", "name", "price", "their_name", "their_price", "looking_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductMatches:
    """Pairs of our and competitors' products, how they were judged, and how good the judgement is.

    Parameters
    ----------
    pairs : ibis.Table
        Every compared pair: competitor, competitor_product_id, product_id, probability (0-1, of being the same product),
        decision (known, match, review, no), and the levels of what was compared (-1 = missing).
    review : pandas.DataFrame
        Doubtful pairs, the one most worth a look first: names and prices of both sides, probability, looking_value
        (the smaller of the two chances of being wrong x our price).
    precision, recall : Estimate or None
        Of accepted pairs and of known ones, out of sample (each known pair judged by a model that had not seen it),
        Wilson intervals; None without known pairs. Precision is that among products known to have a match.
    calibration : pandas.DataFrame
        Compared pairs of products with a known match, judged out of sample: probability_share (mean promised), n_pairs,
        n_same, same_share, same_share_lower, same_share_upper (Wilson). Empty without known pairs.
    brier : float
        Mean squared error of those probabilities; ``nan`` without known pairs.
    model : LinkageModel
        What agreement of each feature says.
    n_possible, n_compared, n_known, n_known_lost : int
        Pairs there could be, pairs that share a rare enough word or two, known pairs, known pairs not among the compared.
    n_matched, n_review : int
        New matches accepted, and pairs to look at.
    expected_wrong : float
        Accepted pairs that are expected to be wrong, by their own probabilities.
    """

    pairs: ir.Table
    review: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_REVIEW)))
    precision: Estimate | None = None
    recall: Estimate | None = None
    calibration: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_CALIBRATION)))
    brier: float = float("nan")
    model: LinkageModel | None = None
    n_possible: int
    n_compared: int = 0
    n_known: int = 0
    n_known_lost: int = 0
    n_matched: int = 0
    n_review: int = 0
    expected_wrong: float = 0.0


def match_products(
    products: Table,
    competitor_products: Table,
    *,
    known: Table | None = None,
    accept: float = 0.9,
    review: float = 0.1,
    max_block: int = 20,
) -> ProductMatches:
    """Match competitors' products to ours by name, brand, attributes, numbers and price.

    Parameters
    ----------
    products : table
        product_id, name; brand, price and ``attr_`` columns where known.
    competitor_products : table
        competitor, competitor_product_id, name; brand, price and attributes where known.
    known : table or None
        competitor, competitor_product_id, product_id of pairs that somebody has matched (``competitor_prices`` serves);
        taken as a fair sample of all matches. A product with two different known matches counts as unknown.
    accept, review : float
        Probability from which a pair is accepted, and from which it is worth a look. A competitor's product matches at most
        one of ours, one of ours at most one of a competitor's; a tie is left to review.
    max_block : int
        A word, or two together, brings pairs to compare where at most this many of our products have it.

    Returns
    -------
    ProductMatches

    Raises
    ------
    ParameterError
        If the thresholds are not 0 < review <= accept < 1.

    References
    ----------
    See :func:`opslib.stats.linkage.fit_linkage`.

    Examples
    --------
    >>> own = pd.DataFrame({"product_id": ["p1", "p2"], "name": ["Oak tray 30 cm", "Tin mug"], "price": [20.0, 5.0]})
    >>> theirs = pd.DataFrame({"competitor": ["A"], "competitor_product_id": ["7"], "name": ["TRAY, oak (300mm)"],
    ...     "price": [19.0]})
    >>> found = match_products(own, theirs)
    >>> engine.collect(found.pairs)[["product_id", "name", "measures"]].values.tolist()
    [['p1', 4, 2]]
    """
    if not 0 < review <= accept < 1:
        raise ParameterError(f"matching: accept {accept}, review {review}: needed 0 < review <= accept < 1")
    own, theirs = own_products(products), their_products(competitor_products)
    n_own, n_theirs = (int(engine.collect(side.aggregate(n=side.count()))["n"].iloc[0]) for side in (own, theirs))
    if not n_own or not n_theirs:
        return _no_matches(n_possible=0)
    labels = _known(known, theirs)
    compared = compared_pairs(own, theirs, n_items=n_own + n_theirs, max_block=max_block)
    pairs = engine.held(_labelled(compared, labels, theirs))
    counted = engine.grouped(pairs, [*FEATURES, "label", "fold"], n=pairs.count())
    if not len(counted):
        return _no_matches(n_possible=n_own * n_theirs)
    model = fit_linkage(counted, features=FEATURES, telling=TELLING)
    sizes = engine.collect(labels.aggregate(n=labels.count()))["n"]
    judged = engine.held(_judged(pairs.mutate(odds=_odds(pairs, model)), accept=accept, review=review))
    n_known = int(sizes.iloc[0])
    n_found = int(counted.loc[counted["label"] == KNOWN_MATCH, "n"].sum())
    tested = _tested(pairs, counted, accept=accept, review=review) if n_found else pd.DataFrame()
    precision, recall = _quality(tested, n_known=n_known) if n_found else (None, None)
    totals = _totals(judged)
    return ProductMatches(
        pairs=judged.select(*THEIRS, "product_id", "probability", "decision", *FEATURES), review=_to_review(judged, own, theirs), model=model,
        n_possible=n_own * n_theirs, n_compared=int(counted["n"].sum()),
        n_known=n_known, n_known_lost=n_known - n_found,
        n_matched=int(totals["match"]), n_review=int(totals["review"]), expected_wrong=float(totals["wrong"]),
        precision=precision, recall=recall, calibration=_calibration(tested),
        brier=float(tested["squared"].sum() / tested["n"].sum()) if n_found else float("nan"),
    )  # fmt: skip


def _no_matches(*, n_possible: int) -> ProductMatches:
    """What is said where nothing can be compared: a list is missing, or no name shares a rare word with another."""
    words = dict.fromkeys((*THEIRS, "product_id", "decision"), pd.Series(dtype="str"))
    numbers = dict.fromkeys(("probability", *FEATURES), pd.Series(dtype="float64"))
    return ProductMatches(pairs=ibis.memtable(pd.DataFrame({**words, **numbers})), n_possible=n_possible)


def matched_prices(competitor_prices: Table, matches: ProductMatches) -> ir.Table:
    """Competitors' prices with our product filled in where a match was accepted.

    Parameters
    ----------
    competitor_prices : table
        As the contract says; a known ``product_id`` stays.
    matches : ProductMatches
        From :func:`match_products`.

    Returns
    -------
    ibis.Table
        The same columns and rows.

    Examples
    --------
    >>> own = pd.DataFrame({"product_id": ["p1"], "name": ["Oak tray 30 cm"]})
    >>> theirs = pd.DataFrame({"competitor": ["A"], "competitor_product_id": ["7"], "name": ["TRAY, oak (300mm)"]})
    >>> seen = theirs[["competitor", "competitor_product_id"]].assign(product_id=None, price=19.0)
    >>> matches = match_products(own, theirs, accept=0.5)
    >>> engine.collect(matched_prices(seen, matches))["product_id"].tolist()
    ['p1']
    """
    prices = engine.as_table(competitor_prices)
    if not matches.n_matched:
        return prices
    accepted = matches.pairs.filter(_.decision == "match").select(*THEIRS, matched_id="product_id")
    joined = prices.left_join(accepted, list(THEIRS)).drop(*(f"{name}_right" for name in THEIRS))
    before = [joined["product_id"].cast("string")] if "product_id" in prices.columns else []
    return joined.mutate(product_id=ibis.coalesce(*before, joined["matched_id"])).drop("matched_id")


def _known(known: Table | None, theirs: ir.Table) -> ir.Table:
    """One row a competitor's product whose match is known."""
    if known is None:
        return theirs.select(*THEIRS, known_id=ibis.null("string")).limit(0)
    table = engine.as_table(known)
    require_table_columns(table, *THEIRS, "product_id", name="known")
    filled = table.filter(table["product_id"].notnull()).select(
        **{name: table[name].cast("string") for name in (*THEIRS, "product_id")}
    )
    one = filled.group_by(list(THEIRS)).aggregate(known_id=_.product_id.min(), last_id=_.product_id.max())
    return one.filter(one["known_id"] == one["last_id"]).drop("last_id").semi_join(theirs, list(THEIRS))


def _labelled(pairs: ir.Table, labels: ir.Table, theirs: ir.Table) -> ir.Table:
    """Pairs with what is known of them, and the fold that their competitor's product is tested in."""
    numbered = theirs.select(*THEIRS).mutate(fold=ibis.row_number().over(ibis.window(order_by=list(THEIRS))) % N_FOLDS)
    out = pairs.inner_join(numbered, list(THEIRS))
    joined = out.left_join(labels, list(THEIRS)).select(out, labels["known_id"])
    label = ibis.cases(
        (joined["known_id"].isnull(), UNKNOWN), (joined["known_id"] == joined["product_id"], KNOWN_MATCH),
        else_=KNOWN_OTHER,
    )  # fmt: skip
    return joined.mutate(label=label).drop("known_id")


def _odds(pairs: ir.Table, model: LinkageModel) -> ir.FloatingValue:
    """Odds of a match as an expression: what the model says of each level, multiplied."""

    def log_likelihood(kind: str, prior: float) -> ir.IntegerValue:
        out = ibis.literal(_millionths(prior))
        for name, rows in model.levels.groupby("feature", sort=False):
            told = zip(rows["level"], rows[kind], strict=True)
            out = out + ibis.cases(*((pairs[name] == level, _millionths(p)) for level, p in told), else_=0)
        return out

    match, *others = map(log_likelihood, CLASSES, model.shares)
    against = [((other - match).cast("float64") / 1e6).exp() for other in others]
    return engine.ratio(ibis.literal(1), reduce(add, against))


def _millionths(probability: float) -> int:
    """Logarithm as a whole number of millionths: sums of them are equal on every engine."""
    return round(float(np.log(probability)) * 1e6)


def _judged(scored: ir.Table, *, accept: float, review: float) -> ir.Table:
    """Probability and decision: at most one of ours for each of theirs, and the other way round."""
    whole = scored["odds"].sum().over(ibis.window(group_by=list(THEIRS)))
    chances = scored.mutate(probability=engine.ratio(scored["odds"], 1 + whole).round(9)).drop("odds")
    is_known = chances["label"] == KNOWN_MATCH
    contest = is_known.ifelse(2.0, chances["probability"])
    rivals = chances.mutate(
        contest=contest, best=contest.max().over(ibis.window(group_by=["competitor", "product_id"]))
    )
    at_best = engine.flag(rivals["contest"] == rivals["best"])
    counted = rivals.mutate(n_best=at_best.sum().over(ibis.window(group_by=["competitor", "product_id"])))
    wins = (counted["contest"] == counted["best"]) & (counted["n_best"] == 1)
    decision = ibis.cases(
        (counted["label"] == KNOWN_MATCH, "known"), (counted["label"] == KNOWN_OTHER, "no"),
        ((counted["probability"] >= accept) & wins, "match"), (counted["probability"] >= review, "review"), else_="no",
    )  # fmt: skip
    return counted.mutate(decision=decision).drop("contest", "best", "n_best")


def _totals(judged: ir.Table) -> pd.Series:
    is_match = judged["decision"] == "match"
    sums = judged.aggregate(
        match=engine.flag(is_match).sum(),
        review=engine.flag(judged["decision"] == "review").sum(),
        wrong=(1 - judged["probability"]).sum(where=is_match),
    )
    return engine.collect(sums).fillna(0.0).iloc[0]


def _to_review(judged: ir.Table, own: ir.Table, theirs: ir.Table) -> pd.DataFrame:
    """The doubtful pairs that are most worth a look."""
    doubtful = judged.filter(judged["decision"] == "review").select(*THEIRS, "product_id", "probability")
    named = doubtful.inner_join(own.select("product_id", "name", "price"), "product_id")
    both = named.inner_join(theirs.select(*THEIRS, their_name="name", their_price="price"), list(THEIRS))
    doubt = ibis.least(both["probability"], 1 - both["probability"])
    ranked = both.mutate(looking_value=doubt * both["price"].fill_null(1.0))
    order = [ibis.desc("looking_value"), *THEIRS, "product_id"]
    return engine.collect(ranked.order_by(order).limit(MOST_REVIEWED))


def _tested(pairs: ir.Table, counted: pd.DataFrame, *, accept: float, review: float) -> pd.DataFrame:
    """Pairs of products with a known match, judged by models that did not know it: counts by probability and outcome."""
    models = []
    for fold in range(N_FOLDS):
        hidden = counted.assign(label=counted["label"].where(counted["fold"] != fold, UNKNOWN))
        models.append(fit_linkage(hidden, features=FEATURES, telling=TELLING))
    known = pairs.filter(pairs["label"] != UNKNOWN).mutate(truth=_.label, label=UNKNOWN)
    odds = ibis.cases(*((known["fold"] == fold, _odds(known, model)) for fold, model in enumerate(models)))
    judged = _judged(known.mutate(odds=odds), accept=accept, review=review)
    p = judged["probability"]
    rows = judged.select(
        "decision", "truth", p=p, squared=(p - judged["truth"].cast("float64")) * (p - judged["truth"].cast("float64")),
        bin=ibis.least((p * N_BINS).floor().cast("int64"), N_BINS - 1),
    )  # fmt: skip
    sums = {"n": rows.count(), "p": rows["p"].sum(), "squared": rows["squared"].sum()}
    return engine.grouped(rows, ["bin", "truth", "decision"], **sums)


def _quality(tested: pd.DataFrame, *, n_known: int) -> tuple[Estimate | None, Estimate]:
    """Precision and recall from the counts of :func:`_tested`."""
    accepted = tested[tested["decision"] == "match"]
    n_right, n_accepted = int(accepted.loc[accepted["truth"] == KNOWN_MATCH, "n"].sum()), int(accepted["n"].sum())
    return (share(n_right, n_accepted) if n_accepted else None), share(n_right, n_known)


def _calibration(tested: pd.DataFrame) -> pd.DataFrame:
    """What was promised against what was so, by tenths of the probability."""
    rows = []
    for _bin, part in tested.groupby("bin") if len(tested) else ():
        n, n_same = int(part["n"].sum()), int(part.loc[part["truth"] == KNOWN_MATCH, "n"].sum())
        seen = share(n_same, n)
        rows.append((part["p"].sum() / n, n, n_same, seen.value, seen.lower, seen.upper))
    return pd.DataFrame(rows, columns=list(_CALIBRATION))
