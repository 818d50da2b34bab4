"""Sentences about demand: what visitors look for and do not find, what buyers complain about, and the one table of needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from opslib.demand import MISSPELT, NOT_CLICKED, RATES, Themes, UnmetNeeds
from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import are, estimate_of, listed
from opslib.formats import count_of, format_date, format_estimate, format_money, format_share, is_missing
from opslib.privacy import redact
from opslib.proposals.drafting import LEAD_DAYS
from opslib.proposals.schema import Proposal
from opslib.shop.choices import NO_DATES
from opslib.stats.estimates import Estimate
from opslib.suppression import counted, suppressed

NAMED, TOLD, LISTED, THEMES = 3, 2, 10, 5
"""Needs that the answer names, that are told with what to do, that stand among the findings at all; themes among the needs."""
_MONTH_DAYS = 365.25 / 12
_STEPS = {NOT_CLICKED: "Look through what the search shows first", MISSPELT: "let the search correct slips in spelling"}
_COLUMNS = (
    "need", "shown_by", "n_per_month", "worth_most_amount", "trend", "department", "next_step", "status", "n_people",
)  # fmt: skip


def findings(
    rates: pd.DataFrame,
    unmet: UnmetNeeds,
    complaints: Themes,
    proposals: Mapping[str, Proposal] | None = None,
    *,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the demand page.

    Parameters
    ----------
    rates : pandas.DataFrame
        From `demand.search_rates`; may be empty, as everything here.
    unmet : UnmetNeeds
        From `demand.unmet_needs`.
    complaints : Themes
        From `demand.text_themes` of the reviews.
    proposals : mapping of str to Proposal, or None
        The shop's; a need that one names has no action of its own.
    page : Facts
        With its period and currency.

    Returns
    -------
    tuple of Finding
        The largest needs that nothing meets, misspelt words, what buyers complain about, needs that have been met, and rates.
    """
    needs = _shown(unmet)
    still_open = [row for row in needs if not row["is_met"] and row["kind"] != MISSPELT]
    found = [_need(row, place, unmet, proposals or {}, page) for place, row in enumerate(still_open[:LISTED])]
    slips = [_spelling(row, unmet, page) for row in needs if row["kind"] == MISSPELT]
    is_first = bool(slips) and max(map(_most, needs)) == max(_most(row) for row in needs if row["kind"] == MISSPELT) > 0
    found = [*slips, *found] if is_first else [*found, *slips]
    found += list(_complaint(complaints, page))
    found += [_met(row) for row in needs if row["is_met"]]
    return (*found, *_rates(rates))


def answer(rates: pd.DataFrame, unmet: UnmetNeeds, complaints: Themes, *, page: Facts) -> str:
    """What visitors look for and do not find, how often a search ends so, and the most that all needs bring; else what buyers complain about; '' where nothing is known."""
    told = []
    needs = _shown(unmet)
    names = [f"“{row['need']}”" for row in needs if not row["is_met"] and row["kind"] != MISSPELT][:NAMED]
    known = suppressed(rates).dropna(subset=["failed_share"]) if len(rates) else rates
    shares = {str(row["outcome"]): row for _, row in known.iterrows()}
    if names:
        told.append(f"Visitors look for {listed(names)} and do not find {'it' if len(names) == 1 else 'them'}.")
    if (nothing := shares.get(RATES["is_zero_result"])) is not None:
        slips = next((row["n_without_result"] for row in needs if row["kind"] == MISSPELT), 0)
        share = f"{_share(nothing['failed_share'])} of searches find nothing"
        of_them = f"; {_share(slips / nothing['n_failed'])} of these misspell what is there" if slips else ""
        told.append(f"{share}{of_them}.")
    still_open = [row for row in needs if not row["is_met"]]
    if len(still_open) > 1 and unmet.visit_value is not None:
        most = sum(_most(row) for row in still_open)
        told.append(f"Meeting all {len(still_open)} needs together would bring {_up_to(most, unmet, page)}.")
    passed = shares.get(RATES["is_not_clicked"])
    if not names and passed is not None:
        told.append(f"{_share(passed['failed_share'])} of searches with results are not clicked.")
    if not told and len(complaints.themes):
        told.append(f"Buyers complain of {listed([f'“{name}”' for name in complaints.themes['theme'].head(NAMED)])}.")
    return " ".join(told)


