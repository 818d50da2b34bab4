"""Searches as they were meant: one row a search, typing collapsed to its last text; how often they fail; words misspelt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from opslib import engine
from opslib.metrics.blocks import Table, day_of, require_table_columns
from opslib.periods import Period
from opslib.privacy import redacted
from opslib.stats.skewed import share_intervals
from opslib.stats.texts import plain_text
from opslib.suppression import counted

TYPING_SECONDS, READ_SECONDS = 30, 2
"""A search whose text begins the visit's next one within the first time, or ends with it begun, was the typing of it; and so was any that
the next follows within the second: nobody reads results so fast."""
#: Events that a search itself causes: its page and its list of results.
OWN_EVENTS = ("search", "view_item_list")
MORE_OFTEN = 5
"""A text without results is the misspelling of another one without results if that is searched this many times as often."""
RATES: dict[str, str] = {
    "is_zero_result": "no result, of all searches",
    "is_not_clicked": "none clicked, of searches with results",
    "is_refined": "searched again with other words, of all searches",
    "is_exit": "left after the search, of all searches",
}
"""Columns of `visit_searches` that `search_rates` counts, in plain words, each with what it is a share of."""


def visit_searches(
    searches: Table, *, period: Period, sessions: Table | None = None, events: Table | None = None
) -> ir.Table:
    """Searches of a period as they were meant: what was typed key by key is one search, the last.

    Parameters
    ----------
    searches : table
        search_id, searched_at, query; n_results, clicked_product_id, session_id where known.
    period : Period
        Local days that count.
    sessions : table or None
        session_id and visitor_id, to count the people behind visits; without it each visit counts as one.
    events : table or None
        session_id, occurred_at, event_name, to see whether a visit went on after its search.

    Returns
    -------
    ibis.Table
        search_id, visit (the search where unknown), person, day, text (lower case, without accents, punctuation and what names a
        person), n_results, clicked_product_id, and flags that are missing where not known: is_clicked, is_zero_result (no
        result, and the visit clicked none of another search), is_not_clicked, is_refined (another text follows in the visit,
        and nothing was clicked; missing where no visit has two searches: then only one of each is kept), is_exit (nothing follows but the list of results, and nothing was clicked).

    Raises
    ------
    ContractError
        A column is missing.

    Examples
    --------
    >>> typed = [("1", "a", "oak t", 0, 0), ("2", "a", "oak tray", 1, 4), ("3", "b", "dog bed", 2, 0)]
    >>> log = pd.DataFrame(typed, columns=["search_id", "session_id", "query", "second", "n_results"])
    >>> log["searched_at"] = pd.Timestamp("2026-03-02") + pd.to_timedelta(log["second"], unit="s")
    >>> found = visit_searches(log, period=Period.parse("2026-03-01", "2026-03-31"))
    >>> engine.collect(found.order_by("search_id"))[["text", "is_zero_result"]].values.tolist()
    [['oak tray', 0.0], ['dog bed', 1.0]]
    """
    table = engine.as_table(searches)
    require_table_columns(table, "search_id", "searched_at", "query", name="searches")
    day = day_of(table, "searched_at")
    visit = [table["session_id"].cast("string")] if "session_id" in table.columns else []
    empty = {"n_results": "int64", "clicked_product_id": "string"}
    known = {name: table[name].cast(kind) if name in table.columns else ibis.null(kind) for name, kind in empty.items()}
    rows = table.select(
        "query", "searched_at", search_id=table["search_id"].cast("string"), day=day,
        visit=ibis.coalesce(*visit, ibis.literal("search ").concat(table["search_id"].cast("string"))), **known,
    ).filter(_.day.between(ibis.literal(period.start), ibis.literal(period.end)))  # fmt: skip
    typed = rows.select(typed="query").distinct()  # each different text is read once
    typed = engine.held(typed.mutate(text=plain_text(redacted(typed["typed"].cast("string")))))
    rows = rows.inner_join(typed, rows["query"] == typed["typed"]).drop("query", "typed")
    rows = rows.filter(rows["text"] != "")
    rows = _meant(_with_person(rows, sessions))
    return engine.held(_with_exit(_told(rows), events).drop("searched_at", "next_text"))


def _with_person(rows: ir.Table, sessions: Table | None) -> ir.Table:
    if sessions is None or engine.is_empty(sessions, "visitor_id"):
        return rows.mutate(person=rows["visit"])
    seen = engine.as_table(sessions)
    known = seen.group_by(seen=seen["session_id"].cast("string")).aggregate(visitor=seen["visitor_id"].max())
    joined = rows.left_join(known, rows["visit"] == known["seen"])
    return joined.mutate(person=ibis.coalesce(_.visitor.cast("string"), _.visit)).drop("seen", "visitor")


def _meant(rows: ir.Table) -> ir.Table:
    """Without what was only typed on the way to the visit's next search, unless something was clicked; with the next text."""
    rows = _with_next(rows).mutate(seconds=engine.epoch_second(_.next_at) - engine.epoch_second(_.searched_at))
    goes_on = rows["next_text"].substr(0, rows["text"].length()) == rows["text"]
    goes_back = rows["text"].substr(0, rows["next_text"].length()) == rows["next_text"]
    is_near = (rows["seconds"] <= READ_SECONDS) | ((rows["seconds"] <= TYPING_SECONDS) & (goes_on | goes_back))
    is_typing = is_near & rows["clicked_product_id"].isnull()
    return _with_next(rows.filter(~is_typing.fill_null(False)).drop("next_text", "next_at", "seconds")).drop("next_at")


