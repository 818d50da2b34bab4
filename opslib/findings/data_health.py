"""Sentences of the data health page: whether the data are fit to be evidence, and what each reservation changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

import pandas as pd

from opslib.contracts import CONTRACTS, Violation
from opslib.finding import About, Facts, Finding
from opslib.findings.wording import are, how_many, listed
from opslib.formats import count_of, format_date, format_number, format_share
from opslib.periods import Coverage, Period

DAYS_TO_MEND = 14
#: What a reservation is in the reader's words, and what it changes, by the start of its rule; {n} rows, {share} of them.
_WORDS: dict[tuple[str, str], tuple[str, str]] = {
    ("customer_id", "without customer"): (
        "{share} of order lines are guest orders",
        "they count in revenue, not in customer figures",
    ),
    ("ordered_on", "days without a line"): ("{days} missing", "{months} not compared with other months"),
    ("ordered_on", "first or last day"): ("the first or last day was seen in part", "that day is left out"),
    ("ordered_on", "closed over"): ("{n} days closed over public holidays", "they count as days without sales"),
    ("ordered_on", "weekday on which"): ("{n} days are weekdays on which the shop is closed", "they count as days without sales"),
    ("ordered_on", "closed, says"): ("{n} days on which the shop was closed", "they count as days without sales"),
    ("quantity", "over "): ("{n} order lines have very large quantities", "revenue and units hold them: look at each once"),
    ("quantity", "quantity 0"): ("{n} order lines have the quantity 0", "they bring neither units nor money"),
    ("unit_price", "price 0"): ("{n} order lines have the price 0", "their units count, without money"),
    ("status", "not paid"): ("{share} of order lines are not paid", "they are left out of revenue"),
    ("revenue_amount", "revenue below 0"): ("{n} order lines have revenue below 0", "they lower the revenue of their day"),
    ("session_id", "names the visit"): ("orders do not name their visit", "conversion cannot be known"),
    ("order_id, product_id", "identical lines"): ("{n} order lines repeat another one", "they count: an order may hold a thing twice"),
}  # fmt: skip
_GAPS = {
    "events": "where visitors stop on their way", "sessions": "how many visitors buy", "searches": "what is searched and not found",
    "returns": "what comes back", "reviews": "what disappoints buyers", "stock_levels": "what was out of stock",
    "ad_spend": "what an order costs in advertising",
}  # fmt: skip


def answer(violations: Sequence[Violation], *, page: Facts) -> str:
    """Whether the data are fit to be evidence, and with which reservations.

    Parameters
    ----------
    violations : sequence of Violation
        From `shop.checks.check_shop`.
    page : Facts
        With its period and the days seen.

    Returns
    -------
    str

    Examples
    --------
    >>> from opslib.periods import Coverage, Period
    >>> october = Period.parse("2026-10-01", "2026-10-31")
    >>> page = Facts(title="A shop", period=october, currency="EUR", time_zone="UTC", coverage=Coverage(october.start, october.end))
    >>> guests = Violation("order_lines", "customer_id", "without customer: left out of customer figures", "warning", 30, 0.03, "")
    >>> answer([guests], page=page)
    'Fit to be evidence, with 1 reservation: 3\xa0% of order lines are guest orders.'
    >>> answer([], page=page)
    'Fit to be evidence: every rule of the data holds.'
    """
    errors, warnings = _of(violations, "error"), _of(violations, "warning")
    names = [_what(violation, page) for violation in (errors or warnings)]
    if errors:
        rules = count_of(len(errors), "broken rule")
        return f"Not yet fit to be evidence: {rules} {'makes' if len(errors) == 1 else 'make'} figures wrong ({listed(names)})."
    if warnings:
        return f"Fit to be evidence, with {count_of(len(warnings), 'reservation')}: {listed(names)}."
    return "Fit to be evidence: every rule of the data holds."


def findings(accounting: pd.DataFrame, violations: Sequence[Violation], *, page: Facts) -> tuple[Finding, ...]:
    """Findings of the data health page.

    Parameters
    ----------
    accounting : pandas.DataFrame
        From `shop.checks.health_accounting`.
    violations : sequence of Violation
        From `shop.checks.check_shop`.
    page : Facts
        With its period and the days seen.

    Returns
    -------
    tuple of Finding
        What needs mending, then each reservation with what it changes, then days and rows.
    """
    reserved = (*_of(violations, "error"), *_of(violations, "warning"))
    return (*(_mend(violation, page) for violation in reserved), *_days(page.coverage, page.period), *_rows(accounting))


def reservations(violations: Sequence[Violation], *, page: Facts) -> pd.DataFrame:
    """Every finding of the checks as a row: severity, what it is, what it changes, rows and their share, and where.

    Parameters
    ----------
    violations : sequence of Violation
        From `shop.checks.check_shop`.
    page : Facts
        With the days seen.

    Returns
    -------
    pandas.DataFrame
        weight, what, effect, n_rows, share (0-1), place (table and column).
    """
    weights = {"error": "makes figures wrong", "warning": "reservation", "note": "worth knowing"}
    rows = [
        (
            weights[v.severity],
            _capital(_what(v, page)),
            _effect(v, page),
            v.n_rows,
            v.share,
            f"{v.table} {v.column}".strip(),
        )
        for v in violations
    ]
    return pd.DataFrame(rows, columns=["weight", "what", "effect", "n_rows", "share", "place"])


def doubts(
    violations: Sequence[Violation], *, page: Facts, tables: Collection[str], told: Collection[str]
) -> tuple[str, ...]:
    """What any page says of the data that it read, in one line: errors, and reservations whose effect no page allows for.

    Parameters
    ----------
    violations : sequence of Violation
        From `shop.checks.known_violations`.
    page : Facts
        With the days seen.
    tables : collection of str
        Tables that the page read.
    told : collection of str
        Sentences that stand on it already.

    Returns
    -------
    tuple of str
        None or one, of the two heaviest; guests, missing days and the like are allowed for wherever they matter.
    """
    said = [_sentence(v, page) for v in violations if v.table in tables and (v.severity == "error" or _is_doubt(v))]
    left = [sentence for sentence in dict.fromkeys(said) if sentence not in told]
    more = f" {_capital(how_many(len(left) - 2, 'more reservation'))} on the data health page." if len(left) > 2 else ""
    return (f"Whether its figures are right. {' '.join(left[:2])}{more}",) if left else ()


def _is_doubt(violation: Violation) -> bool:
    return violation.severity == "warning" and _words(violation) is None


def absent_tables(page: Facts) -> str:
    """What further exports would answer, in one line."""
    gaps = [f"{name.replace('_', ' ')} ({words})" for name, words in _GAPS.items() if name not in page.tables]
    others = len(CONTRACTS) - len(page.tables & set(CONTRACTS)) - len(gaps)
    if not gaps and others <= 0:
        return "Every table of the contract is there."
    rest = f"{how_many(others, 'rarer table')}" if others > 0 else ""
    return f"Not in these data: {', '.join(filter(None, [*gaps, rest]))}."


def as_it_was(sorted_rows: pd.DataFrame) -> str:
    """That nothing was set aside, where `shop.checks.sorted_sources` has no row; '' else."""
    return "" if len(sorted_rows) else "Every table was read as it is; nothing was set aside."


def limits(page: Facts) -> tuple[str, ...]:
    """What the data health page cannot say, in one line.

    Returns
    -------
    tuple of str
    """
    month = f", such as {_whole_month(page.coverage.last):%B %Y}," if page.coverage and _is_dated(page.coverage) else ""
    return (
        f"Rules cannot tell whether what was recorded is true: compare the revenue of one month{month} with the books.",
    )


def _whole_month(last: date) -> date:
    """A day of the last month that is over on a day."""
    return last if (last + timedelta(days=1)).day == 1 else last.replace(day=1) - timedelta(days=1)


def _is_dated(coverage: Coverage | None) -> bool:
    """Whether a shop has dates: one without any is about a year before all shops."""
    return coverage is not None and coverage.last.year > 1900


def _of(violations: Sequence[Violation], severity: str) -> list[Violation]:
    return [violation for violation in violations if violation.severity == severity]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _words(violation: Violation) -> tuple[str, str] | None:
    """The reader's words for a known reservation."""
    for (column, start), words in _WORDS.items():
        if violation.table == "order_lines" and violation.column == column and violation.rule.startswith(start):
            return words
    return None


