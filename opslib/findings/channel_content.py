"""Sentences of the page on channels and content: who brings buyers, what is not proven, what the site's pages lack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd

from opslib.channels import MODELS
from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import estimate_of, more_than
from opslib.formats import count_of, format_days, format_money, format_number, format_share, listed
from opslib.stats.estimates import Estimate
from opslib.suppression import suppressed

#: Days after the end of the page's period by which an action begins.
_LATER = 45
#: Months of a channel's own cost from which a test that costs them says so.
_MANY_MONTHS = 3


def findings(
    rates: pd.DataFrame,
    plans: pd.DataFrame,
    credit: pd.DataFrame,
    decays: pd.DataFrame,
    calendar: pd.DataFrame,
    *,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the page on channels and content.

    Parameters
    ----------
    rates : DataFrame
        From `channels.buying_rates`.
    plans : DataFrame
        From `channels.holdout_plans`; empty where nothing was spent.
    credit : DataFrame
        From `channels.attribution`, of orders.
    decays : DataFrame
        From `content.page_decays`.
    calendar : DataFrame
        From `content.content_calendar`.
    page : Facts
        With its currency.

    Returns
    -------
    tuple of Finding
        Channels whose effect a hold-out would show, those of which no test can tell, how far models disagree, what became of the
        newest page, and the section that is wanted next; none about a group that the page withholds.
    """
    rates, plans, credit, decays, calendar = (suppressed(part) for part in (rates, plans, credit, decays, calendar))
    return (
        *_untested(plans, page), *_untestable(plans, page), *_models(credit, plans), *_apart(rates), *_decay(decays, page),
        *_wanted(calendar),
    )  # fmt: skip


def answer(rates: pd.DataFrame, plans: pd.DataFrame, *, page: Facts) -> str:
    """Whose visits end with an order, and which money is not proven to bring one; '' where neither is known."""
    told = [sentence for sentence in (_rates_told(suppressed(rates)),) if sentence]
    paid = _shown(suppressed(plans), "cost_amount")
    if len(paid):
        told.append(
            f"Whether the {_money(paid['cost_amount'].sum(), page)} a month for {listed(list(paid['channel']), shown=4)} brings any order "
            "of its own is not proven."
        )
    return " ".join(told)


def limits(plans: pd.DataFrame, traffic: pd.DataFrame) -> tuple[str, ...]:
    """What the page cannot say, from `channels.holdout_plans` and `channels.channel_traffic`."""
    if len(plans):
        names = listed(list(plans["channel"]), shown=4)
        return (
            f"What {names} cause: nobody was left without them by lot, so orders that would have come anyway stand in all their figures.",
        )
    if len(traffic):
        return ("What a channel causes or costs: advertising costs are not in the data, and nobody was held out.",)
    return ("Which channels people come through: visits are not in the data.",)


def credit_title(credit: pd.DataFrame, plans: pd.DataFrame) -> str:
    """Title of the picture of models: the paid channel that they credit; '' where nothing is paid for."""
    shown = _models(suppressed(credit), suppressed(plans))
    return "".join(f"{finding.sentence.partition(';')[0]}, without a test" for finding in shown)


def plan_table(plans: pd.DataFrame, *, page: Facts) -> pd.DataFrame:
    """The plans of `channels.holdout_plans` with what each test takes in words, as ``test``."""
    words = [_test_told(row, page) for row in _rows(plans)]
    return plans.assign(test=pd.Series(words, index=plans.index, dtype="str"))


def _test_told(row: pd.Series, page: Facts) -> str:
    """Days of a test, and the margin that it can cost."""
    if not row["is_useful"]:
        return "not known" if pd.isna(row["test_days"]) else "over half a year"
    risk, saved = row["at_risk_amount"], row["saved_amount"]
    if pd.isna(risk):
        return format_days(row["test_days"])
    if risk <= 0:
        return f"{format_days(row['test_days'])}, which costs nothing"
    cost = f"lost margin {_money(risk + saved, page)} less {_money(saved, page)} not spent"
    months = risk / row["cost_amount"]
    spend = f"; {format_number(months, step=1.0)} months of its cost" if months >= _MANY_MONTHS else ""
    return f"{format_days(row['test_days'])} for up to {_money(risk, page)} ({cost}{spend})"


def decay_title(decays: pd.DataFrame) -> str:
    """Title of the weeks of new pages: the newest that fell back; '' where none did."""
    found = [_decay_told(row) for row in _rows(_shown(suppressed(decays), "half_life_days").head(1))]
    return "".join(
        f"“{title}”: {first} times the visits of an older page at first, {rest} times in the end"
        for title, first, rest in found
    )


