"""Counts for perceptual maps of brands: words of their reviews, or what each brand is bought for."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.formats import format_number
from opslib.metrics.blocks import Table, paid, require_table_columns
from opslib.privacy import MINIMUM, redacted
from opslib.stats.correspondence import correspondence_map

#: Words that carry no judgement; shorter words than four letters are left out anyway.
STOP_WORDS = frozenset(
    "about after again also although been before being both cannot could does doing down each even ever every from have "
    "having here into itself just like made make makes many more most much only other over really same should some such than "
    "that their them then there these they thing things this those though through under until very want wanted well were what "
    "when where which while will with would your yours because little looks look didn doesn isn wasn aren couldn good great nice "
    "bought order ordered item product".split()
)
#: Reviews, or customers, that a group needs before it has a place on a map.
MIN_VOICES = 20
MOST_GROUPS, MOST_COLUMNS = 12, 16


def word_counts(reviews: Table, products: Table, *, n_words: int = 24) -> pd.DataFrame:
    """In how many reviews of each brand a telling word occurs.

    Parameters
    ----------
    reviews : table
        product_id, text.
    products : table
        product_id, brand.
    n_words : int
        Words kept: of those in at least one review in two hundred, the ones that tell brands apart most (largest
        contribution to chi-square).

    Returns
    -------
    pandas.DataFrame
        One row a brand with at least `MIN_VOICES` reviews, one column a word, reviews counted once a word. Empty where
        fewer than three brands or three words are left.

    Raises
    ------
    ParameterError
        If ``n_words`` is below 3.

    Examples
    --------
    >>> said = ["sturdy oak frame"] * 20 + ["soft warm wool"] * 20 + ["cheap price soft"] * 20
    >>> reviews = pd.DataFrame({"product_id": ["a"] * 20 + ["b"] * 20 + ["c"] * 20, "text": said})
    >>> products = pd.DataFrame({"product_id": list("abc"), "brand": ["A", "B", "C"]})
    >>> word_counts(reviews, products)["soft"].tolist()
    [0, 20, 20]
    """
    if n_words < 3:
        raise ParameterError(f"n_words: {n_words} is too few for a map; at least 3")
    said = engine.as_table(reviews)
    require_table_columns(said, "product_id", "text", name="reviews")
    catalogue = engine.as_table(products)
    require_table_columns(catalogue, "product_id", "brand", name="products")
    if engine.is_empty(said) or engine.is_empty(catalogue, "brand"):
        return pd.DataFrame()
    labels = catalogue.select("product_id", group=catalogue["brand"])
    texts = said.filter(said["text"].notnull()).inner_join(labels, "product_id")
    texts = texts.filter(texts["group"].notnull())
    sizes = engine.grouped(texts, "group", n=texts.count())
    sizes = sizes[sizes["n"] >= MIN_VOICES]
    if len(sizes) < 3:
        return pd.DataFrame()
    said_words = redacted(texts["text"].cast("string")).lower().re_replace(r"[^a-zà-ÿ]+", " ").split(" ").unique()
    words = texts.select("group", word=said_words.unnest())
    words = words.filter((words["word"].length() >= 4) & words["word"].notin(sorted(STOP_WORDS)))
    counts = words.group_by("group", "word").aggregate(n=words.count())
    least = max(int(sizes["n"].sum() // 200), 2)
    frequent = counts.group_by("word").aggregate(total=counts["n"].sum())
    frequent = frequent.filter(frequent["total"] >= least)
    found = engine.collect(counts.semi_join(frequent, "word").order_by(["group", "word"]))
    return _telling(found, sizes, n_words)


def buyer_counts(order_lines: Table, products: Table) -> pd.DataFrame:
    """What each brand (or supplier) is bought for: customers by the category that they buy most of it.

    Parameters
    ----------
    order_lines : table
        product_id, customer_id; with status, only paid lines.
    products : table
        product_id, category, and brand or supplier: of the two the first that makes a table.

    Returns
    -------
    pandas.DataFrame
        One row a group (of the `MOST_GROUPS` with the most customers), one column a category (of the `MOST_COLUMNS` that
        tell groups apart most): customers, each counted once a group, where they bought most lines of it (the first by
        name of equals). Empty where fewer than three groups or three columns are left.

    Examples
    --------
    >>> lines = pd.DataFrame([(f"{n}", p) for p in "abc" for n in range(30)], columns=["customer_id", "product_id"])
    >>> products = pd.DataFrame({"product_id": list("abc"), "brand": list("ABC"), "category": ["tea", "mug", "pot"]})
    >>> buyer_counts(lines, products)["tea"].tolist()
    [30, 0, 0]
    """
    lines, catalogue = paid(order_lines), engine.as_table(products)
    require_table_columns(lines, "product_id", "customer_id", name="order_lines")
    there = [name for name in ("brand", "supplier") if not engine.is_empty(catalogue, name)]
    if not there or engine.is_empty(catalogue, "category") or engine.is_empty(lines, "customer_id"):
        return pd.DataFrame()
    require_table_columns(catalogue, "product_id", name="products")
    lines = lines.filter(lines["customer_id"].notnull()).select("product_id", "customer_id")
    tables = (_buyers(lines, catalogue, by=name) for name in there)
    return next((table for table in tables if len(table)), pd.DataFrame())


def _buyers(lines: ir.Table, catalogue: ir.Table, *, by: str) -> pd.DataFrame:
    """Customers of each group by what they buy most of it; empty where too few groups are left."""
    groups, values = (catalogue[name].cast("string") for name in (by, "category"))
    labels = catalogue.select("product_id", group=groups, word=values).drop_null(["group", "word"])
    bought = lines.inner_join(labels, "product_id")
    sizes = bought.group_by("group").aggregate(n=bought["customer_id"].nunique())
    sizes = engine.collect(sizes.order_by(sizes["n"].desc(), "group").limit(MOST_GROUPS))
    sizes = sizes[sizes["n"] >= MIN_VOICES].sort_values("group")
    if len(sizes) < 3:
        return pd.DataFrame()
    kept = bought.filter(bought["group"].isin(sizes["group"].tolist()))
    each = kept.group_by("customer_id", "group", "word").aggregate(n=kept.count())
    first = ibis.window(group_by=("customer_id", "group"), order_by=(each["n"].desc(), each["word"]))
    most = each.mutate(place=ibis.row_number().over(first))
    most = most.filter(most["place"] == 0)
    return _telling(engine.grouped(most, ["group", "word"], n=most.count()), sizes, MOST_COLUMNS)


def _telling(found: pd.DataFrame, sizes: pd.DataFrame, n_words: int) -> pd.DataFrame:
    """The table of groups and words, with the words that tell the groups apart."""
    kept = found[found["group"].isin(sizes["group"])]
    table = kept.pivot_table(index="group", columns="word", values="n", aggfunc="sum", fill_value=0)
    if min(table.shape) < 3:
        return pd.DataFrame()
    counts = table.to_numpy(dtype="float64")
    expected = np.outer(sizes.set_index("group")["n"].loc[table.index], counts.sum(axis=0)) / sizes["n"].sum()
    telling = ((counts - expected) ** 2 / expected).sum(axis=0)
    order = np.lexsort((table.columns.to_numpy(), -telling))[:n_words]
    chosen = table.iloc[:, np.sort(order)]
    chosen = chosen.loc[chosen.sum(axis=1) > 0]
    return chosen.astype("int64").rename_axis(index=None, columns=None) if min(chosen.shape) >= 3 else pd.DataFrame()


def perception_counts(reviews: Table, products: Table, order_lines: Table) -> tuple[pd.DataFrame, str]:
    """What sets brands apart: words of their reviews; without reviews, what each customer buys most of them.

    Parameters
    ----------
    reviews, products, order_lines : table
        As for `word_counts` and `buyer_counts`; empty where the shop has none.

    Returns
    -------
    (pandas.DataFrame, {"themes", "categories"})
        The counts, empty where neither makes a table, and what its columns are.

    Examples
    --------
    >>> said = pd.DataFrame({"product_id": ["a"] * 20 + ["b"] * 20 + ["c"] * 20,
    ...     "text": ["sturdy oak frame"] * 20 + ["soft warm wool"] * 20 + ["cheap price soft"] * 20})
    >>> products = pd.DataFrame({"product_id": list("abc"), "brand": ["A", "B", "C"]})
    >>> counts, columns = perception_counts(said, products, pd.DataFrame())
    >>> len(counts), columns
    (3, 'themes')
    """
    if not engine.is_empty(reviews) and not engine.is_empty(products, "brand"):
        return word_counts(reviews, products), "themes"
    return buyer_counts(order_lines, products), "categories"


def told_apart(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts where brands differ in them by more than chance, else none of their rows.

    Parameters
    ----------
    counts : pandas.DataFrame
        From `perception_counts`.

    Returns
    -------
    pandas.DataFrame

    Examples
    --------
    >>> counts = pd.DataFrame({"sturdy": [30, 10], "soft": [10, 30]}, index=["Oakmere", "Larkspun"])
    >>> len(told_apart(counts)), len(told_apart(counts // counts))
    (2, 0)
    """
    return counts if correspondence_map(counts).n_axes_beyond_chance else counts.head(0)


