"""Sentences of the investigation: whether a figure moved, when, where, what fits it, and what stays unexplained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import pandas as pd

from opslib.finding import About, Facts, Finding, Proposes
from opslib.findings.wording import are, estimate_of, largest, listed, moved
from opslib.formats import count_of, format_date, format_estimate, format_number, format_share, format_value
from opslib.investigation import FigureChange, Question
from opslib.metrics import METRICS
from opslib.periods import Period
from opslib.stats.estimates import Estimate
from opslib.stats.power import needed_units
from opslib.suppression import suppressed

DAYS_TO_ACT = 14
USUAL = "within the usual ups and downs"
ASKED = 385
"""People of whom a share is known within five points either way (Wald, 95 %, at one half)."""
SHOWN_CAUSES = 12
#: Who knows of each kind of thing, what would confirm it, what would refute it, and the test that would tell.
_TEST = "a test with {n} in all, half of them without it"
_KINDS = {
    "release": ("Technology", "visits it touched, with and without it", "the same step among visits that it did not touch", _TEST),
    "content": ("Content", "visits to the pages it changed", "the same step on other pages", _TEST),
    "outage": ("Technology", "error logs and tickets of those days", "orders as usual on those days", "the error logs"),
    "price": ("Buying", "units of the products whose price changed", "the same step where prices stayed", "four weeks with half of these products back at the old price"),
    "promotion": ("Marketing", "what the promoted part did, and the weeks after", "the same step where nothing was promoted", "four weeks without it in half of the regions"),
    "campaign": ("Marketing", "visits by that channel", "the same step in other channels", "four weeks without it in half of the regions"),
    "stock": ("Buying", "sales of the products that were out", "the same step where stock lasted", "sales once they are back"),
    "competitor": ("Buying", "sales of what the competitor also sells", "the same step elsewhere", "sales once prices are level again"),
}  # fmt: skip
_UNKNOWN_KIND = ("Data", "who was touched by it", "the same step among all others", _TEST)
_FACTORS = {
    "view_item": ("visitors who see a product", "see a product"),
    "add_to_cart": ("viewers who fill a cart", "fill a cart"),
    "begin_checkout": ("carts that go to the checkout", "begin the checkout"),
    "order": ("checkouts that end in an order", "order"),
}
#: What a section without rows says where the figure did not move beyond chance, and where it did.
_EMPTY = {
    "factors": ("A change that may be chance is not split into parts.", "The parts of this figure are not known here."),
    "slices": (
        "Nor is it looked for among groups.",
        "It moved alike in every group that could be told apart, or too little to tell.",
    ),
    "causes": (
        "Nor is a cause looked for.",
        "Nothing that is written down or seen in other tables was at work in one period alone.",
    ),
}
_VERDICTS = {
    "fits": "fits", "against": "clear, the other way", "not clear": "not clear", "cannot be told": "cannot be told here",
}  # fmt: skip


def question_title(change: FigureChange, *, question: Question, page: Facts) -> str:
    """The figure of both periods in one line: the title of the page's figure."""
    if question.metric is None or math.isnan(change.after):
        return ""
    if question.baseline is None:
        return f"{question.metric.title}, {question.period.label}"
    before, after = _both(change, question, page)
    return f"{question.metric.title}: {before} in {_when(question.baseline)}, {after} in {_when(question.period)}"


def answer(change: FigureChange, causes: pd.DataFrame, *, question: Question, page: Facts) -> str:
    """Whether the figure moved, and what fits it, in one or two sentences; '' where nothing can be compared."""
    if question.metric is None or question.baseline is None or math.isnan(change.change):
        return ""
    name, before, after = question.metric.title, *_both(change, question, page)
    then, now = _when(question.baseline), _when(question.period)
    if change.verdict == "chance":
        return f"{name} was {after} in {now}, {USUAL} against {then} ({before}). There is nothing to explain."
    told = f"{name} {moved(change.change)} from {before} in {then} to {after} in {now}: {_size(change, question)}."
    if change.verdict == "data":
        return f"{told} But {count_of(change.n_missing, 'day')} of both periods {are(change.n_missing)} missing, so it may be the data."
    if change.verdict == "season":
        return f"{told} The same step came a year earlier ({format_share(change.season, step=1, signed=True)}): it is the season."
    return f"{told} {_because(change, causes, question)}"