def _with_next(rows: ir.Table) -> ir.Table:
    order = ibis.window(group_by="visit", order_by=["searched_at", "search_id"])
    return rows.mutate(next_text=rows["text"].lead().over(order), next_at=rows["searched_at"].lead().over(order))


def _told(rows: ir.Table) -> ir.Table:
    """What became of each search; missing where the log does not record it at all."""
    clicks = not engine.is_empty(rows, "clicked_product_id")
    clicked = engine.flag(rows["clicked_product_id"].notnull())
    rows = rows.mutate(is_clicked=clicked if clicks else ibis.null("float64"))
    helped = clicked.max().over(ibis.window(group_by="visit")) == 1
    is_followed = not engine.is_empty(rows, "next_text")
    known = rows["n_results"].notnull()
    shown = known & (rows["n_results"] > 0) & ibis.literal(clicks)
    flags = {
        "is_zero_result": (known, (rows["n_results"] == 0) & ~helped),
        "is_not_clicked": (shown, clicked == 0),
        "is_refined": (
            ibis.literal(is_followed),
            (rows["next_text"] != rows["text"]).fill_null(False) & (clicked == 0),
        ),
    }
    missing = ibis.null("float64")
    return rows.mutate(**{name: asked.ifelse(engine.flag(so), missing) for name, (asked, so) in flags.items()})


def _with_exit(rows: ir.Table, events: Table | None) -> ir.Table:
    """Whether anything but the search's own events follows in the visit; missing for visits without events."""
    if events is None or engine.is_empty(events, "occurred_at"):
        return rows.mutate(is_exit=ibis.null("float64"))
    table = engine.as_table(events)
    require_table_columns(table, "session_id", "occurred_at", "event_name", name="events")
    section = table["section"].fill_null("search") if "section" in table.columns else ibis.literal("search")
    other = ~table["event_name"].isin(OWN_EVENTS) | ((section != "search") & (table["event_name"] != "search"))
    last = table.group_by(seen=table["session_id"].cast("string")).aggregate(
        last_at=table["occurred_at"].max(where=other), n_events=table.count()
    )
    joined = rows.left_join(last, rows["visit"] == last["seen"])
    stays = (joined["last_at"] > joined["searched_at"]).fill_null(False) | joined["next_text"].notnull()
    left = engine.flag(~stays & joined["clicked_product_id"].isnull())
    return joined.mutate(is_exit=joined["n_events"].notnull().ifelse(left, ibis.null("float64"))).drop(
        "seen", "last_at", "n_events"
    )


