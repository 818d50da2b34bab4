"""A demo shop for the positioning tests, made once, and a hand-made market of noisy names."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd

from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop

_kept: list[Any] = []
NOUNS = (
    "kettle",
    "mug",
    "tray",
    "lamp shade",
    "rug",
    "planter",
    "soap dish",
    "bowl",
    "clock",
    "bench",
    "cushion",
    "basket",
)
LOOKS = ("amber", "slate", "willow", "chalk", "heron", "copper", "meadow", "pebble", "russet", "linen")
MATERIALS, BRANDS, COLOURS = (
    ("oak", "glass", "wool", "tin"),
    ("Nord", "Ost", "West & Co", "Sud"),
    ("red", "blue", "sand"),
)


@functools.cache
def demo() -> tuple[dict[str, ibis.Table], dict[str, Any], pd.DataFrame]:
    """Tables of the demo shop, its truth, and its true matches."""
    folder = tempfile.TemporaryDirectory(prefix="opslib-positioning-")
    _kept.append(folder)
    made = simulate_shop(Path(folder.name) / "demo", config=preset("demo"))
    connection = ibis.duckdb.connect()
    names = (
        "products",
        "competitor_products",
        "competitor_prices",
        "searches",
        "sessions",
        "reviews",
        "returns",
        "survey_answers",
        "order_lines",
        "events",
        "stock_levels",
        *("ad_spend", "customers", "experiments", "pages", "returns", "sessions"),  # for channels and content
    )
    tables = {name: connection.read_parquet(str(made / name / "*.parquet"), table_name=name) for name in names}
    matches = pd.read_parquet(made / "truth" / "matches").astype(str)
    return tables, json.loads((made / "truth.json").read_text()), matches


def noisy_market(*, seed: int, n: int = 300) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Our products, a competitor's, and the true pairs: words dropped and turned round, brands, sizes and colours left out.

    Of the competitor's products two in three are ours; the others are variants: same brand and colour, another look or size.
    """
    draws = np.random.default_rng(seed)
    own = pd.DataFrame({
        "product_id": [f"p{i:03d}" for i in range(n)], "look": draws.choice(LOOKS, n), "material": draws.choice(MATERIALS, n),
        "noun": draws.choice(NOUNS, n), "size": np.round(np.exp(draws.normal(1, 0.7, n)), 1), "brand": draws.choice(BRANDS, n),
        "attr_colour": draws.choice(COLOURS, n), "price": np.exp(draws.normal(3, 0.5, n)),
    })  # fmt: skip
    rows, truth = [], []
    for i, r in own.iterrows():
        is_same = draws.random() < 2 / 3
        look, size = r["look"], r["size"]
        if not is_same:
            look, size = draws.choice([x for x in LOOKS if x != look]), round(size * draws.choice([1.0, 1.5]), 1)
        words = [word for word in (look, r["material"], *r["noun"].split()) if draws.random() > 0.1] or [r["noun"]]
        draws.shuffle(words)
        name = " ".join(words).upper() + (f", {size * 1000:.0f} ml" if draws.random() < 0.5 else "")
        brand, colour = r["brand"] if draws.random() > 0.3 else None, r["attr_colour"] if draws.random() > 0.4 else None
        price = r["price"] * np.exp(draws.normal(0, 0.1 if is_same else 0.2))
        rows.append(("A", f"a{i:03d}", name, brand, price, f"colour: {colour}" if colour else None))
        if is_same:
            truth.append(("A", f"a{i:03d}", r["product_id"]))
    own["name"] = own["look"] + " " + own["material"] + " " + own["noun"] + " " + own["size"].astype(str) + " l"
    theirs = pd.DataFrame(rows, columns=["competitor", "competitor_product_id", "name", "brand", "price", "attributes"])
    pairs = pd.DataFrame(truth, columns=["competitor", "competitor_product_id", "product_id"])
    return own[["product_id", "name", "brand", "attr_colour", "price"]], theirs, pairs