def _because(change: FigureChange, causes: pd.DataFrame, question: Question) -> str:
    fits = causes[causes["verdict"] == "fits"] if len(causes) else causes
    if len(fits):
        best, whole = fits.iloc[0], format_share(change.after / change.before - 1, step=1, signed=True)
        return f"{_quoted(best)} fits best, and explains {format_share(best['brought_share'], step=1, signed=True)} of the {whole}."
    if change.verdict == "season unknown":
        return "Whether that is the season cannot be told: the data do not hold the same days a year earlier."
    return "Of what is known to have happened, nothing clearly fits."


def findings(
    change: FigureChange,
    levels: pd.DataFrame,
    factors: pd.DataFrame,
    mix: Mapping[str, float],
    slices: pd.DataFrame,
    causes: pd.DataFrame,
    left: Estimate | None,
    *,
    question: Question,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the investigation.

    Parameters
    ----------
    change : FigureChange
        From `investigation.measured_change`.
    levels, factors, slices, causes : DataFrame
        From the functions of these names in `investigation`.
    mix : mapping of str to float
        From `investigation.mix_and_rate`.
    left : Estimate or None
        From `investigation.unexplained`.
    question : Question
        Figure and periods.
    page : Facts
        With currency and period.

    Returns
    -------
    tuple of Finding
        Where the figure moved beyond chance: what brought it and what to do, where, when, what stays unexplained and whom to ask.
    """
    if not change.is_beyond_chance or question.metric is None or question.baseline is None:
        return ()
    slices, factors = suppressed(slices).dropna(subset=["size_share"]), suppressed(factors)
    return (
        *_cause(change, causes, question, page),
        *_unexplained(change, left, levels, slices, question, page),
        *_where(change, slices, mix, question, page),
        *_factor(change, factors, question, page),
        *_level(levels, change, question, page),
    )


def _cause(change: FigureChange, causes: pd.DataFrame, question: Question, page: Facts) -> Iterator[Finding]:
    """The best fit, and what would confirm it."""
    fits = causes[causes["verdict"] == "fits"] if len(causes) else causes
    for rank, (_, row) in enumerate(fits.head(2).iterrows()):
        department, *_, test = _KINDS.get(row["kind"], _UNKNOWN_KIND)
        people = needed_units(change.variation, change=row["effect_share"])
        effect = estimate_of(row, "effect_share", unit="relative change", method="step in its part, others taken off")
        lasts = pd.isna(row["ended_on"]) or row["ended_on"] > pd.Timestamp(page.period.end)
        began = f"began on {format_date(row['started_on'])}"
        yield Finding(
            key=f"cause-{rank + 1}",
            sentence=f"{_quoted(row)} {began}; {_part_of(row)} moved by {format_estimate(effect, signed=True)} against the rest.",
            kind="estimated", estimate=effect, grade="Low", section="causes", priority=1 + rank, department=department if lasts else None,
            action=f"Test {_quoted(row)} against the state before it" if lasts else None,
            things=(str(row["description"]),) if lasts else (),
            due=page.period.end + timedelta(days=DAYS_TO_ACT) if lasts else None,
            would_tell=test.format(n=f"{format_number(people)} people") if lasts else None,
            caveat="Whatever else began on the same day in the same part fits as well.",
            proposes=Proposes(metric=_metric(question), design="experiment") if lasts else None,
            about=About(metric=_metric(question), scope=_scope(row), people=None),
        )  # fmt: skip


def _scope(row: pd.Series) -> tuple[tuple[str, str], ...]:
    what, _, value = str(row["scope"]).partition(":")
    return ((what, value),) if what in ("device", "country", "channel", "category") else ()


def _unexplained(
    change: FigureChange,
    left: Estimate | None,
    levels: pd.DataFrame,
    slices: pd.DataFrame,
    question: Question,
    page: Facts,
) -> Iterator[Finding]:
    """What remains, and whom to ask."""
    if left is None:
        return
    whole = format_share(change.after / change.before - 1, step=1, signed=True)
    when = _last_level(levels, change, question)
    between = _span(when) if when is not None else f"since {format_date(question.baseline.end)}"  # type: ignore[union-attr]
    who = f"{ASKED} people of {slices.iloc[0]['group']}" if len(slices) else f"{ASKED} visitors or buyers"
    is_open = left.excludes(0.0)
    yield Finding(
        key="unexplained",
        sentence=f"Of {whole}, {format_estimate(left, signed=True)} stay unexplained{'' if is_open else ', which chance alone could leave'}.",
        kind="estimated", estimate=left, section="unexplained", priority=2,
        department="Data" if is_open else None,
        action=f"Ask every department what else changed {between}" if is_open else None,
        things=("what is not in the list of changes",) if is_open else (),
        due=page.period.end + timedelta(days=DAYS_TO_ACT) if is_open else None,
        would_tell=f"their answers; one question to {who} (five points either way)" if is_open else None,
        about=About(metric=_metric(question), people=None),
    )  # fmt: skip


def _where(
    change: FigureChange, slices: pd.DataFrame, mix: Mapping[str, float], question: Question, page: Facts
) -> Iterator[Finding]:
    """Which slice stands out, or that none does; and what only the mix of visitors brought."""
    if len(slices):
        row = slices.iloc[0]
        values = [_value(row[side], question, page) for side in ("before", "after")]
        carried = row["carried_share"]
        also = f", {format_share(carried, step=1)} of the change" if 0 < carried <= 1 else ""
        yield Finding(
            key="where",
            sentence=f"{str(row['group']).capitalize()} stands out: from {values[0]} to {values[1]}, {format_share(row['size_share'], step=1, signed=True)} beyond the others{also}.",
            kind="estimated", section="slices", priority=3,
            about=About(metric=_metric(question), scope=tuple((str(c), str(v)) for c, v in row["scope"]), people={"before": int(row["n_before"]), "after": int(row["n_after"])}),
        )  # fmt: skip
    if mix and abs(mix["mix"]) > abs(mix["rate"]):
        yield Finding(
            key="mix",
            sentence=f"Who came explains {_amount(mix['mix'], question, page)} of the change, what they did {_amount(mix['rate'], question, page)}.",
            kind="measured", section="slices", priority=3, about=About(metric=_metric(question), people=None),
        )  # fmt: skip


def _factor(change: FigureChange, factors: pd.DataFrame, question: Question, page: Facts) -> Iterator[Finding]:
    """The factor with the largest part of the change."""
    known = factors.dropna(subset=["effect_amount"]) if len(factors) else factors
    known = known[known["effect_amount"] * (change.after - change.before) > 0] if len(known) else known
    if known.empty:
        return
    row, word = largest(known.assign(size=known["effect_amount"].abs()), "size")
    yield Finding(
        key="factor",
        sentence=f"The {word} part: {factor_name(row['factor'])}, {_amount(row['effect_amount'], question, page)} of {_amount(change.after - change.before, question, page)}.",
        kind="measured", section="factors", priority=4, about=About(metric=_metric(question), people={"before": int(row["n_before"]), "after": int(row["n_after"])}),
        caveat="Bookkeeping: where to look, not yet why.",
    )  # fmt: skip


def _level(levels: pd.DataFrame, change: FigureChange, question: Question, page: Facts) -> Iterator[Finding]:
    """When the level changed in the direction of the change."""
    row = _last_level(levels, change, question)
    if row is None:
        yield Finding(
            key="when", sentence="The change came slowly or in small steps: it has none that could be dated.", kind="described",
            section="course", priority=5, about=About(metric=_metric(question), people=None),
        )  # fmt: skip
        return
    yield Finding(
        key="when",
        sentence=f"The level {moved(row['change_share'])} around {format_date(row['day'])} ({_span(row)}), by {format_share(abs(row['change_share']), step=1)}.",
        kind="estimated", section="course", priority=5, about=About(metric=_metric(question), people=None),
    )  # fmt: skip


def limits(change: FigureChange, causes: pd.DataFrame, *, question: Question) -> tuple[str, ...]:
    """What the page cannot say of this figure, in one line."""
    if question.metric is None or question.baseline is None:
        return ("Nothing earlier was seen as a whole, so figures cannot be compared.",)
    if not change.is_beyond_chance:
        return ("A change smaller than the usual ups and downs may still be there, and would not be seen.",)
    parts = []
    untold = causes[causes["verdict"] == "cannot be told"] if len(causes) else causes
    if len(untold):
        parts.append(
            f"whether {listed([str(text) for text in untold['description']])} had a part (its visitors or products cannot be told apart)"
        )
    if change.verdict == "season unknown":
        parts.append("whether the season explains it (the same days a year earlier are not in the data)")
    return (
        (f"Not known here: {', '.join(parts)}.",)
        if parts
        else ("Causes that nobody wrote down, and that these tables do not show, are not seen.",)
    )


def checks(change: FigureChange, *, question: Question) -> pd.DataFrame:
    """What was checked before the change was believed, one row a check: check, result."""
    if question.metric is None or question.baseline is None or math.isnan(change.change):
        return pd.DataFrame(columns=["check", "result"])
    chance = "beyond the usual ups and downs" if change.verdict != "chance" else USUAL
    season = "not known: those days are not in the data" if math.isnan(change.season) else (
        "the same days of the year are compared" if question.period.year_before() == question.baseline else format_share(change.season, step=1, signed=True)
    )  # fmt: skip
    rows = [
        ("Change, with its range", f"{_size(change, question)}; {chance}"),
        ("What days and weekdays alone would bring", format_share(change.calendar, step=1, signed=True)),
        ("The same step a year earlier", season),
        ("Days missing in the data", str(change.n_missing)),
        (
            "People behind the figure",
            f"{count_of(change.n_before, 'person')} before, {count_of(change.n_after, 'person')} after".replace(
                "persons", "people"
            ),
        ),
    ]
    return pd.DataFrame(rows, columns=["check", "result"])


def factor_rows(factors: pd.DataFrame, *, question: Question, page: Facts) -> pd.DataFrame:
    """Factors as a table of words: factor, before, after, effect, other (by the second method)."""
    shown = suppressed(factors)
    rows = [
        (factor_name(row["factor"]), *(format_number(row[side]) if row[side] > 1 or row["factor"] not in _FACTORS else format_share(row[side], step=0.1) for side in ("before", "after")),
         _amount(row["effect_amount"], question, page), _amount(row["shapley_amount"], question, page))
        for _, row in shown.iterrows()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["factor", "before", "after", "effect", "other"])


def slice_rows(slices: pd.DataFrame, *, question: Question, page: Facts) -> pd.DataFrame:
    """Slices as a table of words: group, before, after, size (beyond the others), carried (share of the change)."""
    rows = [
        (row["group"], *(_value(row[side], question, page) for side in ("before", "after")), format_share(row["size_share"], step=1, signed=True),
         format_share(row["carried_share"], step=1))
        for _, row in suppressed(slices).dropna(subset=["size_share"]).iterrows()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "before", "after", "size", "carried"])


def shaded(question: Question) -> dict[str, tuple[date, date]]:
    """First and last day of the compared periods, by name: what the figure shades."""
    parts = [part for part in (question.baseline, question.period) if part is not None]
    return {part.label: (part.start, part.end) for part in parts}


def known_parts(change: FigureChange, causes: pd.DataFrame, left: Estimate | None) -> pd.DataFrame:
    """The change, what is known of it and what is left, one row each: part, size."""
    if left is None:
        return pd.DataFrame(columns=["part", "size"])
    known = causes[causes["verdict"].isin(["fits", "against"])] if len(causes) else causes
    rows = [("Calendar", format_share(change.calendar, step=1, signed=True))]
    rows += [(_quoted(row), format_share(row["brought_share"], step=1, signed=True)) for _, row in known.iterrows()]
    rows += [
        ("Unexplained", format_estimate(left, signed=True)),
        ("Change", format_share(change.after / change.before - 1, step=1, signed=True)),
    ]
    return pd.DataFrame(rows, columns=["part", "size"])


def why_empty(change: FigureChange, rows: pd.DataFrame, *, section: str) -> str:
    """Why a section has no rows; '' where it has some.

    Parameters
    ----------
    change : FigureChange
        From `investigation.measured_change`.
    rows : DataFrame
        What the section would show.
    section : {"factors", "slices", "causes"}
        Its name.
    """
    if len(rows):
        return ""
    return _EMPTY[section][change.is_beyond_chance]


def unit_of_figure(question: Question, *, page: Facts) -> str:
    """Unit of the axis of the figure's course."""
    return "count" if question.metric is None else _unit(question, page) or question.metric.name


def factor_name(factor: str) -> str:
    """A factor in the reader's words."""
    return _FACTORS[factor][0] if factor in _FACTORS else factor.replace("_", " ")


def cause_rows(causes: pd.DataFrame) -> pd.DataFrame:
    """Causes as a table of words, the best fit first: what, part, effect, brought, fit, confirms, refutes."""
    rows = []
    for _, row in causes.head(SHOWN_CAUSES).iterrows():
        _, confirms, refutes, _ = _KINDS.get(row["kind"], _UNKNOWN_KIND)
        days = format_date(row["started_on"]) + (
            "" if pd.isna(row["ended_on"]) else f" to {format_date(row['ended_on'])}"
        )
        effect, brought = (
            "not known"
            if pd.isna(row[name])
            else format_estimate(estimate_of(row, name, unit="relative change"), signed=True)
            for name in ("effect_share", "brought_share")
        )
        fit = _VERDICTS[row["verdict"]] + (
            ", and the course dates it so" if row["verdict"] == "fits" and row["is_timed"] else ""
        )
        rows.append((f"{row['description']} ({days})", _part_of(row), effect, brought, fit, confirms, refutes))
    return pd.DataFrame(rows, columns=["what", "part", "effect", "brought", "fit", "confirms", "refutes"])


def _metric(question: Question) -> str:
    assert question.metric is not None
    return question.metric.name


def _unit(question: Question, page: Facts) -> str:
    unit = METRICS[_metric(question)].unit
    return page.currency if unit == "money" else "" if unit == "count" else unit


def _value(value: float, question: Question, page: Facts, *, scale: float = 0.0) -> str:
    unit = _unit(question, page)
    return format_value(value, unit, step=0.1 if unit == "share" else None, scale=scale)


def _amount(value: float, question: Question, page: Facts) -> str:
    """A difference of the figure, with its sign; of shares in points."""
    unit = _unit(question, page)
    return format_value(
        value, "points" if unit == "share" else unit, step=0.1 if unit == "share" else None, signed=True
    )


def _both(change: FigureChange, question: Question, page: Facts) -> tuple[str, str]:
    top = max(change.before, change.after)
    return _value(change.before, question, page, scale=top), _value(change.after, question, page, scale=top)


def _size(change: FigureChange, question: Question) -> str:
    unit = "points" if METRICS[_metric(question)].unit == "share" else "relative change"
    return format_estimate(
        Estimate(value=change.change, lower=change.lower, upper=change.upper, n=change.n_after, unit=unit, method=""),
        signed=True,
    )


def _when(period: Period) -> str:
    whole = Period.parse(str(period.start.replace(day=1)), str(period.end)).split("month")
    return f"{period.start:%B %Y}" if len(whole) == 1 and whole[0].label == period.label else period.label


def _quoted(row: pd.Series) -> str:
    return f"“{str(row['description']).partition(',')[0]}”"


def _part_of(row: pd.Series) -> str:
    what, _, value = str(row["scope"]).partition(":")
    return f"{what} {value}".replace("_", " ") if value else "the whole shop"


def _span(row: pd.Series) -> str:
    first, last = (format_date(row[f"day_{end}"]) for end in ("lower", "upper"))
    return f"on {first}" if first == last else f"between {first} and {last}"


def _last_level(levels: pd.DataFrame, change: FigureChange, question: Question) -> pd.Series | None:
    """The last level change in the direction of the figure's, after the baseline; an earlier one may have been taken back."""
    if levels.empty or question.baseline is None:
        return None
    same = levels[levels["change_share"] * (change.after - change.before) > 0]
    same = same[same["day_upper"] > pd.Timestamp(question.baseline.end)]
    return same.iloc[-1] if len(same) else None
