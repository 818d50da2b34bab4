"""Pairs of our and competitors' products that are worth comparing, and how far each pair agrees, all in the engine."""

from __future__ import annotations

from functools import reduce

import ibis
import ibis.expr.types as ir
from ibis import _

from opslib import engine
from opslib.metrics.blocks import Table, require_columns
from opslib.stats.linkage import MISSING
from opslib.stats.texts import measures_of, plain_text, words_of

THEIRS = ("competitor", "competitor_product_id")
#: Levels of each compared feature; name first, since that is where variants differ.
FEATURES = {"name": 5, "measures": 3, "brand": 2, "attributes": 4, "price": 4}
TELLING = ("name", "measures", "price")
"""Where a variant (another size, another look) differs from the product itself."""
SIMILAR = (0.3, 0.5, 0.7, 0.9)
ALIKE = (0.01, 0.5, 0.8)
PRICE_STEPS = (0.5, 0.25, 0.1)
"""Ends of the levels: similarity of names, of attributes, and distance of log prices."""
RAREST_WORDS = 8
"""Words of a name that pairs are looked for by: at most 36 keys a product, whatever somebody wrote into a name."""
EDGE = 1e-9
"""What similarities may fall short of an end by rounding."""


def own_products(products: Table) -> ir.Table:
    """Our products: product_id, name, brand (plain), attributes (the texts of the ``attr_`` columns), price (float64)."""
    table = engine.as_table(products)
    require_columns(table, "product_id", "name", name="products")
    described = [
        ibis.literal(f" {name.removeprefix('attr_')} ").concat(table[name].fill_null(""))
        for name in table.columns
        if name.startswith("attr_") and table[name].type().is_string()
    ]
    attributes = reduce(lambda a, b: a.concat(b), described) if described else ibis.null("string")
    return _described(table, key=["product_id"], attributes=attributes)


def their_products(competitor_products: Table) -> ir.Table:
    """Competitors' products with the same columns under their key."""
    table = engine.as_table(competitor_products)
    require_columns(table, *THEIRS, "name", name="competitor_products")
    attributes = table["attributes"] if "attributes" in table.columns else ibis.null("string")
    return _described(table, key=list(THEIRS), attributes=attributes)


def _described(table: ir.Table, *, key: list[str], attributes: ir.StringValue) -> ir.Table:
    price = ibis.null("float64")
    if "price" in table.columns:
        price = (table["price"] > 0).ifelse(table["price"].cast("float64"), price)
    brand = plain_text(table["brand"]).nullif("") if "brand" in table.columns else ibis.null("string")
    return table.select(
        **{name: table[name].cast("string") for name in key},
        name="name",
        brand=brand,
        attributes=attributes,
        price=price,
    )


def _name_words(table: ir.Table, key: list[str]) -> ir.Table:
    """Words of the name that are not the product's own brand."""
    words = words_of(table, key=key, text="name")
    return words.anti_join(words_of(table, key=key, text="brand"), [*key, "word"])


def _with_rarity(own: ir.Table, theirs: ir.Table, *, n_items: int) -> tuple[ir.Table, ir.Table]:
    """Both sides' words with their inverse document frequency over both."""
    both = ibis.union(own.select("word"), theirs.select("word")).group_by("word").aggregate(n=_.count())
    rare = both.mutate(idf=(engine.ratio(ibis.literal(n_items), both["n"]) + 1.0).ln()).drop("n")
    return engine.held(own.inner_join(rare, "word")), engine.held(theirs.inner_join(rare, "word"))


def _keys(words: ir.Table, brands: ir.Table, key: list[str]) -> ir.Table:
    """What a product can be found by: its rarest words and brand, alone and two together."""
    order = ibis.window(group_by=key, order_by=[ibis.desc("idf"), "word"])
    rarest = words.mutate(place=ibis.row_number().over(order)).filter(_.place < RAREST_WORDS).select(*key, "word")
    named = brands.filter(brands["brand"].notnull()).select(*key, word=ibis.literal("=").concat(brands["brand"]))
    parts = ibis.union(rarest, named)
    other = parts.rename(second="word")
    two = parts.inner_join(other, key).filter(lambda t: t["word"] < t["second"])
    return ibis.union(parts, two.select(*key, word=two["word"].concat(" ", two["second"])))


