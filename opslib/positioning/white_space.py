"""White space: zero-result and badly served searches by theme, in visits and money, with uncertain ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _
from scipy.stats import binom
from scipy.stats import norm as normal

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, day_of, line_revenue, paid, require_table_columns
from opslib.periods import Period
from opslib.privacy import MINIMUM, redacted
from opslib.stats.estimates import Estimate
from opslib.stats.multiplicity import adjusted
from opslib.stats.ranks import count_draws, top_shares
from opslib.stats.shares import share
from opslib.stats.texts import plain_text, words_of
from opslib.suppression import counted

MONTH_DAYS = 365.25 / 12
MIN_VISITS = 10
"""Visits that a query or a theme needs before it is shown."""
MOST_QUERIES, MOST_THEMES = 20_000, 50
MISSED_AT = 0.05
"""False-discovery rate at which a query's clicks are called fewer than those of other queries with results."""
FILLERS = frozenset("and for from in of on the to with without".split())
N_DRAWS = 4_000


_UNKNOWN_SHARE = Estimate(value=math.nan, lower=math.nan, upper=math.nan, n=0, unit="share", method="no search")
_THEMES = (
    "theme", "query", "n_queries", "n_visits", "n_people", "n_without_result", "n_products", "visits_per_month", "worth_amount",
    "worth_amount_lower", "worth_amount_upper", "top_three_share",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetSearches:
    """Zero-result and badly served searches by theme.

    Parameters
    ----------
    themes : pandas.DataFrame
        theme (its most typed query), query (the others, most typed first), n_queries, n_visits (whose search failed), n_people (behind them),
        n_without_result (of those, to no result at all), n_products (of ours whose name
        has all words that half of the theme's searches share: then search may be at fault, not the offer), visits_per_month (beyond what clicks show as met), worth_amount, worth_amount_lower,
        worth_amount_upper (a month; missing where ``visit_value`` is), top_three_share (chance of being among the best three).
        Best first.
    unmet_share : Estimate
        Share of searches that failed (no result, and nothing found by another search of the visit), or of a query that is clicked
        clearly less than others; searches as units.
    visit_value : Estimate or None
        What a visit that found what it searched for brings beyond one that did not; None where orders name no visit.
    is_margin : bool
        Whether that is margin (cost is known of every line) or revenue.
    """

    themes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_THEMES)))
    unmet_share: Estimate = _UNKNOWN_SHARE
    visit_value: Estimate | None = None
    is_margin: bool = False

    @property
    def is_worth(self) -> bool:
        """Whether visits that found something are seen to bring more than those that did not."""
        return self.visit_value is not None and self.visit_value.value > 0


