"""Sentences of the follow-up page: what came true, what did not, what to undo, how good the promises are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from opslib.finding import About, Facts, Finding, answer
from opslib.findings.wording import estimate_of
from opslib.formats import count_of, format_number, format_share
from opslib.proposals.follow_up import BAND, LAUNCHES, MIN_SCORED, PromiseScores, promises
from opslib.proposals.ledger import Record
from opslib.proposals.overview import OUTCOMES, outcomes_frame
from opslib.stats.shares import share

__all__ = ["answer", "findings", "limits", "promises_sentence", "scores_sentence"]

#: What became of a launch, in the words of the index.
_BECAME = {
    "confirmed": "as promised",
    "supported": "better, by how much is open",
    "partly": "better, but less than promised",
    "inconclusive": "still open",
    "refuted": "without the effect",
    "harmful": "worse",
}
CAME_TRUE = (OUTCOMES["confirmed"], OUTCOMES["supported"])
WORSE = (OUTCOMES["refuted"], OUTCOMES["harmful"])


def scores_sentence(every: Sequence[PromiseScores]) -> str:
    """How good the promises are, in one sentence by the first of the scores; with fewer than ten only the count."""
    if not every:
        return "No promise was followed up yet."
    scores = every[0]
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
        What became of the launches that were looked at again, and how often the forecast held; '' where nothing was
        decided. Replays speak only where there is nothing else, and it is said.
    """
    every = promises(records)
    if every.empty:
        return ""
    is_replay = bool(every["is_replay"].all())
    followed = every[(every["is_replay"] == is_replay) & every["value"].notna()]
    if followed.empty:
        return "None was looked at again yet."
    outcomes = outcomes_frame(followed, titles={})["outcome"]
    counts = [(int((outcomes == OUTCOMES[verdict]).sum()), word) for verdict, word in _BECAME.items()]
    said = (
        f"{count_of(len(followed), 'launch')} looked at again: {', '.join(f'{n} {word}' for n, word in counts if n)}."
    )
    if known := int(followed["is_inside"].notna().sum()):
        inside, expected = int(followed["is_inside"].dropna().sum()), round(BAND * known)
        said += f" The forecast held in {inside} of {known}; {expected} would be usual."
    return f"{said} Replayed on history." if is_replay else said


def findings(
    outcomes: pd.DataFrame,
    waiting: pd.DataFrame,
    scores: Sequence[PromiseScores],
    *,
    is_replay: bool = False,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the follow-up page.

    Parameters
    ----------
    outcomes, waiting : pandas.DataFrame
        From `proposals.overview.outcomes_frame` and `waiting_frame`.
    scores : sequence of PromiseScores
        Of all promises, from `proposals.follow_up.scored_promises`; empty where none was followed up.
    is_replay : bool
        The promises were replayed on history: they show the way, not how good the shop's promises are.
    page : Facts

    Returns
    -------
    tuple of Finding
        What came true, what to undo (one each), how good the promises are, what was decided against the advice.
    """
    if outcomes.empty and waiting.empty:
        return (
            Finding(
                key="nothing-decided",
                sentence="Nothing was decided here yet, so no promise can be looked at again.",
                kind="described",
                section="decisions",
                action="write down decisions with opslib proposal decide",
                department="Management",
                about=About(people=None),
            ),
        )
    replayed = (
        " Replayed on history: it shows how promises are scored, not how good this shop's are." if is_replay else ""
    )
    how_good = Finding(
        key="how-good",
        sentence=scores_sentence(scores) + replayed,
        kind="measured",
        section="promises",
        caveat="Follow-ups by before/after hold whatever else changed.",
        about=About(people=None),
    )
    return (
        *([_came_true(outcomes)] if len(outcomes) else []),
        *(_undo(row) for _, row in outcomes[outcomes["outcome"].isin(WORSE)].iterrows()),
        how_good,
        *_against(pd.concat([outcomes, waiting], ignore_index=True)),
    )


def what_was_decided(decided: pd.DataFrame, outcomes: pd.DataFrame, *, is_replay: bool) -> tuple[str, ...]:
    """How much was decided and looked at again, and whether it was a replay."""
    if not len(decided):
        return ("Nothing was decided in this shop yet, so there is no promise to look at again.",)
    replayed = ("All of them are replays on history: they enter no score of real promises.",) if is_replay else ()
    return (f"{len(decided)} decisions, {len(outcomes)} of them looked at again.", *replayed)


def undo_sentence(worse: pd.DataFrame) -> str:
    """That nothing must be undone, where it is so; '' else."""
    return "" if len(worse) else "No follow-up shows that something must be undone."


def limits(page: Facts, outcomes: pd.DataFrame, *, is_replay: bool) -> tuple[str, ...]:
    """What the follow-up page cannot say."""
    said = ["A promise that was not launched cannot come true: what was rejected is not judged here."]
    if is_replay:
        said.append("These are replays: figures were there before the claims were written, so they enter no score.")
    n_open = int((outcomes["outcome"] == OUTCOMES["inconclusive"]).sum())
    if n_open:
        said.append(
            f"Of {len(outcomes)} follow-ups, {n_open} cannot tell the promise from nothing; they count with a "
            "probability."
        )
    return tuple(said)


def _undo(row: pd.Series) -> Finding:
    change = format_share(float(row["value"]), signed=True, step=1.0)
    promised = format_share(float(row["promise"]), signed=True, step=1.0)
    costs = "" if row["outcome"] == OUTCOMES["harmful"] else ", unless it costs nothing"
    return Finding(
        key=f"undo-{row['proposal']}".lower(),
        kind="estimated",
        role="promise",
        about=About(objects=(str(row["proposal"]),), people=None),
        estimate=estimate_of(row, "value", unit="relative change", method="follow-up"),
        department=str(row["owner"]),
        sentence=f"{row['name']} {row['outcome']}: {change} where {promised} was promised.",
        action=f"undo {row['name']}{costs}",
        section="undo",
    )


def _came_true(outcomes: pd.DataFrame) -> Finding:
    n, true = len(outcomes), int(outcomes["outcome"].isin(CAME_TRUE).sum())
    counts = outcomes["outcome"].value_counts()
    words = ", ".join(f"{int(counts[word])} {word}" for word in OUTCOMES.values() if word in counts)
    estimate = share(true, n)
    return Finding(
        key="came-true",
        kind="measured",
        estimate=estimate,
        section="outcomes",
        sentence=f"Of {count_of(n, 'promise')} looked at again, {true} came true at least in direction ({words}).",
        about=About(people=None),
    )


def _against(every: pd.DataFrame) -> Iterator[Finding]:
    rows = every[~every["is_with_recommendation"].astype(bool)]
    if rows.empty:
        return
    launched = rows[rows["decision"].isin(LAUNCHES)]
    seen = launched[launched["outcome"].notna()]
    true = int(seen["outcome"].isin(CAME_TRUE).sum())
    tail = f"; of {len(seen)} looked at again, {true} came true at least in direction" if len(seen) else ""
    yield Finding(
        key="against-advice",
        kind="measured",
        section="against",
        sentence=f"{len(rows)} of {count_of(len(every), 'decision')} went against the recommendation{tail}.",
        about=About(people=None),
    )
