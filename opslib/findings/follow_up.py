"""What became of what was promised, in words: what came true, what did not, what to undo, how good the promises are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from opslib.finding import About, Finding
from opslib.formats import count_of, format_number, format_share
from opslib.proposals.follow_up import BAND, LAUNCHES, MIN_SCORED, PromiseScores, promises, scored_promises
from opslib.proposals.ledger import Record
from opslib.stats.estimates import Estimate
from opslib.stats.scoring import BrierScore
from opslib.stats.shares import share
from opslib.stats.verdict_rule import verdict_of

#: What the follow-up's interval says of the promise, in the words of this page.
_OUTCOMES = {
    "confirmed": "came true", "supported": "came true in direction", "partly": "less than promised",
    "inconclusive": "cannot be told yet", "refuted": "did not come true", "harmful": "made it worse",
}  # fmt: skip
CAME_TRUE = ("came true", "came true in direction")


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
        The rows that were followed up, with ``name`` (id and title), ``promise_share``, ``predicted_share`` and
        ``found_share`` (relative effects; with ``_lower``, ``_upper``) and ``outcome`` in words.
    """
    rows = promises[promises["value"].notna()].copy()
    rows["name"] = [f"{name} {titles.get(name, '')}".strip() for name in rows["proposal"]]
    rows["promise_share"] = rows["promise"].astype(float)
    for end in ("", "_lower", "_upper"):
        rows[f"predicted_share{end}"] = rows[f"predicted{end}"].astype(float)
        rows[f"found_share{end}"] = rows["value" if not end else end[1:]].astype(float)
    rows["outcome"] = [
        _OUTCOMES[verdict_of((low, high), promise=promise, m=least)]
        for low, high, promise, least in zip(rows["lower"], rows["upper"], rows["promise"], rows["m"], strict=True)
    ]
    return rows.reset_index(drop=True)