def _sentence(violation: Violation, page: Facts) -> str:
    what, effect = _filled(violation, page)
    return f"{_capital(what)}; {effect}."


def _filled(violation: Violation, page: Facts) -> tuple[str, str]:
    """What a violation is and what it changes, in words; an unknown rule in its own."""
    gone = sorted(page.coverage.missing) if page.coverage else []
    months = list(dict.fromkeys(f"{day:%B %Y}" for day in gone))
    values = {
        "n": format_number(violation.n_rows, step=1),
        "share": _part(violation),
        "days": f"{listed([format_date(day) for day in gone])} {are(len(gone))}" if gone else "days are",
        "months": f"{listed(months)} {are(len(months))}" if months else "their months are",
    }
    if words := _words(violation):
        what, effect = words
        return what.format(**values), effect.format(**values)
    if violation.rule.startswith("found in "):
        target = violation.rule.removeprefix("found in ").partition(".")[0]
        thing = violation.column.removesuffix("_id").replace("_", " ")
        names = f"{count_of(violation.n_rows, 'row')} of {violation.table.replace('_', ' ')} name a {thing}"
        return (
            f"{names} that is not in {target.replace('_', ' ')}",
            f"what {target.replace('_', ' ')} say of it is not known",
        )
    name = " ".join(filter(None, [violation.table, violation.column])).replace("_", " ")
    what, _, effect = violation.rule.partition(": ")
    if effect:  # a rule that says itself what was done
        return f"{_part(violation)} of {violation.table.replace('_', ' ')}: {what}", effect
    return (
        f"{name} breaks the rule '{what}' ({_part(violation)} of rows)",
        "figures of these rows are not to be relied on",
    )