def _decay_told(row: pd.Series) -> tuple[str, str, str]:
    """Title of a page, and its first and last ratio in words."""
    title = str(row["title"] if pd.notna(row["title"]) else row["page"])
    first, rest = (format_number(float(f"{row[name]:.2g}")) for name in ("first_ratio", "rest_ratio"))
    return title, first, rest


def _shown(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows with a number; those of few people have none."""
    return rows.dropna(subset=[column]) if column in rows.columns else rows.head(0)


def _money(value: float, page: Facts) -> str:
    return format_money(float(f"{value:.3g}"), page.currency)


def _share(value: float) -> str:
    return format_share(float(value), step=1.0 if abs(value) >= 0.0995 else 0.1)


def _rates_told(rates: pd.DataFrame) -> str:
    """The channels of the two ends, where both are apart from the rest."""
    known = _shown(rates, "gap_share_lower")
    if len(known) < 2:
        return ""
    high, low = known[known["gap_share_lower"] > 0], known[known["gap_share_upper"] < 0]
    if high.empty and low.empty:
        return "By how often visits end with an order, channels are not told apart beyond chance."
    told = [
        f"{_share(row['buy_share'])} of visits by {row['channel']}"
        for row in [*_rows(high.head(1)), *_rows(low.tail(1))]
    ]
    others = "" if len(told) == 2 else f", {_share((high if len(high) else low).iloc[0]['others_share'])} of others"
    return f"{' and '.join(told)} end with an order{others}."


def _rows(rows: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in rows.iterrows()]


def _judged(plans: pd.DataFrame, *, is_useful: bool) -> pd.DataFrame:
    """Plans whose test takes up to half a year, or longer."""
    known = _shown(plans, "test_days")
    return known[known["is_useful"].astype(bool) == is_useful] if len(known) else known


def _untested(plans: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """A channel that a hold-out would judge in useful time: what it costs, what it is credited with, and the test."""
    for row in _rows(_judged(plans, is_useful=True).head(2)):
        name, days = str(row["channel"]), int(row["test_days"])
        by_people = row["design"] == "visitors"
        how = (
            f"Ask the advertising network of {name} to leave a random half of visitors without it"
            if by_people
            else f"Switch {name} off in a random half of the weeks"
        )
        margin = (
            ""
            if pd.isna(row["margin_amount"])
            else f" and is credited with {_money(row['margin_amount'], page)} of margin"
        )
        proposal: dict[str, Any] = {"proposes": Proposes(metric="conversion", design="experiment")} if by_people else {}
        yield Finding(
            key=f"untested-{_key(name)}",
            sentence=f"{name} costs {_money(row['cost_amount'], page)} a month{margin}; whether it causes any order is untested.",
            kind="described",
            grade="Very low",
            section="holdouts",
            department="Marketing",
            priority=1,
            about=About(metric="conversion", objects=(name,), people=int(row["n_visitors"])),
            action=f"{how} for {format_days(days)} and compare {'their orders' if by_people else 'new customers'}",
            things=(name,),
            due=page.period.end + timedelta(days=_LATER),
            would_tell=f"that test (a hold-out): {_test_told(row, page)}",
            caveat=f"the test shows whether about all orders of that margin are its own; whether the {_share(row['break_even_share'])} "
            "that would pay for it are, it cannot show"
            if margin
            else None,
            **proposal,
        )


def _untestable(plans: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """Channels whose effect is too small beside the ups and downs for any test in half a year: those that cost more than all they are credited with first."""
    rest = _judged(plans, is_useful=False)
    if rest.empty:
        return
    is_dear = rest["cost_amount"] > rest["margin_amount"]
    groups = [part for part in (rest[is_dear], rest[~is_dear]) if len(part)]
    parts = [_compared(part, page, is_first=number == 0) for number, part in enumerate(groups)]
    yield Finding(
        key="untestable",
        sentence=f"{'; '.join(parts)}.",
        kind="described",
        grade="Very low",
        section="holdouts",
        priority=2,
        about=About(objects=tuple(rest["channel"]), people=int(rest["n_visitors"].min())),
        caveat="credited by the visit of the order; a test of each would take over half a year",
    )


def _compared(part: pd.DataFrame, page: Facts, *, is_first: bool) -> str:
    """What channels cost, and how that compares with what they are credited with."""
    cost, margin = part["cost_amount"].sum(), part["margin_amount"].sum(min_count=1)
    said = (
        f"{listed(list(part['channel']), shown=4)} {'costs' if len(part) == 1 else 'cost'} {_money(cost, page)}"
        + " a month" * is_first
    )
    credited = f"the {_money(margin, page)}{' of margin' * is_first} credited"
    return said if pd.isna(margin) else f"{said}, {more_than(cost, margin)} {credited}"


def _models(credit: pd.DataFrame, plans: pd.DataFrame) -> Iterator[Finding]:
    """How far models disagree on the paid channel with the largest credit."""
    paid = set(plans["channel"]) if "channel" in plans.columns else set()
    known = _shown(credit, "last")
    known = known[known["channel"].isin(paid)] if len(known) else known
    if known.empty or not credit["last"].sum() > 0:
        return
    row = known.iloc[0]
    values = row[list(MODELS)].astype("float64") / float(credit["last"].sum())
    yield Finding(
        key="models",
        sentence=f"{count_of(len(MODELS), 'way')} to share out orders (attribution models) credit {row['channel']} with {_share(values.min())} to {_share(values.max())} of them; "
        "nobody was left without it.",
        kind="simulated",
        section="attribution",
        priority=2,
        about=About(metric="orders", objects=(str(row["channel"]),), people=int(row["n_visitors"])),
        estimate=Estimate(value=float(values["last"]), lower=float(values.min()), upper=float(values.max()), n=int(row["n_visitors"]), unit="share",
                          method="visit of the order; ends: span of the models, not of chance"),
    )  # fmt: skip


def _apart(rates: pd.DataFrame) -> Iterator[Finding]:
    """Each channel whose visits end with an order more or less often than others', as a number; told in the answer."""
    known = _shown(rates, "gap_share_lower")
    for row in _rows(known[known["is_apart"].astype(bool)]) if len(known) else ():
        yield Finding(
            key=f"buys-{_key(str(row['channel']))}",
            sentence=f"{_share(row['buy_share'])} of visits by {row['channel']} end with an order, {_share(row['others_share'])} of others.",
            kind="measured",
            section="traffic",
            priority=4,
            is_told=False,
            about=About(metric="session_conversion", objects=(str(row["channel"]),), people=int(row["n_visitors"])),
            estimate=estimate_of(
                row, "gap_share", n=row["n_visitors"], unit="share", method="difference of ratios over visitors"
            ),
        )


def _decay(decays: pd.DataFrame, page: Facts) -> Iterator[Finding]:
    """What became of the newest page whose visits fell back."""
    known = _shown(decays, "half_life_days")
    for row in _rows(known.head(1)):
        title, first, rest = _decay_told(row)
        again: dict[str, Any] = {
            "action": f"Link “{title}” from the home page and e-mails again", "things": (title,), "due": page.period.end + timedelta(days=_LATER),
            "would_tell": f"its visits beside the other pages of {row['section']} in the {format_days(2 * round(row['half_life_days']))} after",
        }  # fmt: skip
        yield Finding(
            key="new-page",
            sentence=f"“{title}” began with {first} times an older page's visits; half of the extra went every "
            f"{format_days(round(row['half_life_days']))}, {rest} times is left.",
            kind="estimated",
            section="decay",
            department="Content",
            priority=3,
            estimate=estimate_of(row, "half_life_days", n=row["n_visits"], unit="days", method="quasi-Poisson decay"),
            about=About(objects=(str(row["page"]),), people=int(row["n_visits"])),
            **(again if row["rest_ratio_upper"] < 1 else {}),
        )  # fmt: skip


def _wanted(calendar: pd.DataFrame) -> Iterator[Finding]:
    """The section that is wanted next, and by when its content should stand."""
    known = _shown(calendar, "index_ratio")
    for row in _rows(known.head(1)):
        section = str(row["section"]).capitalize()
        yield Finding(
            key="season",
            sentence=f"{section} had {_share(row['month_share'])} of visits to sections in {row['month']}, {_share(row['mean_share'])} in an average month.",
            kind="measured",
            section="calendar",
            department="Content",
            priority=3,
            estimate=estimate_of(
                row, "index_ratio", n=row["n_visits"], unit="ratio", method="share of visits over its mean of months"
            ),
            about=About(objects=(str(row["section"]),), people=int(row["n_visits"])),
            action=f"Have new pages for {section} ready six weeks before {row['month']}",
            things=(section,),
            due=row["publish_by"].date(),
            would_tell=f"orders in visits that saw {section} in {row['month']}, against those of the other months",
            caveat="a month seen once may have been an event",
        )


def _key(name: str) -> str:
    return name.casefold().replace(" ", "-")