def compared_pairs(own: ir.Table, theirs: ir.Table, *, n_items: int, max_block: int) -> ir.Table:
    """Pairs that share a key which few of our products have, with the level of each feature."""
    their_key = list(THEIRS)
    own_words, their_words = _with_rarity(
        _name_words(own, ["product_id"]), _name_words(theirs, their_key), n_items=n_items
    )
    own_keys, their_keys = _keys(own_words, own, ["product_id"]), _keys(their_words, theirs, their_key)
    few = own_keys.group_by("word").aggregate(n=_.count()).filter(_.n <= max_block)
    pairs = own_keys.semi_join(few, "word").inner_join(their_keys, "word").select("product_id", *THEIRS).distinct()
    own_attributes, their_attributes = _with_rarity(
        words_of(own, key=["product_id"], text="attributes"),
        words_of(theirs, key=their_key, text="attributes"),
        n_items=n_items,
    )
    out = pairs.left_join(_similarity(pairs, own_words, their_words).rename(name_share="similarity"), pairs.columns)
    out = out.select(pairs, "name_share")
    alike = _similarity(pairs, own_attributes, their_attributes)
    out = out.left_join(alike, pairs.columns).select(out, attributes_share=alike["similarity"])
    numbers = _number_agreement(pairs, own, theirs)
    out = out.left_join(numbers, pairs.columns).select(out, numbers["needed"], numbers["agreed"])
    left = own.select("product_id", own_brand="brand", own_price="price")
    right = theirs.select(*THEIRS, their_brand="brand", their_price="price", their_name=plain_text(theirs["name"]))
    return _levels(out.inner_join(left, "product_id").inner_join(right, their_key))


def _similarity(pairs: ir.Table, own: ir.Table, theirs: ir.Table) -> ir.Table:
    """Weighted Jaccard of two sets of words: the rarity they share over the rarity of all; missing where one has none."""
    mine = own.group_by("product_id").aggregate(own_total=_.idf.sum())
    other = theirs.group_by(list(THEIRS)).aggregate(their_total=_.idf.sum())
    same = pairs.inner_join(own, "product_id").inner_join(theirs.drop("idf"), [*THEIRS, "word"])
    shared = same.group_by(pairs.columns).aggregate(shared=_.idf.sum())
    totals = pairs.inner_join(mine, "product_id").inner_join(other, list(THEIRS))
    found = totals.left_join(shared, pairs.columns).select(totals, shared=shared["shared"].fill_null(0.0))
    union = found["own_total"] + found["their_total"] - found["shared"]
    return found.select(*pairs.columns, similarity=engine.ratio(found["shared"], union))


def _number_agreement(pairs: ir.Table, own: ir.Table, theirs: ir.Table) -> ir.Table:
    """Of the sizes and numbers in dimensions that both name: how many could agree, and how many do."""

    def measured(table: ir.Table, key: list[str]) -> ir.Table:
        told = table.mutate(told=table["name"].concat(" ", table["attributes"].fill_null("")))
        return measures_of(told, key=key, text="told")

    mine, other = measured(own, ["product_id"]), measured(theirs, list(THEIRS))
    n_mine = mine.group_by("product_id", "dimension").aggregate(n_own=_.count())
    n_other = other.group_by(*THEIRS, "dimension").aggregate(n_their=_.count())
    places = pairs.inner_join(n_mine, "product_id").inner_join(n_other, [*THEIRS, "dimension"])
    same = pairs.inner_join(mine, "product_id").inner_join(other, [*THEIRS, "dimension", "amount"])
    agreed = same.group_by(*pairs.columns, "dimension").aggregate(n_same=_.count())
    joined = places.left_join(agreed, [*pairs.columns, "dimension"]).select(places, agreed["n_same"])
    return joined.group_by(pairs.columns).aggregate(
        needed=ibis.least(_.n_own, _.n_their).sum(), agreed=_.n_same.fill_null(0).sum()
    )


def _levels(pairs: ir.Table) -> ir.Table:
    """Agreement in few levels, so that patterns can be counted; -1 where one side says nothing."""

    def steps(value: ir.NumericValue, ends: tuple[float, ...]) -> ir.IntegerValue:
        level = reduce(lambda a, b: a + b, [(value >= end - EDGE).ifelse(1, 0) for end in ends])
        return value.isnull().ifelse(MISSING, level)

    distance = (pairs["own_price"].ln() - pairs["their_price"].ln()).abs()
    is_named = (
        ibis.literal(" ").concat(pairs["their_name"], " ").contains(ibis.literal(" ").concat(pairs["own_brand"], " "))
    )
    brand = ibis.cases(
        ((pairs["own_brand"] == pairs["their_brand"]) | is_named, 1),
        (pairs["own_brand"].notnull() & pairs["their_brand"].notnull(), 0),
        else_=MISSING,
    )
    measures = ibis.cases(
        (pairs["needed"].isnull(), MISSING), (pairs["agreed"] >= pairs["needed"], 2), (pairs["agreed"] > 0, 1), else_=0
    )
    return pairs.select(
        "product_id", *THEIRS, name=steps(pairs["name_share"], SIMILAR), measures=measures, brand=brand,
        attributes=steps(pairs["attributes_share"], ALIKE), price=steps(-distance, tuple(-end for end in PRICE_STEPS)),
    )  # fmt: skip
