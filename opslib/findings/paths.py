"""Sentences of the website planning page: where visits are lost, which pages and releases lose them, and what to change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import are, estimate_of, how_many
from opslib.formats import count_of, format_date, format_money, format_number, format_share, listed
from opslib.stats.estimates import Estimate
from opslib.suppression import suppressed

DAYS_A_MONTH = 365.25 / 12
_LATER = 45  # days after the end of the page's period by which an action is done
_NAMED_SHARE = 0.05  # of the shop's margin, from which the share is said
_STEP = {"product": "view a product", "cart": "fill the cart", "checkout": "begin the checkout", "delivery": "give delivery details",
         "payment": "give payment details", "order": "order"}  # fmt: skip
_STEPPED = {"product": "viewed a product", "cart": "filled the cart", "checkout": "began the checkout", "delivery": "gave delivery details",
            "payment": "gave payment details", "order": "ordered"}  # fmt: skip
_BEFORE = {"cart": "visits to a product", "checkout": "filled carts", "delivery": "checkouts", "payment": "checkouts with delivery details",
           "order": "checkouts with payment details"}  # fmt: skip
_GROUP = {"mobile": "phones", "desktop": "desktops", "tablet": "tablets"}


def findings(
    steps: pd.DataFrame,
    friction: pd.DataFrame,
    spells: pd.DataFrame,
    pages: pd.DataFrame,
    releases: pd.DataFrame,
    differences: pd.DataFrame,
    stages: pd.DataFrame,
    *,
    by: str = "device",
    groups: tuple[str, str] = ("", ""),
    titles: pd.DataFrame | None = None,
    margin_share: float = math.nan,
    margin_amount: float = math.nan,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the website planning page.

    Parameters
    ----------
    steps : pandas.DataFrame
        From `paths.funnel`.
    friction, pages : pandas.DataFrame
        From `paths.friction`, of the steps of the funnel and of pages.
    spells : pandas.DataFrame
        From `paths.broken_spells` of the steps.
    releases : pandas.DataFrame
        From `paths.release_effects`.
    differences : pandas.DataFrame
        From `paths.transition_differences` of ``groups``.
    stages : pandas.DataFrame
        From `paths.commerce_stage`.
    by : str
        Column of the groups of visits.
    groups : (str, str)
        The two groups of visits whose ways were compared.
    titles : pandas.DataFrame or None
        From `paths.page_values`: the title of each page.
    margin_share, margin_amount : float
        Margin over revenue (0-1), and margin of the page's period; missing where costs are not known: money is then revenue.
    page : Facts
        With its currency and period.

    Returns
    -------
    tuple of Finding
        The step and the page at which the largest amount is lost, steps that broke, releases that did harm, ways that differ, the stage of the site.
    """
    steps, friction, spells, pages = suppressed(steps), suppressed(friction), suppressed(spells), suppressed(pages)
    releases, differences = suppressed(releases), suppressed(differences)
    worth = _Money(margin_share, margin_amount, page)
    return (
        *_steps(friction, worth, _before(steps), page, by),
        *_broken(spells, worth, page, by),
        *_pages(pages, worth, _titles(titles), page),
        *_releases(releases, _acted_on(pages), page),
        *_ways(differences, groups),
        *_stage(stages, page),
        *_whole(steps),
    )


def answer(
    steps: pd.DataFrame,
    friction: pd.DataFrame,
    spells: pd.DataFrame,
    *,
    margin_share: float = math.nan,
    margin_amount: float = math.nan,
    page: Facts,
) -> str:
    """How many visits order, and the step at which the largest amount is lost today; '' where no visit was seen."""
    told, money = [finding.sentence for finding in _whole(suppressed(steps))], _Money(margin_share, margin_amount, page)
    told += [f.sentence for f in _steps(suppressed(friction), money, _before(steps), page)][:1]
    if len(told) < 2:
        told += [f.sentence for f in _broken(suppressed(spells), money, page)][:1]
    return " ".join(told)


