"""Needs that searches show and the shop does not meet: by theme, in visits and money, with trend and what became of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _
from scipy.stats import binom
from scipy.stats import norm as normal

from opslib import engine
from opslib.demand.searches import corrections
from opslib.metrics.blocks import Table, amounts_of, paid, require_table_columns
from opslib.periods import Period
from opslib.privacy import MINIMUM
from opslib.stats.estimates import Estimate
from opslib.stats.multiplicity import adjusted
from opslib.stats.ranks import count_draws, top_shares
from opslib.stats.shares import share
from opslib.stats.texts import words_of
from opslib.suppression import counted

MONTH_DAYS = 365.25 / 12
MIN_VISITS = 10
"""Visits that a query or a need has to have before it is shown."""
MOST_QUERIES, MOST_NEEDS = 20_000, 50
MISSED_AT, CLEARLY_LESS = 0.05, 2 / 3
"""False-discovery rate at which a query is called clicked less than so much of how often other queries with results are."""
FILLERS = frozenset("and for from in of on the to with without und für mit aus von im".split())
N_DRAWS = 4_000
SMALL_PART, OWN_WORD = 0.25, 0.75
"""A query apart joins a need that has this share of the visits of one of its words, where it is so small a part of the need."""
RECENT_DAYS = 56
"""A need is met where clearly fewer than half of its searches of so many last days fail, of those that did before."""
NOT_FOUND, NOT_CLICKED, MISSPELT = "finds nothing", "finds, but is not clicked", "misspelt"
_SLIPS, _UNCLICKED = (
    "~",
    "~",
)  # heads of all misspelt texts, and before those of texts not clicked: no word is written so

_UNKNOWN_SHARE = Estimate(value=math.nan, lower=math.nan, upper=math.nan, n=0, unit="share", method="no search")
_NEEDS = (
    "need", "query", "kind", "n_queries", "n_visits", "n_people", "n_without_result", "n_products", "visits_per_month", "worth_amount",
    "worth_amount_lower", "worth_amount_upper", "top_three_share", "trend_change", "trend_change_lower", "trend_change_upper",
    "is_met", "n_new_products", "met_on", "words",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetNeeds:
    """Needs that searches show.

    Parameters
    ----------
    needs : pandas.DataFrame
        need (its most typed query), query (the others, most typed first), kind (finds nothing; finds, but is not clicked; misspelt: all
        slips in words of what is found, as one row), n_queries, n_visits (whose search failed), n_people (behind them),
        n_without_result (of those, to no result at all), n_products (of ours whose name has all words of its most typed
        query: then search may be at fault, not the offer), visits_per_month (that fail, beyond what clicks show as
        met; of a met need those of late), worth_amount, worth_amount_lower, worth_amount_upper (a month; missing where
        ``visit_value`` is), top_three_share (chance of being among the three most wanted), trend_change (of the need's share of all
        visits that search, second half of the period against the first, 0.5 is half as much again), trend_change_lower, trend_change_upper,
        is_met (whether products have come that its searches find), n_new_products (clicked by them, launched in the period), met_on (day
        of the first of these; missing), words (main words, a tuple). Those not met come first, the most visits first.
    unmet_share : Estimate
        Share of searches that failed (no result, and nothing found by another search of the visit), or of a query that is clicked
        clearly less than others; searches as units.
    visit_value : Estimate or None
        What a visit that found what it searched for brings beyond one that did not; None where orders name no visit.
    is_margin : bool
        Whether that is margin (cost is known of every line) or revenue.
    """

    needs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_NEEDS)))
    unmet_share: Estimate = _UNKNOWN_SHARE
    visit_value: Estimate | None = None
    is_margin: bool = False

    @property
    def is_worth(self) -> bool:
        """Whether visits that found something are seen to bring more than those that did not."""
        return self.visit_value is not None and self.visit_value.value > 0


def unmet_needs(
    rows: Table,
    *,
    period: Period,
    order_lines: Table | None = None,
    products: Table | None = None,
    unit: str = "money",
    seed: int = 0,
) -> UnmetNeeds:
    """Group searches that fail into needs, and weigh them in visits and money.

    A need is the word that most failing visits share, then the word that most of the rest share, and so on; misspelt words count with
    what was meant. Its visits are multiplied by what success is worth: revenue (margin, where known) of visits whose search led
    to a click, less that of visits whose search failed. So what visitors who failed buy anyway does not count.

    Parameters
    ----------
    rows : table
        From `visit_searches`.
    period : Period
        Days that they are from.
    order_lines : table or None
        With ``session_id``, for money.
    products : table or None
        product_id and name, to correct spelling and to see which needs we have products of; launched_at, to see which were answered.
    unit : str
        Currency of the money.
    seed : int
        For the draws behind intervals of needs (searches Poisson, value of a visit normal) and ranks.

    Returns
    -------
    UnmetNeeds
        Of no needs where neither results nor clicks are recorded.

    Examples
    --------
    >>> from opslib.demand import visit_searches
    >>> typed = [("air fryer", 0)] * 30 + [("small airfryer", 0)] * 12 + [("mug", 5)] * 60
    >>> log = pd.DataFrame(typed, columns=["query", "n_results"])
    >>> log["search_id"], log["searched_at"] = log.index.astype(str), pd.Timestamp("2026-03-02")
    >>> march = Period.parse("2026-03-01", "2026-03-31")
    >>> found = unmet_needs(visit_searches(log, period=march), period=march)
    >>> found.needs[["need", "query", "n_visits"]].values.tolist()
    [['air fryer', 'small airfryer', 42]]
    """
    table = engine.as_table(rows)
    is_told = any(not engine.is_empty(table, name) for name in ("n_results", "clicked_product_id"))
    queries = _queries(table)
    if not len(queries) or not is_told:
        return UnmetNeeds()
    products = None if products is None or engine.is_empty(products, "name") else products
    order_lines = None if order_lines is None or engine.is_empty(order_lines, "session_id") else order_lines
    queries, click_share = _unmet_queries(queries)
    queries = _meant(queries, products)
    named, cores = _grouped(queries, _query_words(queries))
    missed = queries.loc[queries["is_missed"], "text"].tolist()
    judged = table.mutate(is_failed=((table["is_zero_result"] == 1) | table["text"].isin(missed)).fill_null(False))
    failed = judged.filter(judged["is_failed"])
    value, is_margin = (
        _visit_value(judged, failed, order_lines, unit=unit) if order_lines is not None else (None, False)
    )
    searched = _with_heads(judged, named)
    visits = _with_trend(_need_visits(searched, period, click_share), table, period)
    weighed = _weighed(visits, value, factor=MONTH_DAYS / period.n_days, seed=seed)
    weighed["n_products"] = _offered(products, cores).reindex(weighed["head"]).to_numpy()
    weighed["words"] = [tuple(cores.get(head, ())) for head in weighed["head"]]
    answered = _answers(searched, products, period)
    total, n_failed = (int(engine.collect(t.aggregate(n=t.count()))["n"].iloc[0]) for t in (table, failed))
    return UnmetNeeds(
        needs=counted(_in_words(weighed.merge(answered, on="head", how="left"), named, queries), "n_people", by=["need"], adds_up=False),
        unmet_share=share(n_failed, total),
        visit_value=value,
        is_margin=is_margin,
    )  # fmt: skip


def _queries(rows: ir.Table) -> pd.DataFrame:
    """The most typed queries: visits, searches with and without result, and clicks."""
    found = rows.group_by("text").aggregate(
        n_visits=rows["visit"].nunique(),
        n_people=rows["person"].nunique(),
        n_none=rows["is_zero_result"].sum().fill_null(0.0),
        n_some=engine.flag((rows["n_results"] > 0) | rows["n_results"].isnull()).sum(),
        n_clicked=rows["is_clicked"].sum().fill_null(0.0),
        n_known=rows["is_clicked"].count(),
    )
    return engine.collect(found.order_by([ibis.desc("n_visits"), "text"]).limit(MOST_QUERIES))


def _unmet_queries(queries: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Unmet searches of each query, and the share of searches with results that are clicked (1 where unrecorded)."""
    can_click = queries["n_known"].sum() > 0 and queries["n_clicked"].sum() > 0
    some, clicked = queries["n_some"].sum(), queries["n_clicked"].sum()
    click_share = min(float(clicked / some), 1.0) if can_click and some else 1.0
    out = queries.assign(is_missed=False)
    tested = out["n_some"] > 0
    if can_click and tested.any():
        p = binom.cdf(out.loc[tested, "n_clicked"], out.loc[tested, "n_some"], CLEARLY_LESS * click_share)
        judged = adjusted(dict(enumerate(p)), method="benjamini_hochberg", alpha=MISSED_AT)
        out.loc[tested, "is_missed"] = judged["is_rejected"].to_numpy()
    met = out["n_clicked"] / click_share
    out["unmet"] = out["n_none"] + np.where(out["is_missed"], np.maximum(out["n_some"] - met, 0), 0)
    return out, click_share