def _part(violation: Violation) -> str:
    """How much of its table a violation concerns: per cent, or a count where that would be under 0.1 %."""
    if violation.share < 0.001:
        return format_number(violation.n_rows, step=1)
    return format_share(violation.share, step=1 if violation.share >= 0.02 else 0.1)


def _what(violation: Violation, page: Facts) -> str:
    return _filled(violation, page)[0]


def _effect(violation: Violation, page: Facts) -> str:
    return _filled(violation, page)[1]


def _rows(accounting: pd.DataFrame) -> Iterator[Finding]:
    """One finding a source of which something was set aside or sent to another table."""
    for source, rows in accounting.groupby("source", sort=False):
        if len(rows) < 2:
            continue
        total = int(rows["n_rows"].sum())
        aside = rows[rows["outcome"] == "set aside"]
        kept = rows[rows["outcome"] == "kept"]
        parts = [
            f"{format_number(int(n), step=1)} became {str(table).replace('_', ' ')}"
            for table, n in kept.groupby("table", sort=False)["n_rows"].sum().items()
        ]
        rest = (
            f" and {format_number(int(aside['n_rows'].sum()), step=1)} "
            f"({format_share(aside['n_rows'].sum() / total)}) were set aside for {count_of(len(aside), 'stated reason')}"
            if len(aside)
            else ""
        )
        yield Finding(
            key=f"rows-{str(source).replace(' ', '-')}",
            sentence=f"Every one of {format_number(total, step=1)} {str(source).replace('_', ' ')} is accounted for: "
            f"{', '.join(parts)}{rest}.",
            kind="measured",
            section="accounting",
            priority=4,
            about=About(people=None),
        )


def _days(coverage: Coverage | None, period: Period) -> Iterator[Finding]:
    """How many days the data hold, where the shop has dates."""
    if coverage is None or not _is_dated(coverage):
        return
    n_seen = coverage.n_observed(period)
    span = f"{format_date(max(coverage.first, period.start))} to {format_date(min(coverage.last, period.end))}"
    said = f"{n_seen:,} of {period.n_days:,} days" if n_seen < period.n_days else f"All {count_of(n_seen, 'day')}"
    yield Finding(
        key="days",
        sentence=f"{said} from {span} are in the data.",
        kind="measured",
        section="days",
        about=About(people=None),
    )


def _mend(violation: Violation, page: Facts) -> Finding:
    is_error = violation.severity == "error"
    where = " ".join(filter(None, [violation.table, violation.column])).replace("_", " ")
    return Finding(
        key=f"rule-{violation.table}-{violation.column}-{violation.rule}"[:80].replace(" ", "-"),
        sentence=_sentence(violation, page),
        kind="measured",
        section="rules",
        role="data",
        priority=1 if is_error else 2,
        is_urgent=is_error,
        action=f"Mend {where} at its source" if is_error else None,
        things=(where,) if is_error else (),
        due=page.period.end + timedelta(days=DAYS_TO_MEND) if is_error else None,
        department="Data" if is_error else None,
        about=About(people=None),
    )
