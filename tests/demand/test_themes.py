"""Themes of complaints: planted themes of the demo, four kinds of writing, counts by a second road, and silence."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest

from opslib import engine
from opslib.demand import text_themes
from opslib.demand import themes as room
from opslib.periods import Period
from tests.conftest import real_data
from tests.positioning.market import demo

MARCH = Period.parse("2026-03-01", "2026-03-31")
YEAR = Period.parse("2025-11-01", "2026-10-31")


def written(*parts, seed=0, noise=("gift", "sister", "birthday", "kitchen", "garden", "summer")):
    """Reviews from (words, stars, how many): some of the words each, with a word that says nothing of the stars."""
    draws, rows = np.random.default_rng(seed), []
    for words, stars, count in parts:
        for _n in range(count):
            said = [*draws.choice(words.split(), min(3, len(words.split())), replace=False), str(draws.choice(noise))]
            rows.append((" ".join(said), stars))
    frame = pd.DataFrame(rows, columns=["text", "rating"]).assign(review_id=lambda t: [f"r{n:05d}" for n in t.index])
    return frame.assign(
        written_at=pd.Timestamp("2026-03-02") + pd.to_timedelta(draws.integers(0, 29, len(frame)), unit="D")
    )


GOOD = ("lovely parcel ribbon card wrapping paper", 5, 150)


def heads(found):
    return [set(words) for words in found.words.values()]


def test_two_complaints_are_two_themes_counted_in_every_text():
    reviews = written(("lid loose leaks dripping", 1, 80), ("colour faded wash pale", 2, 60), GOOD)
    found = text_themes(reviews, period=MARCH)
    assert heads(found) == [{"lid", "loose", "leaks", "dripping"}, {"colour", "faded", "wash", "pale"}]
    table = found.themes
    assert table[["n_complaints", "n_texts", "mean_rating", "low_share"]].values.tolist() == [
        [80, 80, 1.0, 1.0],
        [60, 60, 2.0, 1.0],
    ]
    # By a second road: texts that hold one of the words.
    has = reviews["text"].str.split().map(set)
    assert [int(has.map(lambda said, words=words: bool(said & words)).sum()) for words in heads(found)] == table[
        "n_texts"
    ].tolist()
    assert (found.n_texts, found.n_read) == (290, 290)
    assert found.agreement >= room.BEYOND_CHANCE


@pytest.mark.parametrize(("one", "other", "named"), [
    ("Deckel wackelt undicht tropft", "Farbe verblasst Wäsche blass", {"deckel", "wackelt", "undicht", "tropft"}),
    ("lid Deckel undicht leaks", "colour Farbe blass pale", {"lid", "deckel", "undicht", "leaks"}),
    ("👎 💔 🚮 😡", "colour faded wash pale", {"👎", "💔", "🚮", "😡"}),
], ids=["German", "mixed", "emoji"])  # fmt: skip
def test_themes_in_other_writing(one, other, named):
    found = text_themes(written((one, 1, 80), (other, 2, 60), GOOD), period=MARCH)
    assert named in heads(found)
    assert found.themes["n_texts"].tolist() == [80, 60]


def test_themes_of_a_script_without_blanks_are_pairs_of_letters():
    draws = np.random.default_rng(1)
    lid, colour, fine = (
        ("漏水", "緩蓋", "破損", "欠陥"),
        ("退色", "変質", "薄地", "縮小"),
        ("贈答", "誕生", "家族", "友人"),
    )
    said = [
        ("".join(draws.choice(words, 3, replace=False)), stars)
        for words, stars, n in ((lid, 1, 80), (colour, 2, 60), (fine, 5, 150))
        for _ in range(n)
    ]
    reviews = pd.DataFrame(said, columns=["text", "rating"]).assign(
        review_id=lambda t: t.index.astype(str), written_at=pd.Timestamp("2026-03-03")
    )
    found = text_themes(reviews, period=MARCH)
    assert found.themes["n_complaints"].sum() == 140
    for words in found.words.values():
        letters = set("".join(words))
        assert letters <= set("".join(lid)) or letters <= set("".join(colour))


def test_trend_products_and_returns_by_hand():
    reviews = written(("lid loose leaks dripping", 1, 100), ("colour faded wash pale", 2, 100), GOOD)
    lid = reviews["text"].str.contains("lid|loose|leaks|dripping")
    # Of the lids a fifth came in the second half of the month, of the colours all but a fifth.
    day = np.where(lid, np.arange(len(reviews)) % 5 == 0, np.arange(len(reviews)) % 5 != 0)
    reviews["written_at"] = np.where(day, pd.Timestamp("2026-03-25"), pd.Timestamp("2026-03-05"))
    reviews["product_id"] = np.where(lid, np.where(np.arange(len(reviews)) % 3 == 0, "b", "a"), "c")
    own = pd.DataFrame({"product_id": ["a", "b", "c"], "name": ["Jug", "Jug", "Rug"]})
    lines = pd.DataFrame(
        {
            "order_id": ["1", "2"],
            "product_id": ["a", "c"],
            "quantity": [40, 50],
            "unit_price": 1.0,
            "ordered_at": pd.Timestamp("2026-03-04"),
        }
    )
    back = pd.DataFrame(
        {"return_id": ["1"], "product_id": ["a"], "quantity": [10], "returned_at": pd.Timestamp("2026-03-20")}
    )
    found = text_themes(reviews, period=MARCH, products=own, order_lines=lines, returns=back).themes
    row = found[found["n_products"] == 2].iloc[0]
    late, early = (reviews["written_at"] > "2026-03-16").sum(), (reviews["written_at"] < "2026-03-16").sum()
    assert row["trend_change"] == pytest.approx((20 / 80) / (late / early) - 1)
    assert row["trend_change_upper"] < 0
    assert row["products"] == ("Jug (a)", "Jug (b)")  # the name alone would say which of them twice
    assert row["return_share"] == pytest.approx(10 / 40)


def test_quotes_name_nobody_and_are_of_complaints():
    reviews = written(("lid loose leaks dripping", 1, 80), ("colour faded wash pale", 2, 60), GOOD)
    reviews["text"] += " mail jo@example.org about order #10442"
    found = text_themes(reviews, period=MARCH).themes
    quotes = [quote for row in found["quotes"] for quote in row]
    assert quotes
    assert not any("example.org" in quote or "10442" in quote for quote in quotes)


@pytest.mark.parametrize("n", [0, 1, 40])
def test_few_texts_have_no_theme(n):
    found = text_themes(written(("lid loose leaks dripping", 1, max(n, 1)), GOOD).head(n), period=MARCH)
    assert (len(found.themes), found.n_texts) == (0, n)


def test_the_order_of_rows_does_not_matter():
    reviews = written(("lid loose leaks dripping", 1, 80), ("colour faded wash pale", 2, 60), GOOD)
    one, other = (text_themes(rows, period=MARCH).themes for rows in (reviews, reviews.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(one, other)


def test_words_that_do_not_go_with_stars_make_no_theme():
    words = [f"word{chr(97 + n)}" for n in range(26)]
    n_false = 0
    for seed in range(12):
        draws = np.random.default_rng(seed)
        rows = [(" ".join(draws.choice(words, 5)), int(draws.integers(1, 6))) for _ in range(500)]
        reviews = pd.DataFrame(rows, columns=["text", "rating"]).assign(
            review_id=lambda t: t.index.astype(str), written_at=pd.Timestamp("2026-03-03")
        )
        n_false += len(text_themes(reviews, period=MARCH).themes) > 0
    assert n_false <= 1


def test_words_without_order_and_without_stars_make_no_theme():
    draws = np.random.default_rng(5)
    words = [f"word{chr(97 + n)}" for n in range(26)]
    said = [" ".join(draws.choice(words, 5)) for _ in range(500)]
    cases = pd.DataFrame(
        {"ticket_id": [f"t{n}" for n in range(500)], "opened_at": pd.Timestamp("2026-03-03"), "text": said}
    )
    assert not len(text_themes(cases, period=MARCH).themes)


# --- planted truth ----------------------------------------------------------------------------------------------------


@functools.cache
def on_demo():
    tables, truth, _ = demo()
    known = {name: tables[name] for name in ("products", "order_lines", "returns")}
    return text_themes(tables["reviews"], period=YEAR, **known), tables, truth


def complaint_of(truth):
    """Which planted theme each sentence of complaint belongs to, faults among them."""
    said = {
        phrase: name
        for name, moods in truth["perceptual_map"]["theme_phrases"].items()
        for phrase in moods["complaint"]
    }
    return said | dict.fromkeys(
        (
            "came apart after two days",
            "arrived with a broken part",
            "had a fault on the first day",
            "came apart at the joint",
        ),
        "fault",
    )


def test_planted_complaints_are_found_each_in_words_of_one_of_them():
    found, _tables, truth = on_demo()
    planted = complaint_of(truth)
    assert len(found.themes) >= 6
    named = set()
    for words in found.words.values():
        # The two heaviest words stand in sentences of one planted theme.
        themes = [{name for phrase, name in planted.items() if word in phrase.split()} for word in words[:2]]
        assert set.intersection(*themes), words
        named |= set.intersection(*themes)
    assert len(named & set(truth["perceptual_map"]["themes"])) >= 4


def test_a_theme_counts_the_complaints_that_hold_its_words():
    found, tables, _truth = on_demo()
    rows = engine.collect(
        tables["reviews"].filter(lambda t: t["written_at"] >= "2025-11-01").select("text", "rating"), max_rows=10**6
    )
    low = rows[rows["rating"] <= 3]["text"].str.lower().str.replace(r"[^a-z ]", " ", regex=True).str.split().map(set)
    row = found.themes.iloc[0]
    words = set(found.words[row["theme"]])
    others = set().union(*(found.words[name] for name in found.words if name != row["theme"]))
    # Texts with its words and none of another theme's are its own; those with its words at all are at most its own.
    alone, all_in = (
        int(low.map(one).sum()) for one in (lambda s: bool(s & words) and not s & others, lambda s: bool(s & words))
    )
    assert alone <= row["n_complaints"] <= all_in


def test_products_with_a_planted_fault_stand_with_the_theme_of_faults():
    found, tables, truth = on_demo()
    faulty = set(truth["faulty_products"]["product_ids"])
    names = engine.collect(tables["products"].filter(lambda t: t["product_id"].isin(sorted(faulty))).select("name"))[
        "name"
    ]
    row = next(row for _, row in found.themes.iterrows() if {"apart", "joint"} & set(found.words[row["theme"]]))
    assert set(row["products"]) & set(names)
    assert row["return_share"] > 0.15  # a third is planted for these products, some hundredths for others


@pytest.mark.real_data
def test_real_reviews_of_clothes_have_themes_of_fit_and_cloth():
    real_data("clothing_reviews")
    from opslib.shop.opening import open_shop

    tables = open_shop("clothing_reviews").tables
    found = text_themes(tables["reviews"], period=MARCH, products=tables["products"])
    said = set().union(*found.words.values())
    assert len(found.themes) >= 3
    assert {"fabric", "quality"} <= said
    assert said & {"big", "tight", "short"}
    # Each theme is said more in complaints than elsewhere: 23 % of all reviews have three stars or fewer.
    assert (found.themes["n_complaints"].sum() / found.themes["n_texts"].sum()) > 0.24
    assert found.themes["trend_change"].isna().all()