def plan(
    friction: pd.DataFrame,
    pages: pd.DataFrame,
    releases: pd.DataFrame,
    *,
    titles: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Steps and pages worth changing, the largest amount first.

    Returns
    -------
    DataFrame
        One row a step or page that clearly lets fewer visits on, or a change that did harm and lasts: what, why, lost_amount (a month, a bound, with ends; missing where not
        known), department, next_step, n_visitors.
    """
    names, rows = _titles(titles), []
    for _, row in _clear(suppressed(friction)).iterrows():
        rows.append({"what": f"{_step_name(row)}, {_group(row['thing'])}", "why": _shares(row), "department": "Design", "next_step": "test another version",
                     **_amounts(row), "n_visitors": row["n_visitors"]})  # fmt: skip
    for _, row in _clear(suppressed(pages)).iterrows():
        rows.append({"what": names.get(row["thing"], row["thing"]), "why": f"{row['place']}: {_shares(row)}", "department": "Design",
                     "next_step": "mend the page", **_amounts(row), "n_visitors": row["n_visitors"]})  # fmt: skip
    acted = _acted_on(suppressed(pages))
    for _, row in _harmful(suppressed(releases)).iterrows():
        if pd.isna(row["ended_on"]) and row["scope"].partition(":")[2] not in acted:
            rows.append({"what": row["description"], "why": _with_and_without(row), "department": "Technology",
                         "next_step": "take it back", "n_visitors": row["n_visitors"]})  # fmt: skip
    amounts = ("lost_amount", "lost_amount_lower", "lost_amount_upper")
    columns = ["what", "why", *amounts, "department", "next_step", "n_visitors"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values("lost_amount", ascending=False, kind="stable", na_position="last", ignore_index=True)


def group_name(value: str) -> str:
    """A group of visits as a reader calls it.

    Examples
    --------
    >>> group_name("mobile"), group_name("email")
    ('phones', 'email')
    """
    return _GROUP.get(value, value)


def with_days(releases: pd.DataFrame) -> pd.DataFrame:
    """The changes with the days that they lasted, in words."""
    ends = ["today" if pd.isna(end) else format_date(end) for end in releases["ended_on"]]
    days = [f"{format_date(start)} to {end}" for start, end in zip(releases["started_on"], ends, strict=True)]
    return releases.assign(days=days)


def money_head(margin_share: float, *, is_lost: bool = False) -> str:
    """What amounts are, for the head of a table: of a spell what was lost in all."""
    kind = "margin" if math.isfinite(margin_share) else "revenue"
    return f"{kind} lost in all" if is_lost else f"{kind} a month if as many went on as elsewhere"


def gaps(friction: pd.DataFrame) -> pd.DataFrame:
    """Differences from the other groups by step and group, named for a picture."""
    names = [f"{row['place']}, {group_name(str(row['thing']))}" for _, row in friction.iterrows()]
    return friction.assign(name=names)[["name", *(c for c in friction.columns if c != "name")]]


def gap_title(friction: pd.DataFrame) -> str:
    """Title of the picture of `gaps`: the group that clearly goes on less often at the largest number of steps, and at which step it lacks the largest share."""
    clear = _clear(suppressed(friction))
    if clear.empty:
        return "The groups do not clearly differ at any step"
    thing = clear["thing"].value_counts(sort=False).sort_index(kind="stable").idxmax()
    own = clear[clear["thing"] == thing].sort_values("gap_share", kind="stable")
    steps = (
        f"at {len(own)} of {count_of(friction['place'].nunique(), 'step')}, furthest at the step to the "
        if len(own) > 1
        else "at the step to the "
    )
    points = f"{format_number(100 * abs(own.iloc[0]['gap_share']), step=0.1)} points"
    return f"{_on(thing).capitalize()} fewer visits go on {steps}{own.iloc[0]['place']} ({points})"


def clear_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `paths.friction` that clearly let fewer on, their groups as a reader calls them."""
    clear = _clear(rows)
    return clear.assign(group=[_group(name) for name in clear["thing"]])


def clear_title(what: str, rows: pd.DataFrame) -> str:
    """Title of a table of `clear_rows`, with how many were looked at."""
    return f"{what}: {format_number(len(_clear(rows)))} of {format_number(len(rows))} looked at"


def spell_rows(spells: pd.DataFrame) -> pd.DataFrame:
    """Spells with their months and groups in words."""
    words: dict[str, Any] = {
        name: [f"{pd.Period(month):%b %Y}" for month in spells[name]] for name in ("first_month", "last_month")
    }
    return spells.assign(**words, group=[_group(name) for name in spells["thing"]])


def limits(page: Facts, *, by: str) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        f"Whether a better step would keep those who leave: visits of different {by}s want different things, so every amount of {page.period.label} "
        f"is a bound until a test.",
    )  # fmt: skip


