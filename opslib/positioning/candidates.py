"""Blocking and comparison for product matching: candidate pairs and how far each agrees, all in the engine."""

from __future__ import annotations

from functools import reduce
from operator import add

import ibis
import ibis.expr.types as ir
from ibis import _

from opslib import engine
from opslib.metrics.blocks import Table, require_table_columns
from opslib.stats.linkage import MISSING
from opslib.stats.texts import measures_of, plain_text, words_of

OURS, THEIRS = ["product_id"], ("competitor", "competitor_product_id")
DIMENSIONS = ("volume", "mass", "length", "number")
FIELDS = ("name", "attributes", *DIMENSIONS)
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
    require_table_columns(table, "product_id", "name", name="products")
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
    require_table_columns(table, *THEIRS, "name", name="competitor_products")
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


def compared_pairs(own: ir.Table, theirs: ir.Table, *, n_items: int, max_block: int) -> ir.Table:
    """Pairs that share a key which few of our products have, with the level of each feature.

    Every product is a set of tokens (words of the name, words of the attributes, sizes), so one join on tokens gives all that
    two products share.
    """
    ours, others = _weighted(_tokens(own, OURS), _tokens(theirs, list(THEIRS)), n_items=n_items)
    own_keys, their_keys = _keys(ours, own, OURS), _keys(others, theirs, list(THEIRS))
    few = own_keys.group_by("key").aggregate(n=_.count()).filter(_.n <= max_block)
    pairs = own_keys.semi_join(few, "key").inner_join(their_keys, "key").select(*OURS, *THEIRS).distinct()
    same = pairs.inner_join(ours, OURS).inner_join(others.drop("weight"), [*THEIRS, "field", "token"])
    shared = same.group_by([*OURS, *THEIRS]).aggregate(**_sums(same, "shared"))
    out = pairs.inner_join(_profile(ours, own, OURS, side="own"), OURS)
    out = out.inner_join(_profile(others, theirs, list(THEIRS), side="their"), list(THEIRS))
    return _levels(out.left_join(shared, [*OURS, *THEIRS]).select(out, *(f"{field}_shared" for field in FIELDS)))


def _tokens(table: ir.Table, key: list[str]) -> ir.Table:
    """What each product is told by: field and token; its own brand's words are not part of its name."""
    name = words_of(table, key=key, text="name").anti_join(words_of(table, key=key, text="brand"), [*key, "word"])
    told = table.mutate(told=table["name"].concat(" ", table["attributes"].fill_null("")))
    sizes = measures_of(told, key=key, text="told")
    return ibis.union(
        name.select(*key, field=ibis.literal("name"), token=name["word"]),
        words_of(table, key=key, text="attributes").select(*key, field=ibis.literal("attributes"), token=_.word),
        sizes.select(*key, field=sizes["dimension"], token=sizes["amount"].cast("string")),
    )


def _weighted(own: ir.Table, theirs: ir.Table, *, n_items: int) -> tuple[ir.Table, ir.Table]:
    """Both sides' tokens with their weight: rarity over both (inverse document frequency) of words, one of sizes."""
    both = ibis.union(own.select("field", "token"), theirs.select("field", "token"))
    counted = both.group_by("field", "token").aggregate(n=_.count())
    rarity = (engine.ratio(ibis.literal(n_items), counted["n"]) + 1.0).ln()
    is_size = counted["field"].isin(DIMENSIONS)
    weights = counted.mutate(weight=is_size.ifelse(ibis.literal(1).cast("float64"), rarity)).drop("n")
    return tuple(engine.held(side.inner_join(weights, ["field", "token"])) for side in (own, theirs))  # type: ignore[return-value]


def _keys(tokens: ir.Table, brands: ir.Table, key: list[str]) -> ir.Table:
    """What a product can be found by: the rarest words of its name and its brand, alone and two together."""
    order = ibis.window(group_by=key, order_by=[ibis.desc("weight"), "token"])
    named = tokens.filter(tokens["field"] == "name").mutate(place=ibis.row_number().over(order))
    rarest = named.filter(named["place"] < RAREST_WORDS).select(*key, key=_.token)
    brand = brands.filter(brands["brand"].notnull()).select(*key, key=ibis.literal("=").concat(brands["brand"]))
    parts = ibis.union(rarest, brand)
    two = parts.inner_join(parts.rename(second="key"), key).filter(_.key < _.second)
    return ibis.union(parts, two.select(*key, key=two["key"].concat(" ", two["second"])))


def _sums(tokens: ir.Table, side: str) -> dict[str, ir.FloatingValue]:
    """Weight of each field's tokens."""
    return {f"{field}_{side}": tokens["weight"].sum(where=tokens["field"] == field).fill_null(0.0) for field in FIELDS}


def _profile(tokens: ir.Table, table: ir.Table, key: list[str], *, side: str) -> ir.Table:
    """One row a product: brand, price, plain name, and the weight of each field."""
    sums = tokens.group_by(key).aggregate(**_sums(tokens, side))
    told = {f"{field}_{side}": sums[f"{field}_{side}"].fill_null(0.0) for field in FIELDS}
    plain = {
        f"brand_{side}": table["brand"],
        f"price_{side}": table["price"],
        f"text_{side}": plain_text(table["name"]),
    }
    return table.left_join(sums, key).select(*(table[name] for name in key), **plain, **told)


def _levels(pairs: ir.Table) -> ir.Table:
    """Agreement in few levels, so that patterns can be counted; -1 where one side says nothing."""

    def of(field: str, side: str) -> ir.FloatingValue:
        return pairs[f"{field}_{side}"].fill_null(0.0)

    def similarity(field: str) -> ir.FloatingValue:
        """Weighted Jaccard: the rarity that both share over the rarity of all."""
        share = engine.ratio(of(field, "shared"), of(field, "own") + of(field, "their") - of(field, "shared"))
        return ((of(field, "own") > 0) & (of(field, "their") > 0)).ifelse(share, ibis.null("float64"))

    def steps(value: ir.NumericValue, ends: tuple[float, ...]) -> ir.IntegerValue:
        level = reduce(add, [(value >= end - EDGE).ifelse(1, 0) for end in ends])
        return value.isnull().ifelse(MISSING, level)

    needed = reduce(add, [ibis.least(of(name, "own"), of(name, "their")) for name in DIMENSIONS])
    agreed = reduce(add, [of(name, "shared") for name in DIMENSIONS])
    distance = (pairs["price_own"].ln() - pairs["price_their"].ln()).abs()
    blank = ibis.literal(" ")
    is_named = blank.concat(pairs["text_their"], " ").contains(blank.concat(pairs["brand_own"], " "))
    return pairs.select(
        *OURS, *THEIRS, name=steps(similarity("name"), SIMILAR),
        measures=ibis.cases((needed < 1, MISSING), (agreed >= needed, 2), (agreed > 0, 1), else_=0),
        brand=ibis.cases(
            ((pairs["brand_own"] == pairs["brand_their"]) | is_named, 1),
            (pairs["brand_own"].notnull() & pairs["brand_their"].notnull(), 0), else_=MISSING,
        ),
        attributes=steps(similarity("attributes"), ALIKE), price=steps(-distance, tuple(-end for end in PRICE_STEPS)),
    )  # fmt: skip
