"""A judged proposal, and what became of promises, as small tables for pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from opslib.formats import format_estimate, format_number, format_share
from opslib.proposals.desirability import Desirability
from opslib.proposals.feasibility import latest_answers
from opslib.proposals.follow_up import BAND, MIN_SCORED, PromiseScores
from opslib.proposals.results import ProposalResult
from opslib.proposals.schema import Proposal
from opslib.stats.estimates import Estimate
from opslib.stats.shares import share
from opslib.stats.verdict_rule import verdict_of

OUTCOMES = {
    "confirmed": "as promised", "supported": "better but unclear how much", "partly": "better but less than promised",
    "inconclusive": "open", "refuted": "not as promised", "harmful": "worse",
}  # fmt: skip
"""What the follow-up's interval says of the promise, in the words of pages and in the order in which they are told."""
BETTER = tuple(OUTCOMES[state] for state in ("confirmed", "supported", "partly"))
WORSE = tuple(OUTCOMES[state] for state in ("harmful", "refuted"))
_ANSWERS = {"agree": "agrees", "agree_if": "agrees if", "object": "objects"}
_TAIL, _GRID = 0.002, 400
#: Parts of the Brier score: what each is, and what it ideally were.
_BRIER = {
    "score": ("Brier score of the stated probabilities", "0"),
    "reliability": ("its part from wrong words (reliability)", "0"),
    "resolution": ("what the words told apart (resolution)", "as large as the uncertainty"),
    "uncertainty": ("spread of what happened (uncertainty)", "cannot be changed"),
    "within": ("left by binning", "0"),
}