_MEASURE = {"order": "order", "go on": "see another page"}


class _Money:
    """Amounts as margin where costs are known, else as revenue; with their share of the shop's margin where it is large."""

    def __init__(self, margin_share: float, margin_amount: float, page: Facts) -> None:
        self.is_margin = math.isfinite(margin_share)
        self.kind = "margin" if self.is_margin else "revenue"
        self.month = margin_amount / page.period.n_days * DAYS_A_MONTH if self.is_margin else math.nan
        self.currency = page.currency

    def estimate(self, row: pd.Series) -> Estimate:
        """From nothing, since a new version may keep nobody, up to the upper end."""
        method = "visits lost against elsewhere x what a visit that goes on brings"
        bound = estimate_of(row, "lost_amount", n=row["n_visitors"], unit=f"{self.currency}/month", method=method)
        return replace(bound, lower=0.0)

    def text(self, row: pd.Series) -> str:
        """What as many as elsewhere would bring, with its interval."""
        value, lower, upper = (self.amount(row[f"lost_amount{end}"]) for end in ("", "_lower", "_upper"))
        return f"as many would bring {value} {self.kind} a month ({lower}–{upper})"

    def amount(self, amount: float) -> str:
        return format_money(float(f"{amount:.2g}"), self.currency, step=1.0 if 10 <= abs(amount) < 1e4 else None)

    def doubt(self, row: pd.Series) -> str:
        """That a change may bring nothing, and the share of the shop's margin where it is large."""
        share = row["lost_amount"] / self.month if self.month > 0 else 0.0
        large = f"{format_share(share, step=1.0)} of the shop's margin; " if share > _NAMED_SHARE else ""
        return f"{large}a new version may bring none of it"


def _titles(values: pd.DataFrame | None) -> dict[str, str]:
    return {} if values is None else dict(zip(values["page"], values["title"], strict=True))


def _group(value: object) -> str:
    return group_name(str(value))


def _clear(friction: pd.DataFrame) -> pd.DataFrame:
    """Where clearly fewer go on than elsewhere."""
    if friction.empty:
        return friction
    known = friction.dropna(subset=["gap_share", "q_value"])
    return known[(known["is_clear"] == 1) & (known["gap_share"] < 0)]


def _acted_on(pages: pd.DataFrame) -> set[str]:
    return {str(name) for name in _clear(pages)["thing"]} if len(pages) else set()


def _harmful(releases: pd.DataFrame) -> pd.DataFrame:
    return releases[releases["verdict"] == "harmed"].dropna(subset=["gap_share"]) if len(releases) else releases


def _amounts(row: pd.Series) -> dict[str, float]:
    return {name: float(row[name]) for name in ("lost_amount", "lost_amount_lower", "lost_amount_upper")}


def _step_name(row: pd.Series) -> str:
    return f"step to {row['place']}"


def _shares(row: pd.Series) -> str:
    one, other = (format_share(row[name], step=1.0) for name in ("on_share", "others_share"))
    return f"{one} go on, elsewhere {other}"


def _before(steps: pd.DataFrame) -> dict[str, str]:
    """Visits at the step before each, in words."""
    names = [str(name) for name in steps["step"]] if len(steps) else []
    return {after: f"visits that {_STEP[before]}" if before in _STEP else "visits" for before, after in pairwise(names)}


def _on(thing: object) -> str:
    """Where visits of a group come from, in words."""
    return f"on {_GROUP[str(thing)]}" if str(thing) in _GROUP else f"from {thing}"


def _with_and_without(row: pd.Series) -> str:
    one, other = (
        format_share(row[name], step=0.1 if row["without_share"] < 0.1995 else 1.0)
        for name in ("with_share", "without_share")
    )
    return f"{one} of visits {_touched(str(row['scope']))} {_MEASURE[str(row['measure'])]}, without it {other}"


def _touched(scope: str) -> str:
    what, _, value = scope.partition(":")
    return {"device": f"on {group_name(value)}", "country": f"from {value}", "section": f"that begin in {value}"}.get(
        what, "that begin there"
    )


def _whole(steps: pd.DataFrame) -> Iterator[Finding]:
    """The share of visits that reach the last step."""
    known = steps.dropna(subset=["whole_share"]) if len(steps) else steps
    if len(known) < 2 or known.iloc[-1]["step"] != "order":
        return
    last = known.iloc[-1]
    share = estimate_of(
        last, "whole_share", n=steps.iloc[0]["n_visitors"], unit="share", method="delta method over visitors"
    )
    yield Finding(
        key="visits-that-order", sentence=f"{format_share(share.value, step=0.1)} of visits end in an order.", kind="measured", section="funnel",
        estimate=share, priority=4, about=About(people=int(last["n_visitors"])),
    )  # fmt: skip


