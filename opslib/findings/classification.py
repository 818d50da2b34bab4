"""Sentences of the classification page: which products need which treatment, by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd

from opslib.classification.classes import Value, count_of_cell
from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import are, cut_to_largest, estimate_of, largest, listed, named
from opslib.formats import count_of, format_change, format_date, format_money, format_share
from opslib.periods import Coverage, Period
from opslib.stats.estimates import Estimate

#: Days after the end of the page's period by which an action is done: at once, and with thought.
_SOON, _LATER = 14, 45
_NAMED = 2
#: Names that an action carries; the page's tables hold all of them.
_MOST_THINGS = 50


def findings(
    products: pd.DataFrame,
    movers: pd.DataFrame,
    *,
    compared: tuple[Period, Period],
    value: Value = "revenue",
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the classification page.

    Parameters
    ----------
    products : pandas.DataFrame
        Rows of `classification.class_products`; may be empty.
    movers : pandas.DataFrame
        Rows of `classification.largest_groups`; may be empty.
    compared : tuple of two periods
        Later and earlier of the movers.
    value : {"revenue", "margin", "units"}
        What made the products valuable.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        Steady sellers of class A that run short, all of those, groups apart from the shop, products that lost orders, slow
        and erratic ones, concentration.

    Examples
    --------
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> page = Facts(title="A shop", period=october, currency="GBP", time_zone="UTC", coverage=None)
    >>> products = pd.DataFrame({"name": ["Lamp"], "cell": ["AX"], "amount": [9.0], "amount_share": [1.0], "stage": ["maturity"],
    ...     "n_orders_before": [3], "n_orders_recent": [4], "n_on_hand": [2.0], "stock_amount": [4.0], "is_short": [True]})
    >>> compared = (october, october.year_before())
    >>> [f.key for f in findings(products, pd.DataFrame(), compared=compared, page=page)]
    ['short-of-stock', 'cell-AX', 'a-products']
    """
    products = _ranked(products)
    found = [
        *_short(products, page),
        *_steady(products, value, page),
        *_movers(movers, compared, page.coverage),
        *_declining(products, value, page),
        *_slow(products, value, page),
        *_concentrated(products, value, page),
    ]
    return tuple(found)


def answer(products: pd.DataFrame, *, value: Value = "revenue", page: Facts) -> str:
    """Which products to keep in stock, and which to question; '' where nothing was sold."""
    products = _ranked(products)
    steady, slow, short = (rows(products) for rows in (_best, _worst, _running_out))
    if products.empty:
        return ""
    if steady.empty:
        first = _a(products)
        text = f"{count_of(len(first), 'product')} of {len(products):,} bring {_share(first)} of the {value}; none of them sells steadily."
    else:
        text = (
            f"{count_of_cell(len(steady), 'AX')} of {count_of(len(products), 'product')} "
            f"{'brings' if len(steady) == 1 else 'bring'} {_share(steady)} of the {value}"
        )
        text += f"; {len(short)} of them {are(len(short))} about to run out." if len(short) else "."
    if len(slow):
        text += f" {count_of_cell(len(slow), 'CZ')} {'brings' if len(slow) == 1 else 'bring'} {_share(slow)}."
    return text


def limits(page: Facts) -> tuple[str, ...]:
    """What the classification page cannot say."""
    shelf = (
        "a stock-out looks like erratic demand"
        if "stock_levels" in page.tables
        else "nothing tells when a shelf was empty"
    )
    return (f"What could have been sold in {page.period.label}: units are those sold, and {shelf}.",)


def cell_title(products: pd.DataFrame) -> str:
    """Title of the table of one cell: who is in it, how many, and how many of them stand in the table."""
    cell, n = str(products["cell"].iloc[0]), len(products)
    return f"{count_of_cell(n, cell)} ({cell}){', the ten best of them' if n > 10 else ''}"


def product_heads(products: pd.DataFrame, *, value: Value) -> dict[str, str]:
    """Heads of the columns about products of which anything is known."""
    heads = {
        "name": "product", "category": "category", "amount": value, "amount_share": f"share of {value}",
        "n_orders_recent": "orders, last 90 days", "n_orders_before": "a year before", "stage": "stage of life",
        "n_on_hand": "in stock", "stock_days": "lasts",
    }  # fmt: skip
    return {name: head for name, head in heads.items() if products[name].notna().any()}


