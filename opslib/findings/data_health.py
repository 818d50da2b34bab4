"""Sentences of the data health page: whether the data are fit to be evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from opslib.contracts import Violation
from opslib.finding import Facts, Finding, answer
from opslib.findings.wording import are
from opslib.formats import count_of, format_date, format_number, format_share
from opslib.periods import Coverage, Period

__all__ = ["answer", "findings", "limits"]


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
            The verdict first, then rows, days, and what needs mending, worst first.

        Examples
        --------
        >>> from opslib.periods import Coverage, Period

    __all__ = ["answer", "findings", "limits"]
        >>> rows = pd.DataFrame({"source": ["orders"], "outcome": ["kept"], "table": ["order_lines"], "reason": ["sale"],
        ...     "n_rows": [9]})
        >>> october = Period.parse("2026-10-01", "2026-10-31")
        >>> page = Facts(title="A shop", period=october, currency="EUR", time_zone="UTC", coverage=None)
        >>> findings(rows, [], page=page)[0].sentence
        'The data are fit to be evidence: no rule of their contracts is broken.'
    """
    errors = [v for v in violations if v.severity == "error"]
    warnings = [v for v in violations if v.severity == "warning"]
    days = [_days(page.coverage, page.period)] if page.coverage else []
    return (
        _verdict(errors, warnings),
        *_rows(accounting),
        *days,
        *(_mend(violation) for violation in (*errors, *warnings)),
    )


def limits(page: Facts) -> tuple[str, ...]:
    """What the data health page cannot say."""
    return (
        "Whether what was recorded is true: a wrong price that is a number breaks no rule.",
        "What was never recorded: orders by telephone, visitors who refused to be measured.",
        "Rules are checked table by table and between tables, not against the shop's accounts; compare one month's revenue "
        "with the books once.",
    )


def _verdict(errors: Sequence[Violation], warnings: Sequence[Violation]) -> Finding:
    if errors:
        text = (
            f"The data are not yet fit to be evidence: {count_of(len(errors), 'rule')} {are(len(errors))} broken in a way that "
            "makes figures wrong."
        )
    elif warnings:
        text = f"The data are fit to be evidence with {count_of(len(warnings), 'reservation')}, named below."
    else:
        text = "The data are fit to be evidence: no rule of their contracts is broken."
    return Finding(key="verdict", sentence=text, kind="measured", section="rules")


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
            sentence=f"Every one of {format_number(total, step=1)} {source} is accounted for: "
            f"{', '.join(parts)}{rest}.",
            kind="measured",
            section="accounting",
        )


def _days(coverage: Coverage, period: Period) -> Finding:
    n_seen, missing = coverage.n_observed(period), sorted(d for d in coverage.missing if period.contains(d))
    gap = ""
    if missing:
        gap = f"; missing within the data: {', '.join(format_date(day) for day in missing[:3])}"
        gap += f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return Finding(
        key="days",
        sentence=f"{n_seen:,} of {period.n_days:,} days were observed, {format_date(coverage.first)} to "
        f"{format_date(coverage.last)}{gap}.",
        kind="measured",
        section="days",
        caveat="Months with missing days are marked and not compared." if missing else None,
    )


def _mend(violation: Violation) -> Finding:
    where = f"{violation.table}.{violation.column}" if violation.column else violation.table
    is_error = violation.severity == "error"
    return Finding(
        key=f"rule-{violation.table}-{violation.column}-{violation.rule}"[:80].replace(" ", "-"),
        sentence=f"{where}: {violation.rule} ({count_of(violation.n_rows, 'row')}, {format_share(violation.share)}).",
        kind="measured",
        section="rules",
        role="data",
        action=f"mend {where} at its source" if is_error else None,
        department="Data" if is_error else None,
    )
