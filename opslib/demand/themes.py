"""Themes of what buyers complain about: words that go with few stars, those that stand together, counted in every text."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.stats import hypergeom

from opslib import engine
from opslib.metrics.blocks import Table, day_of, order_day, paid, require_table_columns
from opslib.periods import Period
from opslib.privacy import MINIMUM, redact
from opslib.stats.multiplicity import adjusted
from opslib.stats.shares import share
from opslib.suppression import counted

SAMPLE, FEWEST_TEXTS, FEWEST_OF_WORD = 4_000, 60, 8
"""Complaints, and other texts, that themes are looked for in; fewest complaints, and fewest of them that a word stands in."""
LOW_RATING = 3
"""Stars up to which a review is a complaint."""
SAID_AT = 0.05
"""Chance that any word at all is wrongly called said more in complaints than elsewhere (Holm)."""
NUMBERS, N_SPLITS, BEYOND_CHANCE = (2, 3, 4, 6, 8, 12, 16, 20, 24, 28), 3, 0.2
"""Numbers of themes tried; times that the texts are halved; agreement of halves, beyond that of shuffled words, from which themes are
believed."""
MAIN_WORDS, SHOWN_WORDS, LEAST_WEIGHT = 10, 3, 0.1
"""Words that a theme is recognised by, and named by; their least weight, of the theme's heaviest word."""
N_QUOTES, QUOTE_LENGTH, CLEAR = 2, 140, 0.5
_BETWEEN = "\t\n\r!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'’‘“”„»«…–—·。、！？，；：（）「」"
#: Judgements, which carry the stars and not the reason, and German words that say how, not what; the English ones are scikit-learn's.
_SAYS_NOTHING = frozenset(
    """again bad bought buy did didn disappointed disappointing disappointment do does doesn don expected good got great happy isn just
    kept like ll love loved make nice order ordered poor product purchase purchased re really received return returned returning sad sadly send
    sent think thought try unfortunately ve want wanted wasn went wish won worth wouldn couldn
    aber alle allem als also am auch auf aus bei bin bis da das dass dem den der des die doch du ein eine einem einen einer es
    etwas für gar hat habe haben hatte ich ihr im in ist ja kann kein keine leider man mehr mein meine mich mir mit nach nicht nichts noch
    nun nur oder ohne schon sehr sein sich sie sind so über um und uns vom von vor war waren was weil wenn wie wieder wir wird zu zum zur
    bestellt enttäuscht enttäuschend gekauft gut schade schlecht schön zurück zurückgeschickt""".split()
)
#: First and last letters of scripts without blanks between words: kana, Chinese, Thai.
_NO_BLANKS = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\u0e00", "\u0e7f"))


_COLUMNS = (
    "theme", "n_complaints", "n_texts", "theme_share", "mean_rating", "low_share", "low_share_lower", "low_share_upper", "trend_change", "trend_change_lower",
    "trend_change_upper", "n_products", "products", "return_share", "quotes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Themes:
    """Themes of complaints.

    Parameters
    ----------
    themes : pandas.DataFrame
        theme (its main words), n_complaints (texts of few stars, or of none given), n_texts, theme_share (of all texts), low_share, low_share_lower, low_share_upper (complaints among the
        theme's texts; missing without ratings), mean_rating, trend_change (of the theme's share of texts, second half of the period against the
        first; missing without dates), trend_change_lower, trend_change_upper, n_products, products (names of the three with the most texts
        of the theme), return_share (of the units of its products that came back; missing without), quotes (redacted). The most first.
    n_texts, n_read : int
        Texts counted; texts that themes were looked for in.
    agreement : float
        How alike the themes of two halves are, beyond those of shuffled words (mean Jaccard of their main words, 0-1); missing where none are.
    words : dict of str to tuple of str
        Words that each theme is recognised by.
    """

    themes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_COLUMNS)))
    n_texts: int = 0
    n_read: int = 0
    agreement: float = float("nan")
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)