def _steps(
    friction: pd.DataFrame, money: _Money, before: dict[str, str], page: Facts, by: str = "device"
) -> Iterator[Finding]:
    """The step at which a group loses the largest amount."""
    for _, row in _clear(friction).head(1).iterrows():
        bound, step = money.estimate(row), _STEP.get(str(row["place"]), f"reach {row['place']}")
        one, other = (format_share(row[name], step=1.0) for name in ("on_share", "others_share"))
        yield Finding(
            key=f"step-{row['place']}-{row['thing']}",
            sentence=f"{_on(row['thing']).capitalize()} {one} of {before.get(str(row['place']), 'visits')} {step}, elsewhere {other}: {money.text(row)}.",
            kind="estimated", section="friction", department="Design", priority=2, estimate=estimate_of(row, "gap_share", n=row["n_visitors"], unit="points", method="difference of ratios over visitors"),
            about=About(metric="session_conversion", scope=((by, str(row["thing"])),), people=int(row["n_visitors"])),
            action=f"Test another version of the step to {row['place']} for {_group(row['thing'])}", things=(f"{_step_name(row)}, {_group(row['thing'])}",),
            due=page.period.end + timedelta(days=_LATER), worth=bound, proposes=Proposes(metric="session_conversion", design="experiment"), caveat=money.doubt(row),
        )  # fmt: skip


def _broken(spells: pd.DataFrame, money: _Money, page: Facts, by: str = "device") -> Iterator[Finding]:
    """The step that broke and lost the largest amount; one that is still broken calls for mending, one that was mended for an alarm."""
    known = spells.dropna(subset=["gap_share"]) if len(spells) else spells
    for _, row in known.head(1).iterrows():
        first, last = (pd.Period(row[name]) for name in ("first_month", "last_month"))
        when = f"In {first:%B %Y}" if first == last else f"From {first:%B} to {last:%B %Y}"
        one, usual = (format_share(row[name], step=1.0) for name in ("on_share", "usual_share"))
        is_over, step = bool(row["is_over"]), _STEPPED.get(str(row["place"]), f"reached {row['place']}")
        visits, orders = (format_number(float(f"{row[name]:.2g}")) for name in ("n_lost", "n_orders_lost"))
        place, months = (
            f"the step to {row['place']} for {_group(row['thing'])}",
            count_of((last - first).n + 1, "month"),
        )
        due = page.period.end + timedelta(days=_LATER if is_over else 7)
        told = (
            f"how soon it is seen: this one lasted {months}"
            if is_over
            else "the step's share a week after it is mended"
        )
        yield Finding(
            key=f"broken-{row['place']}-{row['thing']}",
            sentence=f"{when} {one} of {_BEFORE.get(str(row['place']), 'visits')} {_on(row['thing'])} {step}, usually {usual}: "
            f"about {visits} visits, {orders} orders and {money.amount(row['lost_amount'])} {money.kind} lost.",
            kind="measured", section="friction", department="Technology", priority=1 if not is_over else 2,
            estimate=estimate_of(row, "gap_share", n=row["n_visitors"], unit="points", method="month against the median month, others taken off"),
            about=About(scope=((by, str(row["thing"])),), people=int(row["n_visitors"])),
            action=f"Raise an alarm within days when {place} breaks again" if is_over else f"Mend {place}",
            things=(f"{_step_name(row)}, {_group(row['thing'])}",), is_urgent=not is_over, due=due, would_tell=told,
            caveat=f"{f'over since {last + 1:%B %Y}' if is_over else 'not over'}; orders and {money.kind} as of the visits that got through",
        )  # fmt: skip