def search_rates(rows: Table, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """How often searches end with nothing, are not clicked, are refined, or end the visit.

    Parameters
    ----------
    rows : table
        From `visit_searches`.
    confidence_level : float
        Level of the intervals (0-1): delta method over people, whose searches are not independent.

    Returns
    -------
    DataFrame
        One row a rate that the log can tell: outcome (words of `RATES`), n_searches (asked), n_failed, n_people, failed_share,
        failed_share_lower, failed_share_upper.

    Examples
    --------
    >>> found = pd.DataFrame({"person": ["a", "a", "b"], "is_zero_result": [1.0, 0.0, 0.0], "is_not_clicked": None,
    ...     "is_refined": [1.0, 0.0, 0.0], "is_exit": None}).astype({"is_not_clicked": float, "is_exit": float})
    >>> search_rates(found)[["outcome", "n_searches", "failed_share"]].round(3).values.tolist()
    [['no result, of all searches', 3, 0.333], ['searched again with other words, of all searches', 3, 0.333]]
    """
    table = engine.as_table(rows)
    names = list(RATES)
    people = table.group_by("person").aggregate(
        **{f"{name}_y": table[name].sum().fill_null(0.0) for name in names},
        **{f"{name}_d": table[name].count().cast("float64") for name in names},
    )
    sums: dict[str, ir.Value] = {}
    for name in names:
        y, d = people[f"{name}_y"], people[f"{name}_d"]
        sums |= {f"{name}_n": engine.flag(d > 0).sum(), f"{name}_y": y.sum(), f"{name}_d": d.sum()}
        sums |= {f"{name}_yy": (y * y).sum(), f"{name}_dd": (d * d).sum(), f"{name}_yd": (y * d).sum()}
    found = engine.collect(people.aggregate(**sums)).iloc[0].fillna(0.0)
    frame = pd.DataFrame(
        [[RATES[name], *(found[f"{name}_{part}"] for part in ("n", "y", "d", "yy", "dd", "yd"))] for name in names],
        columns=["outcome", "n_people", "n_failed", "n_searches", "yy", "dd", "yd"],
    )
    frame = frame[frame["n_people"] > 1].reset_index(drop=True)
    share_intervals(
        frame, ("failed_share", "failed_share_lower", "failed_share_upper"),
        ("n_people", "n_failed", "n_searches", "yy", "dd", "yd"), confidence_level=confidence_level,
    )  # fmt: skip
    shown = frame.astype({"n_people": "int64", "n_failed": "int64", "n_searches": "int64"})
    columns = ["outcome", "n_searches", "n_failed", "n_people", "failed_share", "failed_share_lower", "failed_share_upper"]  # fmt: skip
    return counted(shown[columns], "n_people", by=("outcome",), adds_up=False)


def corrections(
    found: Mapping[str, float], failed: Mapping[str, float], *, words: Iterable[str] = ()
) -> dict[str, str]:
    """Texts without results that are one slip of the finger away from a text that is known, and that text.

    A slip leaves out, adds or changes one letter of a word of four letters and more, or swaps two that stand side by side (a
    blank among them). A digit is never a slip: a size or a model is another thing.

    Parameters
    ----------
    found : mapping of str to float
        Visits of each text that has results.
    failed : mapping of str to float
        Visits of each text that never has. One of them is right, too, if it is searched `MORE_OFTEN` times as often.
    words : iterable of str
        Words of the catalogue, against which single words of a text are held.

    Returns
    -------
    dict of str to str
        The misspelt text and the text meant: the most searched of those one slip away.

    Notes
    -----
    Damerau (1964): four in five misspellings are one such slip. Neighbours are found by the texts less one letter that both
    share (Mor and Fraenkel, 1982).

    Examples
    --------
    >>> corrections({"kettle": 90, "tea towel": 80}, {"ketlte": 4, "teat owel": 3, "air fryer": 50, "air frier": 5, "xyz": 9})
    {'air frier': 'air fryer', 'ketlte': 'kettle', 'teat owel': 'tea towel'}
    """
    often = {text: n for text, n in failed.items() if text not in found}
    known = {**dict.fromkeys(words, 0.0), **often, **found}
    near: defaultdict[str, set[str]] = defaultdict(set)
    for text in known:
        for less in _less_one(text):
            near[less].add(text)
    catalogue = {*words, *(word for text in found for word in text.split())}
    meant = {}
    for text, n in sorted(often.items()):
        ranked = sorted(
            (right for less in _less_one(text) for right in near[less] if right != text and _is_slip(text, right)),
            key=lambda right: (-known[right], right),
        )
        right = next((r for r in ranked if r in found or r in catalogue or known[r] >= MORE_OFTEN * n), "")
        meant[text] = right or _by_word(text, near, catalogue)
    final = {text: meant.get(right) or right for text, right in meant.items() if right}
    return {text: right for text, right in final.items() if right != text}


def _by_word(text: str, near: Mapping[str, set[str]], catalogue: set[str]) -> str:
    """The text with its unknown words as the catalogue has them; '' where one has no single neighbour there."""
    said = []
    for word in text.split():
        if word not in catalogue and word.removesuffix("s") not in catalogue:
            rights = {r for less in _less_one(word) for r in near.get(less, ()) if r in catalogue and _is_slip(word, r)}
            if len(rights) != 1:
                return ""
            word = rights.pop()
        said.append(word)
    return " ".join(said)


def _less_one(text: str) -> set[str]:
    return {text, *(text[:n] + text[n + 1 :] for n in range(len(text)))}


def _is_slip(text: str, right: str) -> bool:
    """Whether one letter is missing, added, changed or swapped with its neighbour, in a word long enough to tell."""
    start = next((n for n, (a, b) in enumerate(zip(text, right, strict=False)) if a != b), min(len(text), len(right)))
    rest, meant = text[start:], right[start:]
    same = 0
    while same < min(len(rest), len(meant)) and rest[-1 - same] == meant[-1 - same]:
        same += 1
    end = len(text) - same
    rest, meant = rest[: len(rest) - same], meant[: len(meant) - same]
    if any(letter.isdigit() for letter in rest + meant):
        return False
    left, after = text[:start].rsplit(" ", 1)[-1], text[end:].split(" ", 1)[0]
    if len(rest) == len(meant) == 2 and rest == meant[::-1]:
        return len(left + rest.strip() + after) >= 2
    if rest + meant == " ":
        return len(text) >= 6
    return max(len(rest), len(meant)) == 1 and len(left + after) >= 3 and " " not in rest + meant