def need_rows(
    unmet: UnmetNeeds, complaints: Themes, proposals: Mapping[str, Proposal] | None = None, *, page: Facts
) -> pd.DataFrame:
    """The one table of needs: what shows each, people and money a month, trend, who acts, what next, and what became of it.

    Parameters
    ----------
    unmet, complaints
        As for `findings`.
    proposals : mapping of str to Proposal, or None
        The shop's; one that holds all main words of a need is its status.
    page : Facts
        With its period and currency.

    Returns
    -------
    pandas.DataFrame
        One row a need: need, shown_by, n_per_month (visits whose search fails, or complaints; missing without dates), worth_most_amount (a month, the upper end of the interval, not below 0; missing
        where not known), trend, department, next_step, status, n_people. Those still open first, by people.
    """
    factor = _MONTH_DAYS / page.period.n_days if _is_dated(page) else float("nan")
    rows: list[dict[str, Any]] = []
    for row in _shown(unmet):
        (department, step), status = _step(row), _status(row, proposals or {}, page)
        named = "watch" if row["is_met"] else f"see {status.partition(':')[0]}"
        rows.append({
            "need": row["need"], "shown_by": f"searches: {row['kind']}" + (f" ({row['query']})" if row["query"] else ""),
            "n_per_month": round(row["visits_per_month"]) if _is_dated(page) else float("nan"), "worth_most_amount": max(row["worth_amount_upper"], 0.0),
            "trend": _trend(row), "next_step": named if status != "open" else f"{department}: {step}",
            "status": status, "n_people": row["n_people"],
        })  # fmt: skip
    for _, row in suppressed(complaints.themes).dropna(subset=["n_complaints"]).head(THEMES).iterrows():
        rows.append({
            "need": f"less of: {row['theme']}", "shown_by": "reviews of few stars", "n_per_month": row["n_complaints"] * factor if is_missing(factor) else round(row["n_complaints"] * factor),
            "worth_most_amount": float("nan"), "trend": _trend(row), "status": "open",
            "next_step": "Product control: " + (f"check {listed(list(row['products']))}" if row["products"] else "read the quotes"),
            "n_people": row["n_complaints"],
        })  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    frame["is_over"] = frame["status"].str.startswith("met")
    ordered = frame.sort_values(["is_over", "n_people", "need"], ascending=[True, False, True], ignore_index=True)
    return counted(ordered.drop(columns="is_over"), "n_people", by=("need",), adds_up=False)


def need_heads(rows: pd.DataFrame) -> dict[str, str]:
    """Heads of `need_rows`: visits or reviews a month, or people in all where the data have no dates; money where it is known."""
    often = (
        {"n_per_month": "visits or reviews a month"} if rows["n_per_month"].notna().any() else {"n_people": "people"}
    )
    heads = {"need": "need", "shown_by": "shown by", **often, "trend": "trend"}
    money = {"worth_most_amount": "worth up to, a month"} if rows["worth_most_amount"].notna().any() else {}
    return heads | money | {"next_step": "who does what next", "status": "status"}


def none_note(unmet: UnmetNeeds) -> str:
    """That too few searches fail, where searches are known and so it is."""
    if not unmet.unmet_share.n or _shown(unmet):
        return ""
    return "Too few searches fail, or go without a click, to be told from chance."


def unrecorded_note(rates: pd.DataFrame) -> str:
    """What the log of searches does not record, where it records any search."""
    absent = (
        [words.partition(",")[0] for words in RATES.values() if words not in set(rates["outcome"])]
        if len(rates)
        else []
    )
    return f"Not recorded here, so not told: {listed(absent)}." if absent else ""


def theme_rows(themes: Themes) -> pd.DataFrame:
    """Themes with their products and quotes in words."""
    frame = suppressed(themes.themes)
    return frame.assign(
        products=[listed(list(names)) if len(names) else "" for names in frame["products"]],
        quotes=[" · ".join(f"“{quote}”" for quote in quotes) for quotes in frame["quotes"]],
    )


def limits(page: Facts) -> tuple[str, ...]:
    """What the demand page cannot say."""
    if "searches" in page.tables:
        return (
            "A need shows here only where somebody typed it: who looked through the lists and left is not counted.",
        )
    return ("Searches are not recorded here, so only buyers who wrote something are heard.",)