def text_themes(
    texts: Table,
    *,
    period: Period,
    products: Table | None = None,
    order_lines: Table | None = None,
    returns: Table | None = None,
    seed: int = 0,
) -> Themes:
    """Themes of what buyers complain about, found on a sample and counted in every text of the period.

    Words that reviews of few stars (without ratings: all texts) hold clearly more often than others are grouped by the texts they share:
    TF-IDF and non-negative matrix factorisation, with the number of themes that two halves of the texts agree upon furthest. Every
    text that holds two of the words that name a theme (the one, where one names it) then counts for the theme whose words it holds most of,
    by one expression in the engine.

    Parameters
    ----------
    texts : table
        reviews (review_id, written_at, text; rating) or tickets (ticket_id, opened_at, text); product_id where known.
    period : Period
        Local days that count; texts without any time all do.
    products : table or None
        product_id and name, to name what a theme is about.
    order_lines, returns : table or None
        For the share of these products' units that came back in the period.
    seed : int
        For the draws of the halves.

    Returns
    -------
    Themes
        Of no themes where fewer than `FEWEST_TEXTS` complaints were written, or the halves agree on none.

    Notes
    -----
    Lee and Seung (1999) for the factorisation; Greene, O'Callaghan and Cunningham (2014) for the number by stability, here between
    halves that share no text. Texts in scripts without blanks are read as pairs of letters.

    Examples
    --------
    >>> said = [("the lid is loose and leaks", 1), ("colour faded in the wash", 2), ("a gift", 5), ("for my sister", 4)] * 40
    >>> reviews = pd.DataFrame(said, columns=["text", "rating"]).assign(review_id=lambda t: t.index.astype(str).str.zfill(3))
    >>> reviews["written_at"] = pd.Timestamp("2026-03-02")
    >>> found = text_themes(reviews, period=Period.parse("2026-03-01", "2026-03-31"))
    >>> found.themes[["theme", "n_texts", "low_share"]].values.tolist()
    [['colour, faded, wash', 40, 1.0], ['leaks, lid, loose', 40, 1.0]]
    """
    table = engine.as_table(texts)
    require_table_columns(table, "text", name="texts")
    rows = _written(table, period)
    n_texts = int(engine.collect(rows.aggregate(n=rows.count()))["n"].iloc[0])
    sample = _sampled(rows)
    is_low = (sample["is_low"] == 1).to_numpy()
    if is_low.sum() < FEWEST_TEXTS:
        return Themes(n_texts=n_texts, n_read=len(sample))
    tokens = [_tokens(text) for text in sample["said"]]
    counts, words = _counted(tokens, is_low)
    weights, agreement = (
        _stable(counts[is_low], np.random.default_rng(seed)) if len(words) else (np.empty((0, 0)), float("nan"))
    )
    if not len(weights):
        return Themes(n_texts=n_texts, n_read=len(sample), agreement=agreement)
    model = _model(weights, words)
    themes = _measured(rows, model, period, products)
    themes["return_share"] = [_return_share(ids, order_lines, returns, period) for ids in themes["product_ids"]]
    themes["quotes"] = [_quotes(sample[is_low], model[name]) for name in themes["theme"]]
    return Themes(
        themes=counted(themes[list(_COLUMNS)], "n_texts", by=("theme",), adds_up=False), n_texts=n_texts, n_read=len(sample),
        agreement=agreement, words={name: tuple(model[name]) for name in themes["theme"]},
    )  # fmt: skip


def _written(table: ir.Table, period: Period) -> ir.Table:
    """Texts of the period: key, text, said (small letters between blanks), rating, product_id, day."""
    key, at = ("review_id", "written_at") if "review_id" in table.columns else ("ticket_id", "opened_at")
    require_table_columns(table, key, name="texts")
    is_dated = not engine.is_empty(table, at)
    day = day_of(table, at) if is_dated else ibis.null("date")
    text = table["text"].cast("string")
    rows = table.select(
        key=table[key].cast("string"), text=text, day=day,
        said=ibis.literal(" ").concat(text.lower().translate(_BETWEEN, " " * len(_BETWEEN)), " "),
        rating=table["rating"].cast("float64") if "rating" in table.columns else ibis.null("float64"),
        product_id=table["product_id"].cast("string") if "product_id" in table.columns else ibis.null("string"),
    )  # fmt: skip
    rows = rows.filter(rows["text"].notnull() & (rows["text"] != ""))
    return rows.filter(rows["day"].between(ibis.literal(period.start), ibis.literal(period.end))) if is_dated else rows