def compared_sentence(
    compared: tuple[Period, Period], movers: pd.DataFrame, *, by: str, seen: Coverage, most: int = 30
) -> str:
    """Which periods the movers compare, whether they were cut to ``most``, and whether a season stands between them."""
    cut = cut_to_largest(len(movers), most)
    words = f"{_against(compared, seen)}, by {by.removesuffix('_id')}{f'; {cut}' if cut else ''}."
    return words if _is_like(compared) else f"{words} Half against half of the window: the season is included."


def _against(compared: tuple[Period, Period], seen: Coverage) -> str:
    """The two periods, and which days of them were not seen."""
    later, earlier = compared
    unseen = sorted(day for day in seen.missing if later.contains(day) or earlier.contains(day))
    days = format_date(unseen[0]) if len(unseen) == 1 else count_of(len(unseen), "day")
    note = f" ({days} {are(len(unseen))} missing)" if unseen else ""
    return f"{later.label} against {earlier.label}{note}"


def _is_like(compared: tuple[Period, Period]) -> bool:
    return compared[1] == compared[0].year_before()


def _ranked(products: pd.DataFrame) -> pd.DataFrame:
    """Products with something to their name, the most valuable first."""
    if products.empty:
        return pd.DataFrame(
            columns=["name", "cell", "amount", "amount_share", "stage", "is_short", "stock_amount", "n_on_hand"]
        )
    return products.sort_values(["amount", "name"], ascending=[False, True], kind="stable")


def _a(products: pd.DataFrame) -> pd.DataFrame:
    return products[products["cell"].str.startswith("A")]


def _best(products: pd.DataFrame) -> pd.DataFrame:
    return products[products["cell"] == "AX"]


def _worst(products: pd.DataFrame) -> pd.DataFrame:
    return products[products["cell"] == "CZ"]


def _running_out(products: pd.DataFrame) -> pd.DataFrame:
    best = _best(products)
    return best[best["is_short"].astype(bool)]


def _share(rows: pd.DataFrame) -> str:
    return format_share(float(rows["amount_share"].sum()), step=1.0 if rows["amount_share"].sum() >= 0.0995 else 0.1)


def _names(rows: pd.DataFrame) -> tuple[str, ...]:
    return tuple(rows["name"].astype(str))


def _things(rows: pd.DataFrame) -> tuple[str, ...]:
    return _names(rows)[:_MOST_THINGS]


def _worth(rows: pd.DataFrame, value: Value, page: Facts) -> str:
    """What they brought, with its period."""
    amount = float(rows["amount"].sum())
    words = count_of(round(amount), "unit") if value == "units" else format_money(amount, page.currency)
    return f"{words} a year" if page.period.n_months == 12 else f"{words} in {page.period.label}"