def _shown(unmet: UnmetNeeds) -> list[pd.Series]:
    """Needs that the page may show, by number, those not met first."""
    known = suppressed(unmet.needs).dropna(subset=["n_visits"])
    rows = [row.copy() for _, row in known.iterrows()]
    for row in rows:
        row["need"] = redact(str(row["need"]))
    return rows


def _is_dated(page: Facts) -> bool:
    return page.period != NO_DATES


def _share(value: float) -> str:
    return format_share(float(value), step=1.0 if value >= 0.0995 else 0.1)


def _a_month(value: float) -> float:
    return max(round(float(value)), 1)


def _step(row: pd.Series) -> tuple[str, str]:
    """Who acts on a need, and what comes next."""
    if row["kind"] in _STEPS:
        return "Technology", _STEPS[row["kind"]].format(row["need"])
    n_ours = 0 if is_missing(row["n_products"]) else int(row["n_products"])
    if n_ours:
        return "Technology", f"have the search lead “{row['need']}” to our {count_of(n_ours, 'product')} of that name"
    return "Buying", f"check whether we sell “{row['need']}” under another word, and only if not, list a few products"


def _trend(row: pd.Series) -> str:
    """How the need's share moved from the first half of the period to the second."""
    if is_missing(row["trend_change"]):
        return "too few to tell"
    change = estimate_of(row, "trend_change", unit="relative change", method="ratio of shares of two halves, log scale")
    return format_estimate(change, signed=True) if change.excludes(0.0) else "steady"


def _status(row: pd.Series, proposals: Mapping[str, Proposal], page: Facts) -> str:
    """Met by products that have come, named by a proposal, or open."""
    if row["is_met"]:
        n, on = int(row["n_new_products"]), row["met_on"]
        return "met" + (f" since {format_date(on)}: {count_of(n, 'new product')}" if n and not is_missing(on) else "")
    for name, proposal in sorted(proposals.items()):
        said = _plain(f"{proposal.title} {proposal.need} {proposal.change or ''}")
        if row["words"] and {_single(word) for word in row["words"]} <= said:
            return f"{name}: {'from' if proposal.start > page.period.end else 'since'} {format_date(proposal.start)}"
    return "open"


def _plain(text: str) -> set[str]:
    return {_single(word) for word in re.findall(r"\w+", text.lower())}