def waiting_frame(promises: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """Decisions without a follow-up: proposal, decided_on, decision, person, reason; those against the advice first."""
    rows = promises[promises["value"].isna()].copy()
    rows["name"] = [f"{name} {titles.get(name, '')}".strip() for name in rows["proposal"]]
    return rows.sort_values(["is_with_recommendation", "proposal"], kind="stable").reset_index(drop=True)


def calibration_frame(score: BrierScore) -> pd.DataFrame:
    """Bins of stated probability as `charts.draw_calibration` reads them.

    Parameters
    ----------
    score : BrierScore
        With its bins; an outcome that nobody can tell counts with its probability.

    Returns
    -------
    pandas.DataFrame
        stated, observed, lower, upper (Wilson, 95 %), n.
    """
    rows = []
    for row in score.bins.to_dict("records"):
        n, happened = int(row["n"]), float(row["happened_share"])
        ends = share(round(happened * n), n)
        low, high = min(ends.lower, happened), max(ends.upper, happened)
        rows.append({"stated": float(row["stated_share"]), "observed": happened, "lower": low, "upper": high, "n": n})
    return pd.DataFrame(rows, columns=["stated", "observed", "lower", "upper", "n"])


def scores_frame(scores: PromiseScores) -> pd.DataFrame:
    """Measures of how good the promises are: measure, value, what would be ideal."""
    rows: list[tuple[str, str, str]] = [("promises looked at again", format_number(scores.n), f"{MIN_SCORED} or more")]
    if scores.coverage_share is not None:
        band = format_share(BAND, step=1.0)
        rows.append((f"found inside the predicted {band}", format_share(scores.coverage_share, step=1.0), band))
    if scores.mean_crps is not None:
        rows.append(
            ("distance from the prediction (CRPS, relative effect)", format_number(scores.mean_crps, step=0.001), "0")
        )
    if scores.brier is not None:
        part = scores.brier
        ideal = ("0", "0", "as large as the uncertainty", "cannot be changed", "0")
        names = (
            "Brier score of the stated probabilities",
            "its part from wrong words (reliability)",
            "what the words told apart (resolution)",
            "spread of what happened (uncertainty)",
            "left by binning",
        )
        values = (part.score, part.reliability, part.resolution, part.uncertainty, part.within)
        rows += [(n, format_number(v, step=0.001), i) for n, v, i in zip(names, values, ideal, strict=True)]
    return pd.DataFrame(rows, columns=["measure", "value", "ideal"])


def scores_sentence(scores: PromiseScores | None) -> str:
    """How good the promises are, in one sentence; with fewer than ten only the count."""
    if scores is None:
        return "No promise was followed up yet."
    if scores.coverage_share is None and scores.brier is None:
        return (
            f"{count_of(scores.n, 'promise').capitalize()} followed up; below {MIN_SCORED} nothing can be said about how "
            "good they are."
        )
    parts = []
    if scores.coverage_share is not None:
        inside = share(round(scores.coverage_share * scores.n), scores.n)
        word = "too sure of themselves" if inside.upper < BAND else "not shown to be wrong about their own certainty"
        parts.append(
            f"{format_share(scores.coverage_share, step=1.0)} of {scores.n} follow-ups fell inside the predicted "
            f"{format_share(BAND, step=1.0)}: the predictions are {word}"
        )
    if scores.brier is not None:
        better = scores.brier.score < scores.brier.uncertainty
        parts.append(
            f"the stated probabilities score {format_number(scores.brier.score, step=0.001)} (Brier), "
            f"{'better' if better else 'no better'} than always saying the average"
        )
    return f"{'; '.join(parts)}.".replace("..", ".")


def promises_sentence(records: Sequence[Record]) -> str:
    """How good a shop's promises were, in one sentence for the index.

    Parameters
    ----------
    records : sequence of Record
        The ledger.

    Returns
    -------
    str
        How many were found inside their predicted interval, and from ten on the Brier score; '' where nothing was decided.
        Replays speak only where there is nothing else, and it is said.
    """
    every = promises(records)
    if every.empty:
        return ""
    is_replay = bool(every["is_replay"].all())
    followed = every[(every["is_replay"] == is_replay) & every["value"].notna()]
    known = followed["is_inside"].dropna()
    band = format_share(BAND, step=1.0)
    said = f"{int(known.sum())} of {count_of(len(known), 'promise')} inside the predicted {band} interval"
    if known.empty:
        said = "None was looked at again yet" if followed.empty else "None had a prediction to compare with"
    scores = next(iter(scored_promises(records, is_replay=is_replay)), None)
    if scores is not None and scores.brier is not None:
        mean = format_number(scores.brier.uncertainty, step=0.01)
        said += f", Brier score {format_number(scores.brier.score, step=0.01)} (always saying the average: {mean})"
    return f"{said}; replayed on history." if is_replay and len(followed) else f"{said}."


def follow_up_findings(
    outcomes: pd.DataFrame,
    waiting: pd.DataFrame,
    *,
    scores: PromiseScores | None,
    is_replay: bool = False,
) -> tuple[Finding, ...]:
    """Findings of the follow-up page.

    Parameters
    ----------
    outcomes : pandas.DataFrame
        From `outcomes_frame`.
    waiting : pandas.DataFrame
        From `waiting_frame`.
    scores : PromiseScores or None
        Of all promises; None where none was followed up.
    is_replay : bool
        The promises were replayed on history: they show the way, not how good the shop's promises are.

    Returns
    -------
    tuple of Finding
        What came true, what to undo (one each), how good the promises are, what was decided against the advice.
    """
    if outcomes.empty and waiting.empty:
        return (Finding(key="nothing-decided", kind="described", section="What came true", sentence=(
            "Nothing was decided here yet, so no promise can be looked at again."),
            action="write down decisions with opslib proposal decide", department="Management"),)  # fmt: skip
    found = [_came_true(outcomes)] if len(outcomes) else []
    found += [_undo(row) for row in _worse(outcomes).to_dict("records")]
    replayed = (
        " Replayed on history: it shows how promises are scored, not how good this shop's are." if is_replay else ""
    )
    found.append(
        Finding(
            key="how-good",
            sentence=scores_sentence(scores) + replayed,
            kind="measured",
            section="How good the promises are",
            caveat="Follow-ups by before/after hold whatever else changed.",
        )
    )
    every = pd.concat([outcomes, waiting], ignore_index=True)
    if (against := _against(every)) is not None:
        found.append(against)
    return tuple(found)


def follow_up_limits(outcomes: pd.DataFrame, *, is_replay: bool) -> tuple[str, ...]:
    """What the page cannot say."""
    said = ["A promise that was not launched cannot come true: what was rejected is not judged here."]
    if is_replay:
        said.append("These are replays: figures were there before the claims were written, so they enter no score.")
    n_open = int((outcomes["outcome"] == _OUTCOMES["inconclusive"]).sum()) if len(outcomes) else 0
    if n_open:
        said.append(
            f"Of {len(outcomes)} follow-ups, {n_open} cannot tell the promise from nothing; they count with a "
            "probability."
        )
    return tuple(said)


def _worse(outcomes: pd.DataFrame) -> pd.DataFrame:
    return outcomes[outcomes["outcome"].isin(["made it worse", "did not come true"])] if len(outcomes) else outcomes


def _estimate(row: Mapping[Hashable, Any]) -> Estimate:
    value, low, high = (float(row[name]) for name in ("value", "lower", "upper"))
    return Estimate(value=value, lower=low, upper=high, n=0, unit="relative change", method="follow-up")


def _undo(row: Mapping[Hashable, Any]) -> Finding:
    change = f"{format_share(float(row['value']), signed=True, step=1.0)}"
    is_worse = row["outcome"] == "made it worse"
    promised = format_share(float(row["promise"]), signed=True, step=1.0)
    return Finding(
        key=f"undo-{row['proposal']}".lower(),
        kind="estimated",
        role="promise",
        about=About(objects=(str(row["proposal"]),)),
        estimate=_estimate(row),
        department=str(row["owner"]),
        sentence=f"{row['name']} {row['outcome']}: {change} where {promised} was promised.",
        action=f"undo {row['name']}" + ("" if is_worse else ", unless it costs nothing"),
        section="What to undo",
    )


def _came_true(outcomes: pd.DataFrame) -> Finding:
    n, true = len(outcomes), int(outcomes["outcome"].isin(CAME_TRUE).sum())
    counts = outcomes["outcome"].value_counts()
    words = ", ".join(f"{int(counts[word])} {word}" for word in dict.fromkeys(_OUTCOMES.values()) if word in counts)
    estimate = share(true, n)
    return Finding(
        key="came-true",
        kind="measured",
        estimate=estimate,
        section="What came true",
        sentence=f"Of {count_of(n, 'promise')} looked at again, {true} came true at least in direction ({words}).",
    )


def _against(every: pd.DataFrame) -> Finding | None:
    rows = every[~every["is_with_recommendation"].astype(bool)]
    if rows.empty:
        return None
    launched = rows[rows["decision"].isin(LAUNCHES)]
    seen = launched[launched["outcome"].notna()] if "outcome" in launched else launched.head(0)
    true = int(seen["outcome"].isin(CAME_TRUE).sum()) if len(seen) else 0
    tail = f"; of {len(seen)} looked at again, {true} came true at least in direction" if len(seen) else ""
    return Finding(
        key="against-advice",
        kind="measured",
        section="What was decided against the recommendation",
        sentence=f"{len(rows)} of {count_of(len(every), 'decision')} went against the recommendation{tail}.",
    )
