"""Sentences of the follow-up page: what came true, what did not, what to undo, what is due, how good the promises are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from opslib.finding import About, Facts, Finding
from opslib.findings.wording import estimate_of, how_many, listed
from opslib.formats import count_of, format_estimate
from opslib.proposals.follow_up import BAND, LAUNCHES, MIN_SCORED, UNDO_DAYS, PromiseScores, promises
from opslib.proposals.ledger import Record
from opslib.proposals.overview import BETTER, OUTCOMES, WORSE, outcomes_frame
from opslib.stats.estimates import Estimate
from opslib.stats.shares import share

__all__ = ["answer", "findings", "limits", "promises_sentence", "scores_sentence"]

#: What should lie inside a stored 90 % range.
_BAND_WORDS = "9 in 10"


def outcomes_sentence(outcomes: pd.DataFrame) -> str:
    """How many launches were looked at again, and what came of each: every one counted once.

    Examples
    --------
    >>> outcomes_sentence(pd.DataFrame({"outcome": ["open", "as promised", "open", "worse"]}))
    '4 launches checked: 1 as promised, 2 open, 1 worse.'
    """
    if outcomes.empty:
        return "Nothing that was launched was looked at again yet."
    counts = outcomes["outcome"].value_counts()
    words = [f"{int(counts[word])} {word}" for word in OUTCOMES.values() if word in counts]
    return f"{count_of(len(outcomes), 'launch')} checked: {', '.join(words)}."


def answer(outcomes: pd.DataFrame, due: pd.DataFrame) -> str:
    """What became of what was launched; then what must be undone, else what is overdue.

    Parameters
    ----------
    outcomes : pandas.DataFrame
        From `proposals.overview.outcomes_frame`.
    due : pandas.DataFrame
        From `casework.decide.open_follow_ups`.

    Returns
    -------
    str
    """
    said = outcomes_sentence(outcomes)
    harmful = outcomes[outcomes["outcome"] == OUTCOMES["harmful"]]
    if len(harmful):
        names = [f"{row.name_} ({row.found})" for row in harmful.rename(columns={"name": "name_"}).itertuples()]
        return f"{said} To be undone: {listed(names)}."
    overdue = due[due["is_overdue"].astype(bool)]
    if len(overdue):
        return f"{said} Overdue: {listed([f'{row.proposal} {row.title}' for row in overdue.itertuples()])}."
    return said


def scores_sentence(every: Sequence[PromiseScores]) -> str:
    """How good our forecasts are, in one sentence by the first of the scores; with fewer than ten only the count."""
    if not every:
        return "Nothing that was promised was looked at again yet."
    scores = every[0]
    if scores.coverage_share is None and scores.brier is None:
        return f"{count_of(scores.n, 'promise').capitalize()} looked at again; below {MIN_SCORED} how good they are cannot be told."
    parts = []
    if scores.coverage_share is not None:
        inside = round(scores.coverage_share * scores.n)
        sure = ": they are too narrow" if share(inside, scores.n).upper < BAND else ""
        parts.append(f"{inside_sentence(inside, scores.n).rstrip('.')}{sure}")
    if scores.brier is not None:
        better = scores.brier.score < scores.brier.uncertainty
        parts.append(
            f"what was called likely came true {'oftener' if better else 'not oftener'} than what was called unlikely"
        )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def inside_sentence(inside: int, n: int) -> str:
    """How many results lie inside the ranges that were stored at the decision.

    Examples
    --------
    >>> inside_sentence(7, 7), inside_sentence(1, 1)
    ('All 7 results lie inside the ranges we had predicted.', 'The only result lies inside the range we had predicted.')
    >>> inside_sentence(5, 7)
    '5 of 7 results lie inside the ranges we had predicted; 9 in 10 should.'
    """
    if n == 1:
        return f"The only result lies {'inside' if inside else 'outside'} the range we had predicted."
    if inside == n:
        return f"All {n} results lie inside the ranges we had predicted."
    return f"{inside} of {n} results {'lies' if inside == 1 else 'lie'} inside the ranges we had predicted; {_BAND_WORDS} should."


def promises_sentence(records: Sequence[Record]) -> str:
    """What became of a shop's promises, and how good its forecasts were, in plain words for the index.

    Parameters
    ----------
    records : sequence of Record
        The ledger.

    Returns
    -------
    str
        '' where nothing was decided. Replays speak only where there is nothing else, and it is said.
    """
    every = promises(records)
    if every.empty:
        return ""
    is_replay = bool(every["is_replay"].all())
    outcomes = outcomes_frame(every[every["is_replay"] == is_replay], titles={})
    if outcomes.empty:
        return "Nothing that was launched was looked at again yet."
    known = outcomes["is_inside"].dropna().astype(bool)
    said = outcomes_sentence(outcomes)
    if len(known):
        said += f" {inside_sentence(int(known.sum()), len(known))}"
    return f"{said} Replayed on history." if is_replay else said


def findings(
    outcomes: pd.DataFrame,
    waiting: pd.DataFrame,
    scores: Sequence[PromiseScores],
    *,
    due: pd.DataFrame,
    is_replay: bool = False,
    nets: Mapping[str, Estimate] | None = None,
    page: Facts,
) -> tuple[Finding, ...]:
    """Findings of the follow-up page.

    Parameters
    ----------
    outcomes, waiting : pandas.DataFrame
        From `proposals.overview.outcomes_frame` and `waiting_frame`.
    scores : sequence of PromiseScores
        Of all promises, from `proposals.follow_up.scored_promises`; empty where none was followed up.
    due : pandas.DataFrame
        From `casework.decide.open_follow_ups`.
    is_replay : bool
        The promises were replayed on history: they show the way, not how good the shop's promises are.
    nets : mapping of id to Estimate, or None
        From `casework.judge.yearly_nets`, of what did harm: undoing it is worth as much as it loses.
    page : Facts

    Returns
    -------
    tuple of Finding
        What to undo (one each), what is due (one each), what came true, how good the forecasts are, what was decided
        against the advice.
    """
    if outcomes.empty and waiting.empty:
        return (
            Finding(
                key="nothing-decided",
                sentence="Nothing was decided here yet, so there is not yet a promise to look at again.",
                kind="described",
                section="decisions",
                department="Management",
                about=About(people=None),
            ),
        )
    replayed = " Replayed on history." if is_replay else ""
    how_good = Finding(
        key="how-good",
        sentence=scores_sentence(scores) + replayed,
        kind="measured",
        section="promises",
        priority=4,
        about=About(people=None),
    )
    return (
        *([_came_true(outcomes)] if len(outcomes) else []),
        *(
            _undo(row, page.period.end, net=(nets or {}).get(str(row["proposal"])))
            for _, row in outcomes[outcomes["outcome"].isin(WORSE)].iterrows()
        ),
        *(_due(row) for _, row in due.iterrows()),
        how_good,
        *_against(pd.concat([outcomes, waiting], ignore_index=True)),
    )


def what_was_decided(decided: pd.DataFrame, outcomes: pd.DataFrame, *, is_replay: bool) -> tuple[str, ...]:
    """How much was decided and looked at again, and whether it was a replay."""
    if not len(decided):
        return ("Nothing was decided in this shop yet, so there is not yet a promise to look at again.",)
    replayed = ("All of them are replays on history: they never enter scores of real promises.",) if is_replay else ()
    return (f"{count_of(len(decided), 'decision')}, {how_many(len(outcomes), 'launch')} looked at again.", *replayed)


def undo_sentence(worse: pd.DataFrame) -> str:
    """That nothing must be undone, where it is so; '' else."""
    return "" if len(worse) else "Nothing that was looked at again must be undone."


def limits(page: Facts, outcomes: pd.DataFrame, *, is_replay: bool) -> tuple[str, ...]:
    """What the follow-up page cannot say, in one line."""
    if is_replay:
        return ("Replayed on history: the figures were there before the claims, so nothing here enters a score.",)
    n_open = int((outcomes["outcome"] == OUTCOMES["inconclusive"]).sum())
    if n_open:
        return (f"{n_open} of {len(outcomes)} are open; in the scores each counts by its chance of having worked.",)
    return ("What was rejected was not launched, so whether that was right is not seen here.",)


def harmful_ids(outcomes: pd.DataFrame) -> tuple[str, ...]:
    """Proposals whose launch made things worse."""
    return tuple(str(name) for name in outcomes.loc[outcomes["outcome"] == OUTCOMES["harmful"], "proposal"])


def _undo(row: pd.Series, today: date, *, net: Estimate | None) -> Finding:
    is_harmful = row["outcome"] == OUTCOMES["harmful"]
    verdict = "made it worse" if is_harmful else "did not bring what was promised"
    saved = net.scaled(-1.0, unit=net.unit) if is_harmful and net is not None and net.upper < 0 else None
    costs = f" It costs about {format_estimate(saved)}." if saved is not None else ""
    return Finding(
        key=f"undo-{row['proposal']}".lower(),
        kind="estimated",
        role="promise",
        about=About(objects=(str(row["proposal"]),), people=None),
        estimate=estimate_of(row, "value", unit="relative change", method="follow-up"),
        department=str(row["owner"]),
        sentence=f"{row['name']} {verdict}: {row['found']} where {row['promised']} was promised.{costs}",
        action=f"undo {row['name']}, if it is still on"
        if is_harmful
        else f"undo {row['name']}, unless it costs nothing",
        things=(str(row["name"]),),
        is_urgent=is_harmful,
        worth=saved,
        due=today + timedelta(days=UNDO_DAYS),
        priority=1 if is_harmful else 2,
        section="undo",
    )


def _due(row: pd.Series) -> Finding:
    """A launch that nobody has looked at again."""
    name, is_named = f"{row['proposal']} {row['title']}", not pd.isna(row["due_on"])
    state = f"is {row['state']}" if is_named else "was not named"
    return Finding(
        key=f"follow-up-{row['proposal']}".lower(),
        kind="described",
        about=About(objects=(str(row["proposal"]),), people=None),
        department=str(row["owner"]),
        sentence=f"The follow-up of {name} {state}.",
        action=f"see what came of {name}",
        things=(name,),
        due=row["due_on"] if is_named else None,
        would_tell="the follow-up itself",
        priority=2 if row["is_overdue"] else 3,
        section="due",
    )


def _came_true(outcomes: pd.DataFrame) -> Finding:
    n, better = len(outcomes), int(outcomes["outcome"].isin(BETTER).sum())
    return Finding(
        key="came-true",
        kind="measured",
        estimate=share(better, n),
        section="outcomes",
        sentence=outcomes_sentence(outcomes),
        priority=1,
        about=About(people=None, objects=tuple(str(name) for name in outcomes["proposal"])),
    )


def _against(every: pd.DataFrame) -> Iterator[Finding]:
    is_against = ~every["is_with_recommendation"].astype(bool) & (every["decision"] != every["recommendation"])
    rows = every[is_against]
    if rows.empty:
        return
    launched = rows[rows["decision"].isin(LAUNCHES)]
    seen = launched[launched["outcome"].notna()]
    better = int(seen["outcome"].isin(BETTER).sum())
    tail = f"; of {len(seen)} looked at again, {better} turned out better" if len(seen) else ""
    yield Finding(
        key="against-advice",
        kind="measured",
        section="against",
        sentence=f"{len(rows)} of {count_of(len(every), 'decision')} went against the recommendation{tail}.",
        priority=4,
        about=About(people=None, objects=tuple(str(name) for name in rows["proposal"])),
    )