def _pages(pages: pd.DataFrame, money: _Money, titles: dict[str, str], page: Facts) -> Iterator[Finding]:
    """The page from which clearly fewer go on than from others of its kind."""
    for _, row in _clear(pages).head(1).iterrows():
        bound, title = money.estimate(row), titles.get(str(row["thing"]), str(row["thing"]))
        one, other = (format_share(row[name], step=1.0) for name in ("on_share", "others_share"))
        kind, _, how = str(row["place"]).partition(", ")
        begin = "begin at" if how == "first page" else "come to"
        yield Finding(
            key=f"page-{row['thing']}",
            sentence=f"Of visits that {begin} “{title}” {one} go on, of other {kind} pages {other}: {money.text(row)}.",
            kind="estimated", section="pages", department="Design", priority=2,
            estimate=estimate_of(row, "gap_share", n=row["n_visitors"], unit="points", method="difference of ratios over visitors"),
            about=About(scope=(("page", str(row["thing"])),), people=int(row["n_visitors"])),
            action=f"Mend the page “{title}”: its links and what it offers next", things=(title,), due=page.period.end + timedelta(days=_LATER), worth=bound, caveat=money.doubt(row),
        )  # fmt: skip


def _releases(releases: pd.DataFrame, acted_on: set[str], page: Facts) -> Iterator[Finding]:
    """Changes that did harm; one that lasts, and whose page has no action yet, is to be taken back."""
    harmful = _harmful(releases)
    for number, (_, row) in enumerate(harmful.iterrows()):
        lasts = pd.isna(row["ended_on"])
        ended = "" if lasts else f" to {format_date(row['ended_on'])}"
        back: dict[str, Any] = {"action": f"Take back “{row['description']}”", "things": (str(row["description"]),), "is_urgent": True, "due": page.period.end + timedelta(days=14),
                "would_tell": "the weeks after it is taken back"}  # fmt: skip
        yield Finding(
            key=f"release-{row['change_id']}",
            sentence=f"In the first {row['n_days']} days of “{row['description']}” ({'since ' if lasts else ''}{format_date(row['started_on'], year=bool(lasts))}{ended}) {_with_and_without(row)}.",
            kind="estimated", grade="Low", section="releases", department="Technology", priority=3,
            estimate=estimate_of(row, "gap_share", n=row["n_visitors"], unit="points", method="before and after, others as control"), is_told=number < 2,
            about=About(scope=(("change_id", str(row["change_id"])),), people=int(row["n_visitors"])),
            **(back if lasts and row["scope"].partition(":")[2] not in acted_on else {}),
        )  # fmt: skip


def _ways(differences: pd.DataFrame, groups: tuple[str, str]) -> Iterator[Finding]:
    """How many ways differ between two groups, and the clearest of them."""
    known = differences.dropna(subset=["gap_share"]) if len(differences) else differences
    if known.empty:
        return
    clear, (first, second) = known[known["is_clear"] == 1], (_group(name) for name in groups)
    if clear.empty:
        text = f"{first.capitalize()} and {second} take the same ways: {how_many(0, 'difference')} beyond chance among {count_of(len(known), 'way')}."
    else:
        row = clear.iloc[0]
        one, other = (format_share(row[name], step=1.0) for name in ("first_share", "second_share"))
        where = "leave the site" if row["target"] == "(end)" else f"go to {row['target']}"
        text = f"{len(clear)} of {len(known)} ways {'differs' if len(clear) == 1 else 'differ'}: after {row['source']}, {one} of {first} {where}, of {second} {other}."
    people = {first: int(known["n_first"].max()), second: int(known["n_second"].max())}
    yield Finding(
        key="ways", sentence=text, kind="measured", section="transitions", priority=5, about=About(people=people)
    )


def _stage(stages: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """Up to which stage of e-commerce the site has come, and what the next lacks."""
    reached = stages[stages["is_reached"].astype(bool)] if len(stages) else stages
    if reached.empty:
        return
    waiting = stages[~stages["is_there"].astype(bool)]
    people = About(people=None)  # of the site, not of people
    if waiting.empty:
        text = f"The site has all {count_of(len(stages), 'stage')} of e-commerce, up to {stages.iloc[-1]['stage']}."
        yield Finding(key="stage", sentence=text, kind="described", section="stage", priority=6, about=people)
        return
    lacks = listed([str(name) for name in waiting["stage"]])
    yield Finding(
        key="stage", sentence=f"The site has come to {reached.iloc[-1]['stage']}; {lacks} {are(len(waiting))} missing.", kind="described", section="stage",
        department="Technology", priority=4, about=people, action=f"Cost out {waiting.iloc[0]['stage']} on the site", things=(str(waiting.iloc[0]["stage"]),),
        due=page.period.end + timedelta(days=_LATER), would_tell="what customers ask for by other ways today",
    )  # fmt: skip