def _single(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 else word


def _most(row: pd.Series) -> float:
    """The most that a need may bring a month; 0 where that is not known."""
    return 0.0 if is_missing(row["worth_amount_upper"]) else max(float(row["worth_amount_upper"]), 0.0)


def _up_to(most: float, unmet: UnmetNeeds, page: Facts) -> str:
    money = format_money(float(f"{most:.2g}"), page.currency, step=1.0)
    return f"up to {money} {'margin' if unmet.is_margin else 'revenue'} a month"


def _worth(row: pd.Series, unmet: UnmetNeeds, page: Facts) -> Estimate | None:
    if unmet.visit_value is None:
        return None
    method = "visits whose search failed x value of a visit that found; draws"
    return estimate_of(row, "worth_amount", n=row["n_visits"], unit=f"{page.currency}/month", method=method)


def _need(row: pd.Series, place: int, unmet: UnmetNeeds, proposals: Mapping[str, Proposal], page: Facts) -> Finding:
    """One need that nothing meets: visits, the bound of its money, what to do."""
    name, (department, step), status = row["need"], _step(row), _status(row, proposals, page)
    worth = _worth(row, unmet, page)
    money = f"; worth {_up_to(_most(row), unmet, page)}" if worth else ""
    acts = place < TOLD and status == "open"
    ends = "click little of what they find" if row["kind"] == NOT_CLICKED else "do not find it"
    return Finding(
        key="need-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
        kind="estimated",
        section="needs",
        sentence=f"{count_of(_a_month(row['visits_per_month']), 'visit')} a month search for “{name}” or the like and {ends}{money}.",
        estimate=worth,
        worth=worth if unmet.is_worth else None,
        grade="Low",
        priority=1 if place < TOLD else 4,
        is_told=place < TOLD,
        department=department,
        about=About(people=int(row["n_people"])),
        caveat=f"proposal {status}"
        if status != "open"
        else "A visit that failed may differ in other ways from one that found something."
        if place == 0
        else None,
        **(_acted(step, (name,), page, is_worth=unmet.is_worth, design="before_after") if acts else {}),
    )


def _acted(action: str, things: tuple[str, ...], page: Facts, *, is_worth: bool = False, design: Any) -> dict[str, Any]:
    would = (
        "a test on half of the visitors for eight weeks"
        if design == "experiment"
        else "what the first few sell in eight weeks"
    )
    due = page.period.end + timedelta(days=LEAD_DAYS)
    return {"action": action[0].upper() + action[1:], "things": things, "due": due, "would_tell": None if is_worth else would, "proposes": Proposes(metric="zero_result_rate", design=design)}  # fmt: skip


def _spelling(row: pd.Series, unmet: UnmetNeeds, page: Facts) -> Finding:
    words = [f"“{word}”" for word in str(row["query"]).split("; ") if word]
    visits = count_of(_a_month(row["visits_per_month"]), "visit")
    named, worth = f": {listed(words)}" if words else "", _worth(row, unmet, page)
    money = f"; correcting it would bring {_up_to(_most(row), unmet, page)}" if worth else ""
    return Finding(
        key="spelling", kind="measured", section="needs", priority=1, worth=worth if unmet.is_worth else None, department="Technology", about=About(people=int(row["n_people"])),
        sentence=f"{visits} a month misspell a word that the shop has, and find nothing{money}.",
        **(_acted(f"{_STEPS[MISSPELT]}{named}", ("spelling",), page, is_worth=unmet.is_worth, design="experiment")),
    )  # fmt: skip


def _met(row: pd.Series) -> Finding:
    n, on = int(row["n_new_products"]), row["met_on"]
    since = f" since {format_date(on, year=False)}" if not is_missing(on) else ""
    by = f" by {count_of(n, 'new product')}" if n else ""
    return Finding(
        key="met-" + re.sub(r"[^a-z0-9]+", "-", str(row["need"]).lower()).strip("-"), kind="measured", section="needs", priority=3,
        sentence=f"“{row['need']}” is met{by}{since}: its searches find something now.", about=About(people=int(row["n_people"])),
    )  # fmt: skip


def _complaint(complaints: Themes, page: Facts) -> Iterator[Finding]:
    """Of the largest themes of complaints the one whose products come back; where returns are not known, the largest."""
    known = (
        suppressed(complaints.themes).dropna(subset=["n_complaints"]) if len(complaints.themes) else complaints.themes
    )
    if known.empty:
        return
    row = known.head(THEMES).sort_values("return_share", ascending=False, kind="stable", na_position="last").iloc[0]
    n = count_of(_a_month(row["n_complaints"] * _MONTH_DAYS / page.period.n_days), "review") + " a month"
    n = n if _is_dated(page) else count_of(row["n_complaints"], "review")
    products = tuple(redact(str(name)) for name in row["products"])
    of = f", above all of {products[0]}" if products else ""
    back = f"; {_share(row['return_share'])} of such products came back" if not is_missing(row["return_share"]) else ""
    step: dict[str, Any] = {
        "action": f"Check {listed(list(products))} for “{row['theme']}”", "things": products,
        "due": page.period.end + timedelta(days=LEAD_DAYS) if _is_dated(page) else None, "would_tell": "their stars and returns in the eight weeks after",
    }  # fmt: skip
    leads = [names[0] for names in known["products"] if len(names)]
    n_led = leads.count(row["products"][0]) if products else 0
    several = f"{products[0]} is named first in {n_led} of {count_of(len(known), 'theme')}" if n_led > 1 else None
    yield Finding(
        caveat=several, key="complaint", kind="measured", section="complaints", priority=2, department="Product control",
        sentence=f"{n} complain of “{row['theme']}”{of}{back}.", about=About(people=int(row["n_complaints"])),
        **(step if products else {}),
    )  # fmt: skip


def _rates(rates: pd.DataFrame) -> Iterator[Finding]:
    """The rates as numbers for the index; the answer tells those that matter."""
    known = suppressed(rates).dropna(subset=["failed_share"]) if len(rates) else rates
    for _, row in known.iterrows():
        share = estimate_of(
            row, "failed_share", n=row["n_people"], unit="share", method="ratio over people, delta method"
        )
        yield Finding(
            key="searches-" + next(name for name, words in RATES.items() if words == row["outcome"]).removeprefix("is_").replace("_", "-"),
            kind="measured", section="searches", is_told=False, priority=4, estimate=share, about=About(people=int(row["n_people"])),
            sentence=f"{format_estimate(share)} of searches {are(2)} so: {row['outcome']}.",
        )  # fmt: skip