def _short(products: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    rows = _running_out(products)
    if rows.empty:
        return
    n, best = len(rows), len(_best(products))
    yield Finding(
        key="short-of-stock",
        sentence=f"{n} of {count_of_cell(best, 'AX')} {'sells' if n == 1 else 'sell'} out before a delivery can arrive, counted on "
        f"{format_date(page.period.end, year=False)}: {listed(_names(rows), shown=_NAMED)}.",
        kind="measured",
        section="products",
        priority=1,
        action="Reorder now: stock and what is on order last shorter than a delivery takes",
        things=_things(rows),
        is_urgent=True,
        due=page.period.end + timedelta(days=_SOON),
        would_tell="what they sell a day while they are in stock",
        department="Buying",
        about=About(scope=(("cell", "AX"),), people=None),
        proposes=Proposes(metric="stock_out_share", design="before_after"),
    )


def _steady(products: pd.DataFrame, value: Value, page: Facts) -> Iterator[Finding]:
    rows = _best(products)
    if rows.empty:
        return
    is_counted = bool(rows["n_on_hand"].notna().any())
    yield Finding(
        key="cell-AX",
        sentence=f"{count_of_cell(len(rows), 'AX')} {'brings' if len(rows) == 1 else 'bring'} {_worth(rows, value, page)}, "
        f"{_share(rows)} of the {value}{_largest(rows)}.",
        kind="measured",
        section="products",
        priority=2,
        action=None if is_counted else "Set a reorder point for each and never let it run out",
        things=() if is_counted else _things(rows),
        due=None if is_counted else page.period.end + timedelta(days=_LATER),
        would_tell=None if is_counted else "counts of stock, a week of them",
        department=None if is_counted else "Buying",
        about=About(scope=(("cell", "AX"),), people=None),
        proposes=None if is_counted else Proposes(metric="stock_out_share", design="before_after"),
    )


def _largest(rows: pd.DataFrame) -> str:
    """The names of two, else those of the two that bring the most."""
    names = _names(rows)
    if len(names) <= _NAMED:
        return f": {listed(names)}"
    return f"; the {largest(rows, 'amount')[1].removeprefix('one of the ')} are {listed(names[:_NAMED])}"


def _movers(matrix: pd.DataFrame, compared: tuple[Period, Period], seen: Coverage) -> Iterator[Finding]:
    """Groups that did better or worse than the shop beyond chance."""
    if matrix.empty:
        return
    clear = matrix[matrix["is_clear"].fillna(False).astype(bool)]
    gap = clear["growth_change"] - clear["shop_growth"]
    note = "" if _is_like(compared) else ", half against half of the window, season included"
    for word, rows in (("faster", clear[gap > 0]), ("slower", clear[gap < 0])):
        if not len(rows):
            continue
        top = rows.loc[gap[rows.index].abs().sort_values(ascending=False, kind="stable").index]
        left = len(top) - _NAMED
        others = f" and {count_of(left, 'other')}" if left > 0 else ""
        shop = float(rows["shop_growth"].iloc[0])
        yield Finding(
            key=f"groups-{word}",
            sentence=f"{named(top.head(_NAMED), _growth)}{others} did {'better' if word == 'faster' else 'worse'} than the shop "
            f"({format_change(shop, step=1.0 if abs(shop) >= 0.0995 else 0.1)}) in {_against(compared, seen)}{note}.",
            kind="estimated",
            section="growth-share",
            priority=3 if _is_like(compared) else 6,
            about=About(people=None),
        )


def _growth(row: pd.Series) -> Estimate:
    return estimate_of(row, "growth_change", unit="relative change")


def _declining(products: pd.DataFrame, value: Value, page: Facts) -> Iterator[Finding]:
    """Products with fewer orders than a year before, and with fewer than the shop's course explains."""
    rows = products[products["stage"] == "decline"]
    if rows.empty:
        return
    rows = rows[rows["n_orders_recent"] < rows["n_orders_before"]]
    slow = rows["cell"].str.startswith("C")
    for key, part, action in (
        ("declining", rows[~slow], "Find out for each whether price, stock or ratings are the reason, and mend that"),
        ("declining-slow", rows[slow], "Mark down once what is left, and let them run out"),
    ):
        if part.empty:
            continue
        orders = f"{count_of(part['n_orders_recent'].sum(), 'order')} after {part['n_orders_before'].sum():,.0f}"
        yield Finding(
            key=key,
            sentence=f"{count_of(len(part), 'slow seller' if key != 'declining' else 'product')} ({_share(part)} of the {value}) clearly {'lags' if len(part) == 1 else 'lag'} behind "
            f"the shop, with {orders} in the same days a year before: {listed(_names(part), shown=_NAMED)}.",
            kind="estimated",
            section="life-cycle",
            priority=3 if key == "declining" else 5,
            action=action,
            things=_things(part),
            due=page.period.end + timedelta(days=_LATER),
            would_tell="price, stock and ratings of each since then"
            if key == "declining"
            else "what is left after the mark-down",
            department="Buying",
            about=About(people=None),
        )


def _slow(products: pd.DataFrame, value: Value, page: Facts) -> Iterator[Finding]:
    rows = _worst(products)
    rows = rows[rows["stage"] != "launch"]
    if rows.empty:
        return
    stock = float(rows["stock_amount"].sum(min_count=1))
    held = f"; {format_money(stock, page.currency)} of stock, at cost, lies in them" if stock > 0 else ""
    yield Finding(
        key="cell-CZ",
        sentence=f"{count_of_cell(len(rows), 'CZ')} {'brings' if len(rows) == 1 else 'bring'} {_worth(rows, value, page)}, {_share(rows)} of the "
        f"{value}{held}.",
        kind="measured",
        section="products",
        priority=4,
        action="Decide for each: drop it, or sell it without own stock",
        things=_things(rows),
        due=page.period.end + timedelta(days=_LATER),
        would_tell="hiding half of them for a season: do sales move to others?",
        department="Buying",
        about=About(scope=(("cell", "CZ"),), people=None),
        proposes=Proposes(metric="margin", design="before_after"),
    )


def _concentrated(products: pd.DataFrame, value: Value, page: Facts) -> Iterator[Finding]:
    rows = _a(products)
    if rows.empty:
        return
    yield Finding(
        key="a-products",
        sentence=f"{len(rows):,} of {count_of(len(products), 'product')} {'brings' if len(rows) == 1 else 'bring'} {_share(rows)} of the {value}, {_worth(rows, value, page)}.",
        kind="measured",
        section="value-classes",
        priority=5,
        about=About(people=None),
    )
