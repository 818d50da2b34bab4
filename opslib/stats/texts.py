"""Short texts (names, queries) as words and measures that compare alike however they were typed; all in the engine."""

from __future__ import annotations

import unicodedata

import ibis
import ibis.expr.types as ir
from ibis import _

from opslib import engine

#: Letters with accents or of full width, and what they are without.
_LETTERS = {
    letter: plain
    for letter in map(chr, (*range(0xE0, 0x180), *range(0x1E00, 0x1F00), *range(0xFF01, 0xFF5F)))
    if (plain := unicodedata.normalize("NFKD", letter)[0].lower()) != letter and plain.isascii() and plain.isalnum()
}
#: What separates words: blanks and punctuation, but for full stop and comma, which may be decimal. Of the controls only
#: tab and line ends: Spark reads the escapes of bell, form feed and vertical tab as the letters a, f and v.
_BETWEEN = (
    "".join(map(chr, (9, 10, 13, 32, *range(127, 192), *range(0x2000, 0x2070), 0x3000, 0xFEFF)))
    + "!\"#$%&'()*+-/:;<=>?@[\\]^_`{|}~×"
)
_COMBINING = "".join(map(chr, range(0x300, 0x370)))
_NUMBER = r"^[0-9]{1,9}([.,][0-9]{1,6})?[a-z]{0,6}$"
#: Unit as written -> (dimension, thousandths of its smallest unit).
UNITS: dict[str, tuple[str, int]] = {
    "ml": ("volume", 1_000), "cl": ("volume", 10_000), "dl": ("volume", 100_000), "l": ("volume", 1_000_000),
    "ltr": ("volume", 1_000_000), "litre": ("volume", 1_000_000), "liter": ("volume", 1_000_000), "g": ("mass", 1_000),
    "kg": ("mass", 1_000_000), "mm": ("length", 1_000), "cm": ("length", 10_000), "m": ("length", 1_000_000),
    "pk": ("number", 1_000), "pcs": ("number", 1_000), "": ("number", 1_000),
}  # fmt: skip


def plain_text(text: ir.StringValue) -> ir.StringValue:
    """Lower case without accents and punctuation, one blank between words: what two spellings of a text share.

    Parameters
    ----------
    text : ibis string column
        As typed; missing stays missing.

    Returns
    -------
    ibis string column

    Examples
    --------
    >>> import pandas as pd
    >>> from opslib import engine
    >>> table = engine.as_table(pd.DataFrame({"name": ["  Crème-Brûlée DISH (4,1 l)"]}))
    >>> engine.collect(table.select(x=plain_text(table["name"])))["x"].tolist()
    ['creme brulee dish 4,1 l']
    """
    # Combining accents have no counterpart, so they go.
    written, meant = "".join(_LETTERS) + _BETWEEN + _COMBINING, "".join(_LETTERS.values()) + " " * len(_BETWEEN)
    folded = text.cast("string").lower().translate(written, meant).replace("ß", "ss").replace("æ", "ae")
    return engine.trimmed(folded.re_replace(" +", " "))


def words_of(table: ir.Table, *, key: list[str], text: str) -> ir.Table:
    """Different words of each row's text; plurals as singulars, without numbers, units and single letters.

    Parameters
    ----------
    table : ibis.Table
        The columns ``key`` and ``text``.
    key : list of str
        Columns that name a row.
    text : str
        Column of the text.

    Returns
    -------
    ibis.Table
        ``key`` and ``word``, one row a different word of a row.

    Examples
    --------
    >>> import pandas as pd
    >>> from opslib import engine
    >>> table = engine.as_table(pd.DataFrame({"id": [1], "name": ["Blue glass boxes, 2 x 500 ml"]}))
    >>> engine.collect(words_of(table, key=["id"], text="name").order_by("word"))["word"].tolist()
    ['blue', 'box', 'glass']
    """
    spread = plain_text(table[text]).re_replace("[.,]+ | [.,]+|^[.,]+|[.,]+$", " ")
    tokens = table.select(*key, word=spread.split(" ").unnest())
    is_measure = tokens["word"].re_search(_NUMBER) | tokens["word"].isin(list(UNITS))
    words = tokens.filter((tokens["word"].length() > 1) & ~is_measure)
    return words.mutate(word=_singular(words["word"])).distinct()


def _singular(word: ir.StringValue) -> ir.StringValue:
    n = word.length()
    return ibis.cases(
        ((n > 4) & word.endswith("ies"), word.substr(0, n - 3).concat("y")),
        ((n > 4) & word.re_search("(ss|sh|ch|x)es$"), word.substr(0, n - 2)),
        ((n > 3) & word.endswith("s") & ~word.re_search("(ss|us|is)$"), word.substr(0, n - 1)),
        else_=word,
    )


def measures_of(table: ir.Table, *, key: list[str], text: str) -> ir.Table:
    """Different numbers of each row's text, in the smallest unit of their dimension: 1 l is 1000 ml.

    Parameters
    ----------
    table, key, text
        As for :func:`words_of`. A comma is read as a decimal point.

    Returns
    -------
    ibis.Table
        ``key``, ``dimension`` (volume, mass, length, number) and ``amount`` (int64, thousandths of ml, g, mm or one).

    Examples
    --------
    >>> import pandas as pd
    >>> from opslib import engine
    >>> table = engine.as_table(pd.DataFrame({"id": [1], "name": ["Jug 1,5 L, 2pk"]}))
    >>> engine.collect(measures_of(table, key=["id"], text="name").order_by("amount"))["amount"].tolist()
    [2000, 1500000]
    """
    glued = ibis.literal(" ").concat(plain_text(table[text]).replace(" ", "  "), " ").re_replace("[.,]+ ", " ")
    for unit in (name for name in UNITS if name):
        glued = glued.replace(f"  {unit} ", f"{unit} ")
    tokens = table.select(*key, token=glued.re_replace("x", " ").split(" ").unnest())
    parts = tokens.filter(_.token.re_search(_NUMBER)).mutate(
        number=_.token.re_replace("[a-z]+$", "").replace(",", ".").cast("float64"),
        unit=_.token.re_replace("^[0-9.,]+", ""),
    )
    known = parts.filter(parts["unit"].isin(list(UNITS)))
    size = ibis.cases(*((known["unit"] == unit, scale) for unit, (_d, scale) in UNITS.items()))
    named = ibis.cases(*((known["unit"] == unit, dimension) for unit, (dimension, _s) in UNITS.items()))
    amount = (known["number"] * size.cast("float64")).round().cast("int64")
    return known.select(*key, dimension=named, amount=amount).distinct()