def _sampled(rows: ir.Table) -> pd.DataFrame:
    """Every so-manieth complaint and every so-manieth other text, by their keys."""
    rows = rows.mutate(is_low=engine.flag((rows["rating"] <= LOW_RATING) | rows["rating"].isnull()))
    sizes = engine.grouped(rows, "is_low", n=rows.count()).set_index("is_low")["n"]
    low, other = (max(-(-int(sizes.get(side, 0)) // SAMPLE), 1) for side in (1.0, 0.0))
    numbered = rows.mutate(place=ibis.row_number().over(ibis.window(group_by="is_low", order_by="key")))
    taken = numbered.filter(numbered["place"] % (numbered["is_low"] == 1).ifelse(low, other) == 0)
    return engine.collect(taken.select("key", "text", "said", "rating", "is_low").order_by("key"))


def _tokens(said: str) -> set[str]:
    """Different words that say something; of scripts without blanks pairs of letters."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # half a second, and only this page needs it

    found = set()
    for word in said.split():
        if any(first <= letter <= last for letter in word for first, last in _NO_BLANKS):
            found |= {word[n : n + 2] for n in range(len(word) - 1)}
        elif (
            word not in _SAYS_NOTHING
            and word not in ENGLISH_STOP_WORDS
            and not word.isdigit()
            and (len(word) > 1 or ord(word) > 0x2190)
        ):  # a sign: an emoji
            found.add(word)
    return found


def _counted(tokens: Sequence[Iterable[str]], is_low: np.ndarray) -> tuple[csr_matrix, np.ndarray]:
    """Texts by words, of the words that complaints hold more often than other texts (of all words, where there are no others)."""
    place: dict[str, int] = {}
    rows, columns = [], []
    for row, said in enumerate(tokens):
        for word in sorted(said):
            rows.append(row)
            columns.append(place.setdefault(word, len(place)))
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(is_low), len(place)))
    words = np.array(list(place), dtype=object)
    n_all, n_low = (np.asarray(part.sum(axis=0)).ravel() for part in (counts, counts[is_low]))
    kept = np.flatnonzero((n_low >= FEWEST_OF_WORD) & (n_all <= len(is_low) / 2))
    if not is_low.all() and len(kept):
        p = hypergeom.sf(n_low[kept] - 1, len(is_low), is_low.sum(), n_all[kept])
        said_more = adjusted(dict(enumerate(p)), method="holm", alpha=SAID_AT)["is_rejected"].to_numpy()
        kept = kept[said_more]
    kept = kept[np.argsort(words[kept])]
    return counts[:, kept], words[kept]


def _stable(counts: csr_matrix, draws: np.random.Generator) -> tuple[np.ndarray, float]:
    """Themes (by words) of the number on which halves agree furthest beyond halves of shuffled words; none where hardly beyond."""
    counts = counts[np.asarray(counts.sum(axis=1)).ravel() > 0]
    n_words = counts.shape[1]
    shuffled = csr_matrix(
        np.column_stack([draws.permutation(counts[:, word].toarray().ravel()) for word in range(n_words)])
    )
    shuffled = shuffled[np.asarray(shuffled.sum(axis=1)).ravel() > 0]
    best, number = BEYOND_CHANCE, 0
    for n_themes in NUMBERS:
        if n_themes < 0.8 * min(n_words, counts.shape[0] / 2):
            real, chance = (_halves_agree(texts, n_themes, draws) for texts in (counts, shuffled))
            best, number = max((best, number), (real - chance, n_themes))
    return (_factors(counts, number), best) if number else (np.empty((0, n_words)), float("nan"))


def _halves_agree(counts: csr_matrix, n_themes: int, draws: np.random.Generator) -> float:
    found, middle = [], counts.shape[0] // 2
    for _n in range(N_SPLITS):
        order = draws.permutation(counts.shape[0])
        one, other = (_main(_factors(counts[part], n_themes)) for part in (order[:middle], order[middle:]))
        likeness = np.array([[len(a & b) / max(len(a | b), 1) for b in other] for a in one])
        found.append(likeness[linear_sum_assignment(-likeness)].mean())
    return float(np.mean(found))


def _factors(counts: csr_matrix, n_themes: int) -> np.ndarray:
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfTransformer

    model = NMF(n_themes, init="nndsvd", max_iter=400, tol=1e-3, random_state=0)
    with warnings.catch_warnings():  # themes that have not settled are none that halves agree on
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(TfidfTransformer().fit_transform(counts))
    return np.asarray(model.components_)


def _main(weights: np.ndarray) -> list[frozenset[int]]:
    """The heaviest words of each theme, those of a weight that counts."""
    order = [np.argsort(-row, kind="stable")[:MAIN_WORDS] for row in weights]
    return [frozenset(best[row[best] > LEAST_WEIGHT * row.max()]) for row, best in zip(weights, order, strict=True)]


def _model(weights: np.ndarray, words: np.ndarray) -> dict[str, dict[str, int]]:
    """Each theme's main words with their weights, in hundredths of its heaviest word, under the name of the first of them."""
    found: dict[str, dict[str, int]] = {}
    for row, main in zip(weights, _main(weights), strict=True):
        best = sorted(main, key=lambda word: (-row[word], word))
        named = ", ".join(words[best[:SHOWN_WORDS]])
        found.setdefault(named, {str(words[word]): round(100 * float(row[word] / row.max())) for word in best})
    return found


def _with_theme(rows: ir.Table, model: dict[str, dict[str, int]]) -> ir.Table:
    """Each text with the theme whose words weigh most in it, of those of which it holds two of the words that name it, or the only one."""

    def score(words: Mapping[str, int]) -> ir.IntegerValue:
        weights = [rows["said"].contains(_written_so(word)).ifelse(weight, 0) for word, weight in words.items()]
        named = weights[:SHOWN_WORDS]
        n_named = sum(((weight > 0).ifelse(1, 0) for weight in named), ibis.literal(0))
        return (n_named >= min(2, len(named))).ifelse(sum(weights, ibis.literal(0)), 0)

    scores = [score(words) for words in model.values()]
    rows = rows.mutate(**{f"score_{n}": score for n, score in enumerate(scores)})
    best = ibis.greatest(*(rows[f"score_{n}"] for n in range(len(scores))))
    first = [((best > 0) & (rows[f"score_{n}"] == best), name) for n, name in enumerate(model)]
    return rows.mutate(theme=ibis.cases(*first, else_=ibis.null("string"))).drop(
        *(f"score_{n}" for n in range(len(scores)))
    )


def _written_so(word: str) -> str:
    """A word between blanks; a pair of letters of a script without them as it is."""
    return word if any(first <= word[0] <= last for first, last in _NO_BLANKS) else f" {word} "


def _measured(rows: ir.Table, model: dict[str, dict[str, int]], period: Period, products: Table | None) -> pd.DataFrame:
    """Texts, stars, trend, products and returns of each theme, the most first."""
    told = _with_theme(rows, model)
    told = engine.held(
        told.mutate(is_complaint=((told["rating"] <= LOW_RATING) | told["rating"].isnull()).ifelse(1, 0))
    )
    middle = ibis.literal(period.start + timedelta(days=period.n_days // 2))
    counts = {
        "n_texts": _.count(), "mean_rating": _.rating.mean(), "n_rated": _.rating.count(), "n_products": _.product_id.nunique(),
        "n_low": (_.rating <= LOW_RATING).sum().fill_null(0), "n_complaints": _.is_complaint.sum().cast("int64"), "n_late": (_.day >= middle).sum().fill_null(0),
        "n_early": (_.day < middle).sum().fill_null(0),
    }  # fmt: skip
    whole = engine.collect(told.aggregate(**counts)).iloc[0]
    found = engine.grouped(told.filter(told["theme"].notnull()), "theme", **counts)
    found = found.sort_values(["n_complaints", "theme"], ascending=[False, True], ignore_index=True)
    found["theme_share"] = found["n_texts"] / whole["n_texts"]
    shares = [share(int(low), int(n)) if n else None for low, n in zip(found["n_low"], found["n_rated"], strict=True)]
    for end, name in (("value", "low_share"), ("lower", "low_share_lower"), ("upper", "low_share_upper")):
        found[name] = [getattr(each, end) if each else np.nan for each in shares]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found["n_late"] / found["n_early"] * (whole["n_early"] / np.float64(whole["n_late"]))
        half = 1.96 * np.sqrt(1 / found["n_late"] + 1 / found["n_early"])
    is_known = found[["n_late", "n_early"]].min(axis=1) >= MINIMUM
    for name, end in (("", ratio), ("_lower", ratio * np.exp(-half)), ("_upper", ratio * np.exp(half))):
        found[f"trend_change{name}"] = (end - 1).where(is_known)
    best = _best_products(told, products)
    found["products"] = [tuple(best.loc[best["theme"] == name, "name"]) for name in found["theme"]]
    found["product_ids"] = [tuple(best.loc[best["theme"] == name, "product_id"]) for name in found["theme"]]
    return found


def _best_products(told: ir.Table, products: Table | None) -> pd.DataFrame:
    """The products with the most complaints of each theme: theme, product_id, name."""
    by_product = (
        told.filter(told["theme"].notnull() & told["product_id"].notnull() & (told["is_complaint"] == 1))
        .group_by("theme", "product_id")
        .aggregate(n=_.count())
    )
    order = ibis.window(group_by="theme", order_by=[ibis.desc("n"), "product_id"])
    first = by_product.mutate(place=ibis.row_number().over(order)).filter((_.place < SHOWN_WORDS) & (_.n >= 2))
    if products is None or engine.is_empty(products, "name"):
        return engine.collect(first.order_by("theme", "place")).assign(name=lambda t: t["product_id"])
    names = engine.as_table(products).select(named="product_id", name="name")
    joined = first.left_join(names, first["product_id"] == names["named"])
    named = engine.collect(joined.order_by("theme", "place"))
    name = named["name"].fillna(named["product_id"])
    is_shared = named["name"].isin(named.drop_duplicates("product_id").loc[lambda t: t["name"].duplicated(), "name"])
    return named.assign(name=name.where(~is_shared, name + " (" + named["product_id"] + ")"))


def _return_share(
    product_ids: tuple[str, ...], order_lines: Table | None, returns: Table | None, period: Period
) -> float:
    """Units of some products' sales in the period that came back; of returns that name no order, those that came in the period."""
    if order_lines is None or returns is None or not product_ids or engine.is_empty(returns, "product_id"):
        return float("nan")
    lines, back = paid(order_lines), engine.as_table(returns)
    sold, back = (table.filter(table["product_id"].cast("string").isin(product_ids)) for table in (lines, back))
    sold = sold.filter(order_day(sold).between(ibis.literal(period.start), ibis.literal(period.end)))
    if engine.is_empty(returns, "order_id"):
        back = back.filter(day_of(back, "returned_at").between(ibis.literal(period.start), ibis.literal(period.end)))
    else:
        back = back.semi_join(sold, ["order_id", "product_id"])
    n_sold, n_back = (
        engine.collect(t.aggregate(n=t["quantity"].sum().cast("float64")))["n"].fillna(0).iloc[0] for t in (sold, back)
    )
    return float(n_back / n_sold) if n_sold else float("nan")


def _quotes(complaints: pd.DataFrame, words: dict[str, int]) -> tuple[str, ...]:
    """The complaints that hold most of a theme's words, short ones first, without what names a person."""
    weight = [sum(n for word, n in words.items() if _written_so(word) in said) for said in complaints["said"]]
    best = complaints.assign(weight=weight, length=complaints["text"].str.len())
    best = best[best["weight"] > CLEAR * best["weight"].max()]
    best = best.sort_values(["weight", "length", "key"], ascending=[False, True, True]).drop_duplicates("said")
    return tuple(textwrap.shorten(redact(text), QUOTE_LENGTH, placeholder=" …") for text in best["text"].head(N_QUOTES))