def unmet_searches(
    searches: Table,
    *,
    period: Period,
    order_lines: Table | None = None,
    products: Table | None = None,
    sessions: Table | None = None,
    unit: str = "money",
    seed: int = 0,
) -> UnmetSearches:
    """Group searches that found nothing by theme, and weigh the themes in money.

    A theme is the word that most unmet visits share, then the word that most of the rest share, and so on. Its visits are
    multiplied by what success is worth: revenue (margin, where known) of visits whose search led to a click, less that of
    visits whose search failed. So what visitors who failed buy anyway does not count.

    Parameters
    ----------
    searches : table
        search_id, searched_at, query; n_results or clicked_product_id, better both; session_id where known.
    period : Period
        Days that count.
    order_lines : table or None
        With ``session_id``, for money.
    products : table or None
        product_id and name, to see which themes we have products of.
    sessions : table or None
        session_id and visitor_id, to count the people behind visits; without it each visit counts as one.
    unit : str
        Currency of the money.
    seed : int
        For the draws behind intervals of themes (searches Poisson, value of a visit normal) and ranks.

    Returns
    -------
    UnmetSearches

    Raises
    ------
    ParameterError
        If neither results nor clicks are recorded, or there is no search in the period.

    Examples
    --------
    >>> rows = [("air fryer", 0)] * 30 + [("small airfryer", 0)] * 12 + [("mug", 5)] * 60
    >>> log = pd.DataFrame(rows, columns=["query", "n_results"])
    >>> log["search_id"], log["searched_at"] = log.index.astype(str), pd.Timestamp("2026-03-02")
    >>> found = unmet_searches(log, period=Period.parse("2026-03-01", "2026-03-31"))
    >>> found.themes[["theme", "query", "n_visits"]].values.tolist()
    [['air fryer', 'small airfryer', 42]]
    """
    rows = _searched(searches, period, sessions)
    is_told = any(not engine.is_empty(searches, name) for name in ("n_results", "clicked_product_id"))
    queries = _queries(rows)
    if not len(queries) or not is_told:
        return UnmetSearches()
    products = None if products is None or engine.is_empty(products, "name") else products
    order_lines = None if order_lines is None or engine.is_empty(order_lines, "session_id") else order_lines
    queries, click_share = _unmet_queries(queries)
    named, cores = _themes(queries, _query_words(rows))
    failed = rows.filter(rows["is_zero_result"] | rows["text"].isin(queries.loc[queries["is_missed"], "text"].tolist()))
    visits = _theme_visits(failed, named, click_share)
    value, is_margin = _visit_value(rows, failed, order_lines, unit=unit) if order_lines is not None else (None, False)
    weighed = _weighed(visits, value, factor=MONTH_DAYS / period.n_days, seed=seed)
    total, n_failed = (int(engine.collect(t.aggregate(n=t.count()))["n"].iloc[0]) for t in (rows, failed))
    themes = weighed.assign(n_products=_offered(products, cores).reindex(weighed["head"]).to_numpy())
    return UnmetSearches(
        themes=counted(_in_words(themes, named, queries), "n_people", by=["theme"]),
        unmet_share=share(n_failed, total),
        visit_value=value,
        is_margin=is_margin,
    )


def _searched(searches: Table, period: Period, sessions: Table | None) -> ir.Table:
    """Searches of the period: search_id, visit, person, text, n_results, is_clicked, is_zero_result (no result, and the visit clicked none)."""
    table = engine.as_table(searches)
    require_table_columns(table, "search_id", "searched_at", "query", name="searches")
    if not {"n_results", "clicked_product_id"} & set(table.columns):
        raise ParameterError("searches: without n_results and clicked_product_id nobody can say which searches failed")
    inside = table.filter(day_of(table, "searched_at").between(ibis.literal(period.start), ibis.literal(period.end)))
    visit = [inside["session_id"].cast("string")] if not engine.is_empty(inside, "session_id") else []
    clicked = inside["clicked_product_id"].notnull() if "clicked_product_id" in inside.columns else ibis.null("boolean")
    rows = inside.select(
        search_id=inside["search_id"].cast("string"), text=plain_text(redacted(inside["query"].cast("string"))),
        visit=ibis.coalesce(*visit, ibis.literal("search ").concat(inside["search_id"].cast("string"))),
        n_results=inside["n_results"] if "n_results" in inside.columns else ibis.null("int64"), is_clicked=clicked,
    )  # fmt: skip
    typed = rows.filter(rows["text"] != "").mutate(person=_["visit"])
    if sessions is not None and not engine.is_empty(sessions, "visitor_id"):
        known = engine.as_table(sessions).select(seen="session_id", visitor="visitor_id").distinct(on="seen")
        joined = typed.left_join(known, typed["visit"] == known["seen"])
        typed = joined.mutate(person=ibis.coalesce(_.visitor, _.visit)).drop("seen", "visitor")
    helped = engine.flag(typed["is_clicked"]).max().over(ibis.window(group_by="visit"))
    return engine.held(typed.mutate(is_zero_result=(typed["n_results"] == 0) & (helped == 0)))


def _queries(rows: ir.Table) -> pd.DataFrame:
    """The most typed queries: visits, searches with and without result, and clicks."""
    counted = rows.group_by("text").aggregate(
        n_visits=rows["visit"].nunique(),
        n_people=rows["person"].nunique(),
        n_none=engine.flag(rows["is_zero_result"]).sum(),
        n_some=engine.flag((rows["n_results"] > 0) | rows["n_results"].isnull()).sum(),
        n_clicked=engine.flag(rows["is_clicked"]).sum(),
        n_known=engine.flag(rows["is_clicked"].notnull()).sum(),
    )
    return engine.collect(counted.order_by([ibis.desc("n_visits"), "text"]).limit(MOST_QUERIES))