def brand_words(counts: pd.DataFrame, *, n_words: int = 3) -> pd.DataFrame:
    """The words that set each brand apart, each with its lift: how many times as often as of all brands together.

    Parameters
    ----------
    counts : pandas.DataFrame
        From `perception_counts`: one row a brand, one column a word or category.
    n_words : int
        Words a brand.

    Returns
    -------
    pandas.DataFrame
        brand, n_mentions (of all words counted), top_lift (of its first word), words ("sturdy 2.1x, oak 1.4x": those said of it
        beyond its share by two standard errors, ten times or more, largest lift first). Largest first lift first; brands
        without such a word are left out.

    Examples
    --------
    >>> counts = pd.DataFrame({"sturdy": [30, 10], "soft": [10, 30]}, index=["Oakmere", "Larkspun"])
    >>> brand_words(counts)[["brand", "words"]].values.tolist()
    [['Larkspun', 'soft 1.5x'], ['Oakmere', 'sturdy 1.5x']]
    """
    if not counts.size:
        return pd.DataFrame(columns=["brand", "n_mentions", "top_lift", "words"])
    seen = counts.to_numpy(dtype="float64")
    rows, columns, total = seen.sum(axis=1, keepdims=True), seen.sum(axis=0, keepdims=True), seen.sum()
    expected = rows * columns / total
    spread = np.sqrt(expected * (1 - rows / total) * (1 - columns / total))  # Haberman's adjusted residual
    with np.errstate(divide="ignore", invalid="ignore"):
        is_clear = (seen - expected > 2 * spread) & (seen >= MINIMUM)
        lift = np.where(is_clear, seen / expected, np.nan)
    long = pd.DataFrame(lift, index=counts.index, columns=counts.columns).rename_axis("brand").reset_index()
    long = long.melt("brand", var_name="word", value_name="lift").dropna(subset=["lift"])
    long = long.sort_values(["brand", "lift", "word"], ascending=[True, False, True]).groupby("brand").head(n_words)
    long["words"] = [
        f"{word} {format_number(value, step=0.1)}x" for word, value in zip(long["word"], long["lift"], strict=True)
    ]
    out = long.groupby("brand", as_index=False).agg(top_lift=("lift", "first"), words=("words", ", ".join))
    out.insert(1, "n_mentions", counts.sum(axis=1).reindex(out["brand"]).to_numpy())
    return out.sort_values(["top_lift", "brand"], ascending=[False, True], ignore_index=True)
