"""Sentences of the development plan: what to do now, what after, what not and why, and what limits it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pandas as pd

from opslib.finding import About, Facts, Finding
from opslib.findings.wording import are
from opslib.formats import count_of, format_days, format_money, format_share
from opslib.proposals.roadmap import DECIDE, LAUNCH, TEST, OpenCases
from opslib.stats.estimates import Estimate

_NAMED = 2
_MOST_ACTIONS = 3
_STEPS = {LAUNCH: "launch", TEST: "test first", DECIDE: "decide by judgement"}
_ACTS = {LAUNCH: "launch", TEST: "test", DECIDE: "decide by judgement on"}


def answer(plan: pd.DataFrame, cases: OpenCases, *, months: Sequence[date]) -> str:
    """What to do now, after and not, and why; what to find out where nothing can be chosen.

    Parameters
    ----------
    plan : pandas.DataFrame
        From `proposals.roadmap.roadmap`.
    cases : OpenCases
    months : sequence of date
        Of the plan.

    Returns
    -------
    str
    """
    if plan.empty:
        return nothing_open(cases)
    parts = {place: plan[plan["place"] == place] for place in ("now", "after", "not", "find out")}
    said = [
        f"{head}: {_names(parts[place])}."
        for place, head in (("now", f"Begin in {months[0]:%B}"), ("after", "After that"))
        if len(parts[place])
    ]
    if not said:
        said = ["Nothing that is proposed is worth its days by what is known today."]
    for _, row in parts["not"].head(1).iterrows():
        others = len(parts["not"]) - 1
        beside = f" (and {count_of(others, 'other')})" if others else ""
        said.append(f"Not {_name(row)}{beside}: {row['why']}.")
    return " ".join(said)


def nothing_open(cases: OpenCases) -> str:
    """Why there is nothing to plan."""
    if cases.n_replays:
        return f"Nothing is to be planned: {count_of(cases.n_replays, 'proposal')} {are(cases.n_replays)} replayed on old data."
    return (
        "Nothing is to be planned: every proposal is decided."
        if cases.launched
        else "Nothing is proposed here yet, so there is nothing to plan."
    )


def findings(
    plan: pd.DataFrame, people: pd.DataFrame, rules: pd.DataFrame, *, months: Sequence[date], page: Facts
) -> tuple[Finding, ...]:
    """Findings of the development plan.

    Parameters
    ----------
    plan : pandas.DataFrame
        From `proposals.roadmap.roadmap`.
    people : pandas.DataFrame
        From `proposals.portfolio.person_month_worth`.
    rules : pandas.DataFrame
        From `proposals.roadmap.compare_rules`.
    months : sequence of date
        Of the plan.
    page : Facts

    Returns
    -------
    tuple of Finding
        What to begin now, what a person more is worth, what must be found out, how sure the choice is, where rules differ.
    """
    return (
        *_begin(plan, page),
        *_person_month(people, months, page),
        *_find_out(plan),
        *_least_sure(plan),
        *_rules(rules, page),
    )


def _begin(plan: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """The first ones, each with its money and the department that begins it."""
    for place, (_, row) in enumerate(plan[plan["place"] == "now"].iterrows()):
        is_test, name = row["step"] == TEST, _name(row)
        amount = _money(row["year_amount"], page)
        low = max(row["net_amount_lower"], 0.0) if is_test else row["net_amount_lower"]
        worth = Estimate(
            value=row["year_amount"], lower=min(low, row["year_amount"]), upper=max(row["net_amount_upper"], row["year_amount"]),
            n=1, unit=f"{page.currency}/year", confidence_level=0.9, method="expected posterior value",
        )  # fmt: skip
        days = f" {format_days(row['n_test_days'])}" if is_test and pd.notna(row["n_test_days"]) else ""
        doing = f"{name} is expected to bring {amount} a year net"
        if is_test:
            doing = f"Testing {name}{days} before deciding is worth about {amount} a year"
        elif row["step"] == DECIDE:
            doing += ", and cannot be tested in any useful time"
        once = f" once {row['once']} has answered" if row["once"] else ""
        acts: dict[str, Any] = {
            "action": f"{_ACTS[row['step']]} {name}{once}", "things": (str(row["title"]),), "worth": worth,
            "due": row["start_on"] if row["start_on"] > page.period.end else None,
        } if place < _MOST_ACTIONS else {}  # fmt: skip
        yield Finding(
            key=f"begin-{row['proposal']}".lower(), kind="estimated", sentence=f"{doing}.", section="order", priority=1,
            department=str(row["owner"]), about=_about([row["proposal"]]), is_told=place < _MOST_ACTIONS, **acts,
        )  # fmt: skip


def _person_month(people: pd.DataFrame, months: Sequence[date], page: Facts) -> Iterator[Finding]:
    if people.empty:
        return
    best = people.iloc[0]
    sentence = f"One person added in {months[0]:%B}, at whatever department, would not change this plan."
    if best["worth_amount"] >= 1:
        amount = _money(best["worth_amount"], page)
        sentence = f"One person added at {best['department']} in {months[0]:%B} would bring {amount} over the horizon of {' and '.join(best['gained'])}."
    yield Finding(
        key="person-month",
        kind="simulated",
        sentence=sentence,
        section="capacity",
        priority=2,
        about=_about(best["gained"]),
    )


def _find_out(plan: pd.DataFrame) -> Iterator[Finding]:
    rows = plan[plan["place"] == "find out"]
    if rows.empty:
        return
    n = len(rows)
    yield Finding(
        key="find-out", kind="described", section="unknown", priority=2, about=_about(rows["proposal"]),
        sentence=f"{count_of(n, 'proposal')} cannot be compared, since the money is not known: {', '.join(rows['proposal'])}.",
    )  # fmt: skip


def _least_sure(plan: pd.DataFrame) -> Iterator[Finding]:
    rows = plan[plan["place"].isin(("now", "after"))].dropna(subset=["chosen_share"])
    if rows.empty:
        return
    row = rows.sort_values(["chosen_share", "proposal"]).iloc[0]
    share = format_share(row["chosen_share"], step=1.0)
    yield Finding(
        key="least-sure", kind="simulated", section="stability", priority=3, about=_about([row["proposal"]]),
        sentence=f"Least sure is {_name(row)}: were its effect known, it would be carried out in {share} of cases.",
    )  # fmt: skip


def _rules(rules: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    if rules.empty:
        return
    row = rules.sort_values(["less_amount", "rule"], ascending=[False, True]).iloc[0]
    less = _money(row["less_amount"], page)
    yield Finding(
        key="usual-rules", kind="simulated", section="rules", priority=4, about=_about(()),
        sentence=f"Ranking by {row['rule']} would choose otherwise and is expected to bring {less} less over the horizons.",
    )  # fmt: skip


def what_was_asked(cases: OpenCases) -> tuple[str, ...]:
    """What is open, what is decided and takes its days first, and what was left out."""
    decided = [f"{item.id} {item.title}" for item in cases.decided]
    said = [f"{count_of(len(cases.judged) + len(cases.drafts), 'proposal')} to be decided."]
    if decided:
        said.append(f"Decided, and their days set aside first: {', '.join(decided)}.")
    if cases.n_replays:
        said.append(f"Left out as replayed on old data: {count_of(cases.n_replays, 'proposal')}.")
    return tuple(said)


def gains(people: pd.DataFrame) -> pd.DataFrame:
    """What a person more is worth, with what comes in by then in words."""
    return people.assign(gained=[", ".join(names) or "nothing" for names in people["gained"]])


def limits(plan: pd.DataFrame, page: Facts) -> tuple[str, ...]:
    """What the plan cannot say, in one line."""
    if "capacity" not in page.tables:
        return ("Whether anybody has the days is not seen here: this shop keeps none of its departments' capacity.",)
    n = int((plan["place"] == "find out").sum())
    if n:
        return (
            f"{n} of {count_of(len(plan), 'proposal')} {are(n)} not in the choice, because the money is not known.",
        )
    return ("Person-days are those that the departments stated; what work really took is not kept here.",)


def _about(names: Sequence[Any] | pd.Series) -> About:
    return About(objects=tuple(str(name) for name in names), people=None)


def _name(row: pd.Series) -> str:
    return f"{row['proposal']} {row['title']}"


def _names(rows: pd.DataFrame) -> str:
    """The first two with their titles and what is done, and how many others."""
    names = [f"{_name(row)} ({_STEPS[row['step']]})" for _, row in rows.head(_NAMED).iterrows()]
    left = len(rows) - _NAMED
    return f"{', '.join(names)} and {count_of(left, 'other')}" if left > 0 else " and ".join(names)


def _money(amount: float, page: Facts) -> str:
    """Two significant digits: an expectation claims no others."""
    rounded = float(f"{amount:.1e}")
    return format_money(rounded, page.currency, step=1.0 if abs(rounded) < 1e4 else None)
