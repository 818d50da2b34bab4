"""Draft of a proposal from a finding, with a list of what only people can fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from opslib.contracts import CONTRACTS
from opslib.errors import ParameterError, ProposalError
from opslib.finding import Finding, Proposes
from opslib.metrics import METRICS
from opslib.proposals.parsing import proposal_yaml
from opslib.proposals.schema import Proposal

#: Days between the finding and the change; whole weeks of the claim's window and of its follow-up.
LEAD_DAYS, WINDOW_DAYS = 28, 56
#: Stands where no day is known: a draft must be valid, and nobody takes it for a plan.
SOMEDAY = date(2100, 1, 4)
#: Stands where the finding gives no size.
PLACEHOLDER = 0.05
_SMALLEST, _LARGEST = 0.001, 1.0
_COLUMN_TABLES = ("order_lines", "products", "sessions", "customers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalDraft:
    """A proposal that a finding suggests, and what is still to be filled in.

    Parameters
    ----------
    id : str
        Of the proposal.
    text : str
        YAML in the proposal's own schema; ``to_do`` stands in it, which marks it as a draft that cannot be frozen.
    to_do : tuple of str
        One sentence a gap: field, what stands there now, and why a person must say it.
    """

    id: str
    text: str
    to_do: tuple[str, ...]


def draft(
    finding: Finding, *, as_of: date | None = None, page: str | None = None, proposal_id: str | None = None
) -> ProposalDraft:
    """Draft a proposal from a finding that says what to do.

    Parameters
    ----------
    finding : Finding
        With an action.
    as_of : date or None
        Last day of the data, from which the start is proposed; the finding's own ``due``, else nothing, unless given.
    page : str or None
        Page that argues the finding, to be named beside it.
    proposal_id : str or None
        The finding's key unless given.

    Returns
    -------
    ProposalDraft
        Metric, scope and promise from the finding where it has them, else proposed and named in ``to_do``.

    Raises
    ------
    ProposalError
        The finding has no action.

    Examples
    --------
    >>> from opslib.finding import About
    >>> finding = Finding(key="segment-at-risk", sentence="204 customers have not ordered for 127 days.", kind="measured",
    ...     action="at risk: a personal win-back", department="Customer service",
    ...     about=About(scope=(("segment", "at risk"),)), proposes=Proposes(metric="purchase_rate", design="experiment"))
    >>> made = draft(finding, as_of=date(2026, 10, 31))
    >>> print(made.text.splitlines()[2])
    title: 'At risk: a personal win-back'
    >>> made.to_do[0]
    "claims.metric: the finding names none; 'purchase_rate' is proposed for what the action is about"
    """
    if not finding.action:
        raise ProposalError(
            f"finding '{finding.key}' has no action, so it proposes nothing; draft one that says what to do (its page "
            "lists them under 'What to do'; opslib proposal draft SHOP names their keys)"
        )
    name = proposal_id or re.sub(r"[^A-Za-z0-9]+", "-", finding.key).strip("-")[:64].rstrip("-") or "draft"
    proposed = finding.proposes or Proposes(metric=finding.about.metric or "revenue", design="before_after")
    if proposed.metric not in METRICS:
        raise ParameterError(
            f"finding '{finding.key}': metric '{proposed.metric}' is not in the registry, so no claim can be drafted"
        )
    metric, (scope, left), start = METRICS[proposed.metric], _scope(finding), _start(finding, as_of)
    end = start + timedelta(days=WINDOW_DAYS - 1)
    promise, why = _promise(finding, metric.name)
    claim = {
        "id": "c1",
        "sentence": f"We expect {metric.title.lower()} to {'fall' if metric.direction < 0 else 'rise'} by {100 * promise:.3g} %.",
        "metric": metric.name,
        "unit": metric.unit_of_analysis,
        "scope": scope,
        "design": _design(proposed, metric.unit_of_analysis, start=start, name=name),
        "promise": promise,
        "window": {"start": start, "end": end},
        "follow_up": _follow_up(proposed, end),
    }
    to_do = tuple(_to_do(finding, proposed, unit=metric.unit_of_analysis, left=left, promise=why, start=start))
    argued = f" on page {page}" if page else ""
    basis = [{"page": page, "finding": finding.key}] if page else []
    proposal = Proposal.model_validate({
        "id": name, "title": _sentence(finding.action)[:120], "change": _sentence(finding.action),
        "need": f"{finding.sentence[:900]} (finding '{finding.key}'{argued})", "owner": finding.department or "Somebody",
        "start": start, "deadline": end, "claims": [claim], "rests_on": basis, "to_do": list(to_do),
    })  # fmt: skip
    head = "# A draft: what stands under to_do is still to be said. Delete each line once it is; docs/proposals.md helps.\n"
    return ProposalDraft(id=name, text=head + proposal_yaml(proposal), to_do=to_do)


def _scope(finding: Finding) -> tuple[list[dict[str, Any]], list[str]]:
    """Filters on columns of the contracts, and what no table can express."""
    found, left = [], []
    for column, value in finding.about.scope:
        table, _, name = column.rpartition(".")
        tables = [t for t in ([table] if table else _COLUMN_TABLES) if t in CONTRACTS and name in CONTRACTS[t].names]
        if tables and CONTRACTS[tables[0]].column(name).kind == "string":
            found.append({"column": f"{tables[0]}.{name}", "op": "eq", "value": value})
        else:
            left.append(f"{column} = {value}")
    return found, left


def _start(finding: Finding, as_of: date | None) -> date:
    """The Monday from which on the change can be there."""
    day = finding.due or (as_of + timedelta(days=LEAD_DAYS) if as_of else SOMEDAY)
    return day + timedelta(days=-day.weekday() % 7)


def _design(proposed: Proposes, unit: str, *, start: date, name: str) -> dict[str, Any]:
    if proposed.design == "experiment":
        control = "hold_back" if unit == "customer" else "control"
        return {
            "kind": "experiment",
            "experiment": name,
            "control": control,
            "treatment": "treated",
            "randomised": unit,
        }
    if proposed.design == "elasticity":
        return {"kind": "elasticity", "price_change": _price_change(proposed)}
    return {"kind": "before_after", "changed_on": start}


def _price_change(proposed: Proposes) -> float:
    return -PLACEHOLDER if proposed.change is None else proposed.change


def _promise(finding: Finding, metric: str) -> tuple[float, str]:
    """Size of the promise, and where it comes from."""
    worth, estimate = finding.worth, finding.estimate
    same_unit = worth and estimate and worth.unit.partition("/")[0] == estimate.unit.partition("/")[0]
    ratio = worth.value / estimate.value if worth and estimate and same_unit and estimate.value > 0 else 0.0
    if _SMALLEST <= ratio <= _LARGEST:
        return float(f"{ratio:.2g}"), "what it is worth, over what the figure is now"
    is_change = estimate is not None and estimate.unit == "relative change" and finding.about.metric == metric
    if estimate is not None and is_change and _SMALLEST <= abs(estimate.value) <= _LARGEST:
        return float(f"{abs(estimate.value):.2g}"), "as large as the change that was found"
    size = f"says that it is worth {worth.value:,.0f} {worth.unit}, but not" if worth else "does not say"
    return PLACEHOLDER, f"a placeholder: the finding {size} by how much the metric moves"


def _follow_up(proposed: Proposes, end: date) -> dict[str, Any]:
    window = {"start": end + timedelta(days=1), "end": end + timedelta(days=WINDOW_DAYS)}
    if proposed.design == "experiment":
        return {"design": "hold_out", "hold_out_share": 0.1, "window": window}
    return {"design": "before_after", "window": window}


def _to_do(
    finding: Finding, proposed: Proposes, *, unit: str, left: list[str], promise: str, start: date
) -> Iterator[str]:
    if not finding.about.metric:
        yield f"claims.metric: the finding names none; '{proposed.metric}' is proposed for what the action is about"
    if left and proposed.design == "experiment":
        yield (
            f"claims.scope: {' and '.join(left)} is no column of the shop's tables; only these {unit}s may "
            "enter the test, so say who draws them, and keep that list"
        )
    elif left:
        yield f"claims.scope: {' and '.join(left)} is no column of the shop's tables; name the products as a filter"
    elif not finding.about.scope:
        yield "claims.scope: the finding names no part of the shop; add filters, or let the claim hold for all of it"
    yield f"claims.promise: {promise}; write what you would bet on, and m, the smallest change worth having"
    change = _price_change(proposed)
    yield {
        "experiment": "claims.design: a random part is held back; name the experiment under which the table experiments "
        "will hold who got what",
        "elasticity": f"claims.design: a price {100 * abs(change):g} % {'lower' if change < 0 else 'higher'} stands there; "
        "say which price moves, and by how much",
        "before_after": "claims.design: before and after shows the least; draw lots if that can be done, or name control_scope",
    }[proposed.design]  # fmt: skip
    chosen = "no day is known to the finding" if start == SOMEDAY else f"{start} is proposed"
    yield f"start: {chosen}; check start, deadline, and the windows of claim and follow-up"
    if not finding.department:
        yield "owner: the finding names no department"
    yield "owner_person_days: nobody but the departments knows the effort; add departments, one_off_cost_amount, running_cost_amount"
    yield "stated_probability: say how likely the change is to be worth having; it is scored later"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
