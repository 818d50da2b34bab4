"""Words and measures of short texts, by hand."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import engine
from opslib.stats.texts import measures_of, plain_text, words_of


def plain(*texts):
    table = engine.as_table(pd.DataFrame({"id": range(len(texts)), "text": pd.Series(texts, dtype="string")}))
    return engine.collect(table.select("id", x=plain_text(table["text"])).order_by("id"))["x"].tolist()


def found(function, texts, columns):
    table = engine.as_table(pd.DataFrame({"id": range(len(texts)), "text": texts}))
    rows = engine.collect(function(table, key=["id"], text="text").order_by("id", *columns))
    each = {n: list(part[columns].itertuples(index=False, name=None)) for n, part in rows.groupby("id")}
    return [each.get(n, []) for n in range(len(texts))]


def test_spelling_case_accents_and_punctuation_do_not_count():
    # The second is the first with combining accents, the third with full-width letters.
    same = plain("  Crème-Brûlée", "cre\u0300me bru\u0302le\u0301e", "ＣＲＥＭＥ　brulee!")
    assert same == ["creme brulee"] * 3


def test_other_scripts_stay():
    assert plain("Чашка (синяя)") == ["чашка синяя"]


WORDS = {
    "boxes": ["box"], "dishes": ["dish"], "glasses": ["glass"], "glass": ["glass"], "berries": ["berry"], "mugs": ["mug"],
    "gas": ["gas"], "iris": ["iris"], "bus": ["bus"], "4.1 l mug, 2pk": ["mug"], "a size L": ["size"], "": [], " .,; ": [],
    "mug mugs MUG": ["mug"], "ps4 30x40": ["30x40", "ps4"],
}  # fmt: skip
MEASURES = {
    "1 l": [("volume", 1_000_000)], "1000ml": [("volume", 1_000_000)], "1,5 L": [("volume", 1_500_000)],
    "0.5 kg / 500 g": [("mass", 500_000)], "30x40cm": [("length", 400_000), ("number", 30_000)],
    "iPhone 15": [("number", 15_000)], "type l": [], "saucepan 2.7l.": [("volume", 2_700_000)], "6pk": [("number", 6_000)],
    "99999999999999999999 ml": [], "4 furlong": [("number", 4_000)], "": [],
}  # fmt: skip


def test_words_by_hand():
    assert found(words_of, list(WORDS), ["word"]) == [[(word,) for word in words] for words in WORDS.values()]


def test_measures_by_hand():
    assert found(measures_of, list(MEASURES), ["dimension", "amount"]) == list(MEASURES.values())


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=40).filter(lambda text: "\x00" not in text and text.isprintable()))
def test_a_plain_text_stays_as_it_is(text):
    once = plain(text)
    assert plain(*once) == once