def outcomes_frame(promises: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """Launched proposals that were followed up, with what came of them.

    Parameters
    ----------
    promises : pandas.DataFrame
        From `proposals.follow_up.promises`.
    titles : mapping of str to str
        Title of each proposal.

    Returns
    -------
    pandas.DataFrame
        The rows that were followed up, what came true first and what did harm last, with ``name`` (id and title),
        ``promise_share``, ``predicted_share`` and ``found_share`` (relative effects; with ``_lower``, ``_upper``), ``outcome``
        in words, and ``promised``, ``expected`` and ``found`` as they are written, none rounded onto what it is held against.
    """
    rows = promises[promises["value"].notna()].copy()
    rows["name"] = [f"{name} {titles.get(name, '')}".strip() for name in rows["proposal"]]
    rows["promise_share"] = rows["promise"].astype(float)
    for end in ("", "_lower", "_upper"):
        rows[f"predicted_share{end}"] = rows[f"predicted{end}"].astype(float)
        rows[f"found_share{end}"] = rows[f"value{end}"].astype(float)
    rows["outcome"] = [
        OUTCOMES[verdict_of((low, high), promise=promise, smallest_worthwhile=least)]
        for low, high, promise, least in zip(
            rows["value_lower"], rows["value_upper"], rows["promise"], rows["m"], strict=True
        )
    ]
    rows["promised"] = [format_share(value, signed=True) for value in rows["promise_share"]]
    rows["expected"] = [_written(row, "predicted_share") for _, row in rows.iterrows()]
    rows["found"] = [_written(row, "found_share") for _, row in rows.iterrows()]
    order = rows["outcome"].map({word: place for place, word in enumerate(OUTCOMES.values())})
    rows = (
        rows.assign(_order=order)
        .sort_values(["_order", "found_share"], ascending=[True, False], kind="stable")
        .drop(columns="_order")
    )
    return rows.reset_index(drop=True)


def _written(row: pd.Series, column: str) -> str:
    """A relative effect with its interval, on its side of nothing and of the promise; "not predicted" where there is none."""
    value, lower, upper = (float(row[f"{column}{end}"]) for end in ("", "_lower", "_upper"))
    if np.isnan(value):
        return "not predicted"
    found = Estimate(value=value, lower=lower, upper=upper, n=0, unit="relative change", method="follow-up")
    return format_estimate(found, signed=True, against=(float(row["promise"]),))


def waiting_frame(promises: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """Decisions without a follow-up: proposal, decided_on, decision, person, reason; those against the advice first."""
    rows = promises[promises["value"].isna()].copy()
    rows["name"] = [f"{name} {titles.get(name, '')}".strip() for name in rows["proposal"]]
    return rows.sort_values(["is_with_recommendation", "proposal"], kind="stable").reset_index(drop=True)


def calibration_frame(scores: Sequence[PromiseScores]) -> pd.DataFrame:
    """Bins of stated probability as `charts.draw_calibration` reads them.

    Parameters
    ----------
    scores : sequence of PromiseScores
        Each with the bins of its Brier score, if it has one; an outcome that nobody can tell counts with its probability.

    Returns
    -------
    pandas.DataFrame
        stated, observed, observed_lower, observed_upper (Wilson, 95 %), n.
    """
    bins = [row for one in scores if one.brier is not None for row in one.brier.bins.to_dict("records")]
    rows = []
    for row in bins:
        n, happened = int(row["n"]), float(row["happened_share"])
        ends = share(round(happened * n), n)
        rows.append((float(row["stated_share"]), happened, min(ends.lower, happened), max(ends.upper, happened), n))
    return pd.DataFrame(rows, columns=["stated", "observed", "observed_lower", "observed_upper", "n"])


def scores_frame(scores: Sequence[PromiseScores]) -> pd.DataFrame:
    """Measures of how good the promises are: measure, value, what would be ideal."""
    rows: list[tuple[str, str, str]] = []
    for one in scores:
        rows.append(("promises looked at again", format_number(one.n), f"{MIN_SCORED} or more"))
        if one.coverage_share is not None:
            band = format_share(BAND, step=1.0)
            rows.append((f"found inside the predicted {band}", format_share(one.coverage_share, step=1.0), band))
        if one.mean_crps is not None:
            name = "distance from the prediction (CRPS, relative effect)"
            rows.append((name, format_number(one.mean_crps, step=0.001), "0"))
        if one.brier is not None:
            parts = [getattr(one.brier, name) for name in _BRIER]
            rows += [(n, format_number(v, step=0.001), i) for (n, i), v in zip(_BRIER.values(), parts, strict=True)]
    return pd.DataFrame(rows, columns=["measure", "value", "ideal"])


def money_density(worth: Desirability) -> pd.DataFrame:
    """The net amount as a density, as `charts.draw_posterior` reads it.

    Parameters
    ----------
    worth : Desirability

    Returns
    -------
    pandas.DataFrame
        amount, density; empty where nothing was turned into money.
    """
    after, per_lift, net = worth.posterior, worth.amount_per_lift, worth.net
    if after is None or per_lift is None or net is None or not net.std_error:
        return pd.DataFrame(columns=["amount", "density"], dtype=float)
    lift = np.linspace(after.quantile(_TAIL), after.quantile(1 - _TAIL), _GRID)
    parts = [w * norm.pdf(lift, m, s) for w, m, s in zip(after.weights, after.means, after.sds, strict=True)]
    return pd.DataFrame({"amount": per_lift * lift - worth.cost_amount, "density": np.sum(parts, axis=0) / per_lift})


def claims_frame(result: ProposalResult) -> pd.DataFrame:
    """Claims as `charts.draw_claims` and a table read them.

    Parameters
    ----------
    result : ProposalResult

    Returns
    -------
    pandas.DataFrame
        claim, sentence, metric, design, value, value_lower, value_upper, promise, m, unit, verdict, grade; only claims that were
        measured have numbers.
    """
    rows = [
        {
            "claim": c.claim_id, "sentence": c.sentence, "metric": c.metric, "design": c.design.replace("_", " "),
            "value": getattr(c.measured.effect, "value", float("nan")),
            **{f"value_{end}": getattr(c.measured.effect, end, float("nan")) for end in ("lower", "upper")},
            "promise": c.promise, "m": c.smallest_worthwhile, "verdict": c.label, "grade": c.grade,
            "unit": "relative change" if c.scale == "relative" else c.measured.effect.unit if c.measured.effect else "",
        }
        for c in result.claims
    ]  # fmt: skip
    return pd.DataFrame(rows)


def consultations_frame(proposal: Proposal) -> pd.DataFrame:
    """Every department that the proposal touches, with its answer or its silence.

    Parameters
    ----------
    proposal : Proposal

    Returns
    -------
    pandas.DataFrame
        department, person_days, answer, person, date, note.
    """
    answers = latest_answers(proposal.consultations)
    touched = {proposal.owner: proposal.owner_person_days} | {e.department: e.person_days for e in proposal.departments}
    rows = []
    for department, days in touched.items():
        said = answers.get(department)
        rows.append({
            "department": department, "effort_days": float(days),
            "answer": _ANSWERS[said.answer] if said else "has not answered",
            "person": said.person if said else "", "date": said.date if said else None, "note": said.note if said else "",
        })  # fmt: skip
    return pd.DataFrame(rows)


def gates_frame(result: ProposalResult) -> pd.DataFrame:
    """Every gate of every claim, failed ones first.

    Parameters
    ----------
    result : ProposalResult

    Returns
    -------
    pandas.DataFrame
        claim, gate, status, sentence.
    """
    rows = [(c.claim_id, g.name, g.status, g.sentence) for c in result.claims for g in c.measured.gates]
    frame = pd.DataFrame(rows, columns=["claim", "gate", "status", "what was found"])
    order = frame["status"].map({"failed": 0, "warning": 1, "passed": 2})
    return frame.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def are_replays(promises: pd.DataFrame) -> bool:
    """Whether a ledger holds decisions, all of them replays on history."""
    return len(promises) > 0 and bool(promises["is_replay"].all())


def written_claims(proposal: Proposal) -> pd.DataFrame:
    """The claims of a proposal as its file says them.

    Parameters
    ----------
    proposal : Proposal

    Returns
    -------
    pandas.DataFrame
        One row a claim: claim, metric, scope, window, promise, smallest_worthwhile, follow_up.
    """
    rows = [
        {
            "claim": claim.id, "metric": claim.metric,
            "scope": " and ".join(f"{part.column} {part.op} {part.value}" for part in claim.scope) or "the whole shop",
            "window": claim.window.period.label, "promise": f"{claim.promise:+.3g}", "smallest_worthwhile": f"{claim.smallest_worthwhile:.3g}",
            "follow_up": claim.follow_up.design.replace("_", " ") if claim.follow_up else "none",
        }
        for claim in proposal.claims
    ]  # fmt: skip
    return pd.DataFrame(rows)