def _unmet_queries(queries: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Unmet searches of each query, and the share of searches with results that are clicked (1 where unrecorded)."""
    can_click = queries["n_known"].sum() > 0 and queries["n_clicked"].sum() > 0
    some, clicked = queries["n_some"].sum(), queries["n_clicked"].sum()
    click_share = min(float(clicked / some), 1.0) if can_click and some else 1.0
    out = queries.assign(is_missed=False)
    tested = out["n_some"] > 0
    if can_click and tested.any():
        p = binom.cdf(out.loc[tested, "n_clicked"], out.loc[tested, "n_some"], click_share)
        judged = adjusted(dict(enumerate(p)), method="benjamini_hochberg", alpha=MISSED_AT)
        out.loc[tested, "is_missed"] = judged["is_rejected"].to_numpy()
    met = out["n_clicked"] / click_share
    out["unmet"] = out["n_none"] + np.where(out["is_missed"], np.maximum(out["n_some"] - met, 0), 0)
    return out, click_share


def _query_words(rows: ir.Table) -> pd.DataFrame:
    """Words of the queries that found nothing or little."""
    texts = rows.group_by("text").aggregate(n=rows.count())
    most = texts.order_by([ibis.desc("n"), "text"]).limit(MOST_QUERIES).select("text", name="text")
    return engine.collect(
        words_of(most, key=["text"], text="name").order_by("text", "word"), max_rows=20 * MOST_QUERIES
    )


def _themes(queries: pd.DataFrame, words: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The theme of each unmet query (head: the word that unites it, text), the largest first, and each theme's main words."""
    unmet = queries[queries["unmet"] > 0][["text", "unmet"]]
    pairs = {a + b: (a, b) for text in unmet["text"] for a, b in pairwise(text.split())}
    split = words["word"].map(lambda word: pairs.get(word, (word,)))
    known = words.assign(word=split).explode("word").drop_duplicates().merge(unmet, on="text")
    known = known[~known["word"].isin(FILLERS)]
    cores: dict[str, list[str]] = {}
    found = [pd.DataFrame(columns=["text", "head"])]
    while len(known) and len(cores) < MOST_THEMES:
        totals = known.groupby("word")["unmet"].sum()
        head = str(totals.sort_index().idxmax())
        if totals[head] < MIN_VISITS:
            break
        is_member = known["text"].isin(known.loc[known["word"] == head, "text"])
        inside = known[is_member].groupby("word")["unmet"].sum()
        cores[head] = sorted(inside.index[inside >= totals[head] / 2])
        found.append(pd.DataFrame({"text": sorted(set(known.loc[is_member, "text"])), "head": head}))
        known = known[~is_member]
    return pd.concat(found, ignore_index=True), cores


def _theme_visits(failed: ir.Table, named: pd.DataFrame, click_share: float) -> pd.DataFrame:
    """Different visits of each theme, and how many of them were met after all."""
    columns = ["head", "n_visits", "n_people", "n_without_result", "n_clicked", "excess", "variance"]
    if not len(named):
        return pd.DataFrame(columns=columns)
    heads = failed["text"].cases(*zip(named["text"], named["head"], strict=True), else_=ibis.null("string"))
    visits = failed.mutate(head=heads).filter(_["head"].notnull()).group_by("head", "visit")
    one = visits.aggregate(
        nothing=_.n_results.max() == 0, clicked=engine.flag(failed["is_clicked"]).max(), person=failed["person"].min()
    )
    sums = {"n_without_result": engine.flag(one["nothing"]).sum().cast("int64"), "n_clicked": one["clicked"].sum()}
    counted = engine.grouped(one, "head", n_visits=one.count(), n_people=one["person"].nunique(), **sums)
    counted["excess"] = np.maximum(counted["n_visits"] - counted["n_clicked"] / click_share, 0)
    counted["variance"] = counted["n_visits"] + counted["n_clicked"] * (1 / click_share**2 - 2 / click_share)
    return counted[
        (counted["n_visits"] >= MIN_VISITS) & (counted["n_people"] >= MINIMUM) & (counted["excess"] > 0)
    ].reset_index(drop=True)


def _visit_value(rows: ir.Table, failed: ir.Table, order_lines: Table, *, unit: str) -> tuple[Estimate | None, bool]:
    """Mean amount of visits whose search led to a click (a result, where clicks are unknown) less that of failed ones."""
    lines = paid(order_lines)
    if "session_id" not in lines.columns:
        return None, False
    bought, is_margin = amounts_of(lines, ["session_id"])
    success = ibis.coalesce(rows["is_clicked"], rows["n_results"] > 0)
    visits = rows.group_by("visit").aggregate(is_met=engine.flag(success).max())
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


def amounts_of(lines: ir.Table, keys: list[str]) -> tuple[ir.Table, bool]:
    """Margin of each key (revenue, where some line's cost is unknown), and whether it is margin."""
    revenue = line_revenue(lines)
    has_cost = "cost_amount" in lines.columns
    unknown = (
        engine.collect(lines.aggregate(n=lines["cost_amount"].isnull().sum()))["n"].fillna(1).iloc[0] if has_cost else 1
    )
    is_margin = not bool(unknown)
    amount = (revenue - lines["cost_amount"].cast("decimal(18, 4)")) if is_margin else revenue
    rows = lines.mutate(amount=amount).filter(_[keys[0]].notnull())
    return rows.group_by(keys).aggregate(amount=_.amount.sum().cast("float64")), is_margin


def _weighed(counted: pd.DataFrame, value: Estimate | None, *, factor: float, seed: int) -> pd.DataFrame:
    """Visits a month, money and ranks by draws: searches vary as counts do, the value of a visit is shared by all themes."""
    draws = np.random.default_rng(seed)
    mean = counted["excess"].to_numpy(dtype="float64")
    counts = count_draws(mean, counted["variance"].to_numpy(), n_draws=N_DRAWS, generator=draws)
    out = counted.assign(visits_per_month=mean * factor)
    worth = np.full_like(counts, np.nan)
    if value is not None and value.std_error is not None:
        worth = counts * draws.normal(value.value, value.std_error, size=(N_DRAWS, 1)) * factor
    out["worth_amount"] = np.nan if value is None else mean * value.value * factor
    out["worth_amount_lower"], out["worth_amount_upper"] = np.quantile(worth, [0.025, 0.975], axis=0)
    # The value of a visit is the same for all themes, so it cannot change their order.
    out["top_three_share"] = top_shares(counts)
    return out.sort_values(["excess", "head"], ascending=[False, True], ignore_index=True)


def _offered(products: Table | None, cores: dict[str, list[str]]) -> pd.Series:
    """Products of ours whose name has all main words of a theme."""
    if products is None or not cores:
        return pd.Series(dtype="float64")
    table = engine.as_table(products)
    require_table_columns(table, "product_id", "name", name="products")
    words = words_of(table, key=["product_id"], text="name")
    has = {f"n_{n}": engine.flag(words["word"].isin(core)).sum() for n, core in enumerate(cores.values())}
    each = words.group_by("product_id").aggregate(**has)
    full = {f"n_{n}": engine.flag(each[f"n_{n}"] == len(core)).sum() for n, core in enumerate(cores.values())}
    return pd.Series(engine.collect(each.aggregate(**full)).iloc[0].fillna(0).to_numpy(), index=list(cores))


def _in_words(themes: pd.DataFrame, named: pd.DataFrame, queries: pd.DataFrame) -> pd.DataFrame:
    """Themes under their most typed query; other queries beside it where enough people typed them."""
    typed = named.merge(queries[["text", "n_visits", "n_people"]], on="text").sort_values(
        ["n_visits", "text"], ascending=[False, True], kind="stable"
    )
    members = typed.groupby("head")["text"].apply(list)
    often = (
        typed[(typed["n_visits"] >= MIN_VISITS) & (typed["n_people"] >= MINIMUM)].groupby("head")["text"].apply(list)
    )
    out = themes.assign(
        theme=[often[head][0] if head in often.index else head for head in themes["head"]],
        query=["; ".join(often.get(head, [])[1:5]) for head in themes["head"]],
        n_queries=[len(members[head]) for head in themes["head"]],
    )
    return out[list(_THEMES)]