def _meant(queries: pd.DataFrame, products: Table | None) -> pd.DataFrame:
    """What each query means: the text itself, or the one that it misspells; and whether that one is found."""
    words: list[str] = []
    if products is not None:
        rows = engine.collect(
            words_of(engine.as_table(products), key=["product_id"], text="name").select("word").distinct()
        )
        words = sorted(rows["word"])
    is_found = queries["n_some"] > 0
    found, failed = (
        dict(zip(part["text"], part["n_visits"], strict=True)) for part in (queries[is_found], queries[~is_found])
    )
    right = corrections(found, failed, words=words)
    meant = [right.get(text, text) for text in queries["text"]]
    known = {*found, *words}
    is_slip = [
        text in right and (m in known or set(m.split()) <= known)
        for text, m in zip(queries["text"], meant, strict=True)
    ]
    return queries.assign(meant=meant, is_slip=is_slip)


def _query_words(queries: pd.DataFrame) -> pd.DataFrame:
    """Words of what the queries mean, by their own text."""
    return engine.collect(
        words_of(engine.as_table(queries[["text", "meant"]]), key=["text"], text="meant").order_by("text", "word"),
        max_rows=20 * MOST_QUERIES,
    )  # fmt: skip


def _grouped(queries: pd.DataFrame, words: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The need of each unmet query (head: the word that unites it, text), the largest first, and the words of its most typed query."""
    unmet = queries[(queries["unmet"] > 0) & ~queries["is_slip"]][["text", "meant", "unmet"]]
    pairs = {a + b: (a, b) for text in unmet["meant"] for a, b in pairwise(text.split())}
    split = words["word"].map(lambda word: pairs.get(word, (word,)))
    known = words.assign(word=split).explode("word").drop_duplicates().merge(unmet[["text", "unmet"]], on="text")
    known = known[~known["word"].isin(FILLERS)]
    nothing = set(
        queries.loc[queries["n_none"] > 0, "text"]
    )  # what finds something, unclicked, is no need of the same words
    found = _joined(_by_word(known[known["text"].isin(nothing)]), known)
    found |= {text: _UNCLICKED + head for text, head in _by_word(known[~known["text"].isin(nothing)]).items()}
    named = known.assign(head=known["text"].map(found)).dropna(subset=["head"])
    most = (
        named.sort_values(["unmet", "text"], ascending=[False, True]).drop_duplicates("head").set_index("head")["text"]
    )
    cores = {str(head): sorted(named.loc[named["text"] == text, "word"]) for head, text in most.items()}
    slips = dict.fromkeys(queries.loc[queries["is_slip"], "text"], _SLIPS)
    return pd.DataFrame(sorted({**found, **slips}.items()), columns=["text", "head"]), cores


def _by_word(known: pd.DataFrame) -> dict[str, str]:
    """The head of each text: the word that the most unmet searches share, then the word that the most of the rest share, and so on."""
    found: dict[str, str] = {}
    while len(known) and len(set(found.values())) < MOST_NEEDS:
        totals = known.groupby("word")["unmet"].sum()
        head = str(totals.sort_index().idxmax())
        if totals[head] < MIN_VISITS:
            break
        members = set(known.loc[known["word"] == head, "text"])
        found |= dict.fromkeys(sorted(members), head)
        known = known[~known["text"].isin(members)]
    return found


def _joined(found: dict[str, str], words: pd.DataFrame) -> dict[str, str]:
    """Needs of one query, each with the larger need that nearly alone has one of its words."""
    rows = words.assign(head=words["text"].map(found)).dropna(subset=["head"])
    size = rows.drop_duplicates("text").groupby("head")["unmet"].agg(["sum", "count"])
    by_word = rows.groupby(["word", "head"])["unmet"].sum()
    for head in size.index[size["count"] == 1]:
        own = rows.loc[rows["head"] == head, "word"]
        others = by_word[by_word.index.isin(own, level="word") & (by_word.index.get_level_values("head") != head)]
        near = others / by_word.groupby("word").sum().reindex(others.index.get_level_values("word")).to_numpy()
        near = near[
            (near >= OWN_WORD)
            & (
                size.loc[head, "sum"]
                <= SMALL_PART * size["sum"].reindex(near.index.get_level_values("head")).to_numpy()
            )
        ]
        if len(near):
            found |= dict.fromkeys(rows.loc[rows["head"] == head, "text"], str(near.idxmax()[1]))
    return found


def _with_heads(rows: ir.Table, named: pd.DataFrame) -> ir.Table:
    """Searches of needs, each with its own."""
    if not len(named):
        return rows.mutate(head=ibis.null("string")).filter(ibis.literal(False))
    heads = rows["text"].cases(*zip(named["text"], named["head"], strict=True), else_=ibis.null("string"))
    return rows.mutate(head=heads).filter(_["head"].notnull())


def _need_visits(rows: ir.Table, period: Period, click_share: float) -> pd.DataFrame:
    """Different visits of each need: failed, met after all, early and late, of the last weeks and before."""
    middle, recent = _middle(period), period.end - timedelta(days=RECENT_DAYS)
    one = rows.group_by("head", "visit").aggregate(
        person=_.person.min(), day=_.day.min(), failed=engine.flag(rows["is_failed"]).max(),
        nothing=engine.flag(rows["is_failed"] & (rows["n_results"] == 0).fill_null(False)).max(),
        clicked=rows["is_clicked"].max(where=rows["is_failed"]).fill_null(0.0),
    )  # fmt: skip
    late, last = engine.flag(one["day"] >= ibis.literal(middle)), engine.flag(one["day"] > ibis.literal(recent))
    failed = one["failed"] == 1
    found = engine.grouped(
        one, "head", n_visits=one["failed"].sum().cast("int64"), n_people=one["person"].nunique(where=failed),
        n_without_result=one["nothing"].sum().cast("int64"), n_clicked=one["clicked"].sum(),
        n_late=late.sum(), n_early=(1 - late).sum(), late_people=one["person"].nunique(where=late == 1),
        early_people=one["person"].nunique(where=late == 0), n_last=last.sum(), n_before=(1 - last).sum(),
        last_failed=(last * one["failed"]).sum(), before_failed=((1 - last) * one["failed"]).sum(),
    )  # fmt: skip
    found["is_met"] = [_is_met(row) for _n, row in found.iterrows()]
    found["excess"] = np.maximum(found["n_visits"] - found["n_clicked"] / click_share, 0)
    found["variance"] = found["n_visits"] + found["n_clicked"] * (1 / click_share**2 - 2 / click_share)
    return found[
        (found["n_visits"] >= MIN_VISITS) & (found["n_people"] >= MINIMUM) & (found["excess"] > 0)
    ].reset_index(drop=True)


def _is_met(row: pd.Series) -> bool:
    """Whether the need's searches of the last weeks fail clearly less than half as often as before."""
    if min(row["n_last"], row["n_before"]) < MIN_VISITS:
        return False
    now, before = (share(int(row[f"{part}_failed"]), int(row[f"n_{part}"])) for part in ("last", "before"))
    return now.upper < before.lower / 2


def _middle(period: Period) -> date:
    return period.start + timedelta(days=period.n_days // 2)


@np.errstate(divide="ignore", invalid="ignore")
def _with_trend(found: pd.DataFrame, rows: ir.Table, period: Period) -> pd.DataFrame:
    """Change of each need's share of the visits that search, second half against first; log ratio, people as units."""
    late = engine.flag(rows["day"] >= ibis.literal(_middle(period)))
    halves = engine.collect(
        rows.aggregate(late=rows["visit"].nunique(where=late == 1), early=rows["visit"].nunique(where=late == 0))
    )
    total = halves.iloc[0]["late"] / np.float64(halves.iloc[0]["early"])
    ratio = found["n_late"] / found["n_early"] / total
    half = 1.96 * np.sqrt(1 / found["late_people"] + 1 / found["early_people"])
    is_known = found[["late_people", "early_people"]].min(axis=1) >= MINIMUM
    ends = {
        "trend_change": ratio - 1,
        "trend_change_lower": ratio * np.exp(-half) - 1,
        "trend_change_upper": ratio * np.exp(half) - 1,
    }
    return found.assign(**{name: end.where(is_known) for name, end in ends.items()})


def _visit_value(rows: ir.Table, failed: ir.Table, order_lines: Table, *, unit: str) -> tuple[Estimate | None, bool]:
    """Mean amount of visits whose search led to a click (a result, where clicks are unknown) less that of failed ones."""
    lines = paid(order_lines)
    if "session_id" not in lines.columns:
        return None, False
    bought, is_margin = amounts_of(lines, ["session_id"])
    success = ibis.coalesce(rows["is_clicked"], engine.flag(rows["n_results"] > 0))
    visits = rows.group_by("visit").aggregate(is_met=success.max().fill_null(0.0))
    lost = failed.select("visit").distinct().mutate(is_failed=ibis.literal(1))
    kinds = visits.left_join(lost, "visit").select(visits, "is_failed").filter((_.is_met == 1) | _.is_failed.notnull())
    joined = kinds.left_join(bought, kinds["visit"] == bought["session_id"])
    paired = joined.select(kinds, amount=_.amount.fill_null(0.0))
    amount = paired["amount"]
    sums = engine.grouped(paired, "is_met", n=paired.count(), total=amount.sum(), squares=(amount * amount).sum())
    if len(sums) < 2 or sums["n"].min() < 2 or not sums["total"].sum() > 0:
        return None, is_margin
    mean = sums["total"] / sums["n"]
    variance = (sums["squares"] - sums["n"] * mean**2).clip(lower=0) / (sums["n"] - 1) / sums["n"]
    value, error = float(mean.iloc[1] - mean.iloc[0]), float(np.sqrt(variance.sum()))
    half = float(normal.ppf(0.975)) * error
    return Estimate(
        value=value, lower=value - half, upper=value + half, n=int(sums["n"].sum()), unit=unit, std_error=error,
        method="mean of visits that found less mean of visits that did not, visits as units",
    ), is_margin  # fmt: skip


def _weighed(visits: pd.DataFrame, value: Estimate | None, *, factor: float, seed: int) -> pd.DataFrame:
    """Visits a month, money and ranks by draws: searches vary as counts do, the value of a visit is shared by all needs.

    A need that is met loses what still fails of late.
    """
    draws = np.random.default_rng(seed)
    late = visits["last_failed"] / visits["n_last"].clip(lower=1) * visits[["n_last", "n_before"]].sum(axis=1)
    mean = visits["excess"].where(~visits["is_met"].astype(bool), late).to_numpy(dtype="float64")
    spread = visits["variance"].where(~visits["is_met"].astype(bool), late).to_numpy(dtype="float64")
    counts = count_draws(mean, spread, n_draws=N_DRAWS, generator=draws)
    out = visits.assign(visits_per_month=mean * factor)
    worth = np.full_like(counts, np.nan)
    if value is not None and value.std_error is not None:
        worth = counts * draws.normal(value.value, value.std_error, size=(N_DRAWS, 1)) * factor
    out["worth_amount"] = np.nan if value is None else mean * value.value * factor
    out["worth_amount_lower"], out["worth_amount_upper"] = np.quantile(worth, [0.025, 0.975], axis=0)
    # The value of a visit is the same for all needs, so it cannot change their order.
    out["top_three_share"] = top_shares(counts)
    order = out.assign(mean=mean).sort_values(["is_met", "mean", "head"], ascending=[True, False, True])
    return order.drop(columns="mean").reset_index(drop=True)


def _offered(products: Table | None, cores: dict[str, list[str]]) -> pd.Series:
    """Products of ours whose name has all main words of a need."""
    if products is None or not cores:
        return pd.Series(dtype="float64")
    table = engine.as_table(products)
    require_table_columns(table, "product_id", "name", name="products")
    words = words_of(table, key=["product_id"], text="name")
    has = {f"n_{n}": engine.flag(words["word"].isin(core)).sum() for n, core in enumerate(cores.values())}
    each = words.group_by("product_id").aggregate(**has)
    full = {f"n_{n}": engine.flag(each[f"n_{n}"] == len(core)).sum() for n, core in enumerate(cores.values())}
    return pd.Series(engine.collect(each.aggregate(**full)).iloc[0].fillna(0).to_numpy(), index=list(cores))


def _answers(rows: ir.Table, products: Table | None, period: Period) -> pd.DataFrame:
    """Products launched in the period that a need's searches click: how many, and the day of the first."""
    empty = pd.DataFrame(
        {
            "head": pd.Series(dtype="str"),
            "n_new_products": pd.Series(dtype="float64"),
            "met_on": pd.Series(dtype="object"),
        }
    )
    if products is None or engine.is_empty(products, "launched_at"):
        return empty
    table = engine.as_table(products)
    day = table["launched_at"].cast("date")
    new = table.select(new_id=table["product_id"].cast("string"), launched_on=day).filter(
        _.launched_on.between(ibis.literal(period.start), ibis.literal(period.end))
    )
    clicked = rows.select("head", clicked=rows["clicked_product_id"].cast("string")).distinct()
    joined = clicked.inner_join(new, clicked["clicked"] == new["new_id"])
    found = engine.grouped(joined, "head", n_new_products=joined.count(), met_on=joined["launched_on"].min())
    return found if len(found) else empty


def _in_words(needs: pd.DataFrame, named: pd.DataFrame, queries: pd.DataFrame) -> pd.DataFrame:
    """Needs under their most typed query; other queries beside it where enough people typed them."""
    typed = named.merge(queries[["text", "n_visits", "n_people"]], on="text").sort_values(
        ["n_visits", "text"], ascending=[False, True], kind="stable"
    )
    members = typed.groupby("head")["text"].apply(list)
    often = (
        typed[(typed["n_visits"] >= MIN_VISITS) & (typed["n_people"] >= MINIMUM)].groupby("head")["text"].apply(list)
    )
    is_slip = needs["head"] == _SLIPS
    first = [often[head][0] if head in often.index else head for head in needs["head"]]
    out = needs.assign(
        need=np.where(is_slip, "misspelt words", [name.removeprefix(_UNCLICKED) for name in first]),
        query=["; ".join(often.get(head, [])[0 if head == _SLIPS else 1 :][:4]) for head in needs["head"]],
        n_queries=[len(members[head]) for head in needs["head"]],
        kind=np.select(
            [is_slip, needs["n_without_result"] * 2 >= needs["n_visits"]], [MISSPELT, NOT_FOUND], NOT_CLICKED
        ),
        n_new_products=needs["n_new_products"].fillna(0).astype("int64"),
        n_visits=needs["n_visits"].astype("int64"),
    )
    return out[list(_NEEDS)]
