"""The truth bench: how often the product's verdicts are wrong where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import (
    cluster_cells,
    experiment_cells,
    history_cells,
    response_cells,
    rollout_cells,
    series_cells,
)
from benchmarks.truth_scenario import POWER_FLOOR, Family, Replicates, Scenario
from opslib.errors import ParameterError
from opslib.stats.verdict_rule import level_verdict_of, verdict_of

_MODULES = (experiment_cells, cluster_cells, series_cells, history_cells, rollout_cells, response_cells)
CELLS: tuple[Scenario, ...] = tuple(cell for module in _MODULES for cell in module.CELLS)
FAMILIES: Mapping[str, Family] = {cell.design: module.simulate for module in _MODULES for cell in module.CELLS}

#: Targets of item 4 of the protocol.
MAX_WRONG = 0.03
COVERAGE = (0.93, 0.975)
ORACLE_POWER_FROM = 0.30
MAX_INVALID = 0.02
BOUND_LEVEL = 0.999
_SHOWN = {
    "false_support_share": "false support",
    "false_refute_share": "false refute",
    "coverage_share": "coverage",
    "width": "width",
    "power_share": "power",
    "oracle_power_share": "oracle's power",
    "invalid_share": "invalid",
}
_Z = float(stats.norm.ppf(0.975))
_GOOD = ("confirmed", "supported", "partly")
_SMALL = ("partly", "refuted", "harmful")


def run_truth(
    cells: Sequence[Scenario] = CELLS,
    *,
    n_replicates: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Simulate every cell and judge the verdicts against the truth.

    Parameters
    ----------
    cells : sequence of Scenario
        Scenarios; all of them by default.
    n_replicates : int
        Simulated runs a cell.
    seed : int
        Start of the random numbers; the same seed gives the same table.

    Returns
    -------
    DataFrame
        One row a cell: ``design``, ``nuisance``, ``effect``, ``n_replicates``, ``false_support_share``,
        ``false_refute_share``, ``coverage_share``, ``width``, ``power_share``, ``oracle_power_share``,
        ``invalid_share``, ``is_met``, ``missed`` (targets missed, in words).

    Raises
    ------
    ParameterError
        A cell's design has no generator, or no replicates are asked for.

    Examples
    --------
    >>> table = run_truth(CELLS[:1], n_replicates=50)
    >>> table[["design", "effect", "is_met"]].values.tolist()
    [['experiment', '-promise', True]]
    """
    if n_replicates < 1:
        raise ParameterError(f"n_replicates {n_replicates}: at least one run a cell")
    rows = []
    for cell in cells:
        if cell.design not in FAMILIES:
            raise ParameterError(f"design '{cell.design}' has no generator; allowed: {', '.join(FAMILIES)}")
        runs = FAMILIES[cell.design](cell, cell.generator(seed), n_replicates)
        rows.append(figures(cell, runs))
    return pd.DataFrame(rows)


def figures(cell: Scenario, runs: Replicates) -> dict[str, Any]:
    """Figures of one cell and the targets it misses."""
    n, truth = len(runs.value), cell.true_effect
    valid = ~np.broadcast_to(runs.is_invalid, n)
    states = np.array([_state(cell, low, high) for low, high in zip(runs.lower, runs.upper, strict=True)])
    states[~valid] = "invalid"
    low, high = runs.statistical or (runs.lower, runs.upper)
    row: dict[str, Any] = {
        "design": cell.design,
        "nuisance": cell.nuisance,
        "effect": cell.effect,
        "n_replicates": n,
        "false_support_share": _wrong_support(cell, states),
        "false_refute_share": _wrong_refute(cell, states),
        "coverage_share": _within(truth, runs.lower[valid], runs.upper[valid]),
        "width": float(np.median(runs.upper - runs.lower)),
        "power_share": float(np.mean(_is_right(cell, runs.lower, runs.upper) & valid)),
        "oracle_power_share": float(np.mean(_is_right(cell, *_oracle_ends(runs)))),
        "invalid_share": float(np.mean(runs.is_invalid)),
    }
    missed = _missed(cell, row, _within(truth, low[valid], high[valid]), n_valid=int(valid.sum()))
    return row | {"is_met": not missed, "missed": "; ".join(missed)}


def render_truth_markdown(table: pd.DataFrame) -> str:
    """The table of `run_truth` as Markdown: a line of totals, one row a cell, and each floor below the common one.

    Examples
    --------
    >>> print(render_truth_markdown(run_truth(CELLS[:1], n_replicates=50)).splitlines()[0])
    1 of 1 scenarios meet every target; 50 runs each.
    """
    runs = "-".join(str(n) for n in sorted(set(table["n_replicates"])))
    lines = [
        f"{int(table['is_met'].sum())} of {len(table)} scenarios meet every target; {runs} runs each.",
        "",
        "| " + " | ".join(("design", "scenario", "true effect", *_SHOWN.values(), "missed")) + " |",
        "|" + "---|" * 3 + "---:|" * 7 + "---|",
    ]
    for row in table.to_dict("records"):
        cells = ["" if pd.isna(row[name]) else f"{100 * row[name]:.1f} %" for name in _SHOWN]
        lines.append("| " + " | ".join([row["design"], row["nuisance"], row["effect"], *cells, row["missed"]]) + " |")
    return "\n".join([*lines, *_lowered_floors(table)]) + "\n"


def _lowered_floors(table: pd.DataFrame) -> list[str]:
    """Scenarios that are asked for less than the common share of the oracle's power, and why."""
    shown = set(zip(table["design"], table["nuisance"], strict=True))
    lowered = {
        (cell.design, cell.nuisance): cell
        for cell in CELLS
        if cell.power_floor < POWER_FLOOR and (cell.design, cell.nuisance) in shown
    }
    if not lowered:
        return []
    head = (
        f"Power is asked to reach {POWER_FLOOR:.0%} of the oracle's where the oracle's is at least "
        f"{ORACLE_POWER_FROM:.0%}. Less is asked here:"
    )
    return ["", head, ""] + [
        f"- {design}, {nuisance}: {cell.power_floor:.0%}, {cell.floor_reason}"
        for (design, nuisance), cell in lowered.items()
    ]


def _state(cell: Scenario, lower: float, upper: float) -> str:
    if cell.rule == "level":
        return level_verdict_of((lower, upper), threshold=cell.smallest_worthwhile)
    return verdict_of((lower, upper), promise=cell.promise, smallest_worthwhile=cell.smallest_worthwhile)


def _wrong_support(cell: Scenario, states: np.ndarray) -> float:
    """Share of supports although the effect is not above ``smallest_worthwhile`` (a level: although it is at most at the threshold)."""
    return float(np.isin(states, _GOOD).mean()) if cell.true_effect <= cell.smallest_worthwhile else float("nan")


def _wrong_refute(cell: Scenario, states: np.ndarray) -> float:
    """Share of refutations although the promise is kept (a level: although the threshold is reached)."""
    asked = cell.smallest_worthwhile if cell.rule == "level" else cell.promise
    return float(np.isin(states, _SMALL).mean()) if cell.true_effect >= asked else float("nan")


def _is_right(cell: Scenario, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Whether the interval shows what is true: an effect above ``smallest_worthwhile``, or that the promise is not kept."""
    if cell.rule == "level":
        return (
            lower >= cell.smallest_worthwhile
            if cell.true_effect >= cell.smallest_worthwhile
            else upper < cell.smallest_worthwhile
        )
    return lower > cell.smallest_worthwhile if cell.true_effect > cell.smallest_worthwhile else upper < cell.promise


def _oracle_ends(runs: Replicates) -> tuple[np.ndarray, np.ndarray]:
    """Interval of an oracle that knows the spread of the estimate."""
    value, error = runs.oracle or (runs.value, np.full(len(runs.value), np.std(np.log1p(runs.value))))
    return (1 + value) * np.exp(-_Z * error) - 1, (1 + value) * np.exp(_Z * error) - 1


def _within(truth: float, lower: np.ndarray, upper: np.ndarray) -> float:
    return float(np.mean((lower <= truth) & (truth <= upper))) if len(lower) else float("nan")


def _missed(cell: Scenario, row: dict[str, Any], statistical_coverage: float, *, n_valid: int) -> list[str]:
    """Targets that a cell misses; a share counts as missed only if chance does not explain it.

    Coverage is a share of the runs with an answer, so their number bounds it: few answers prove little.
    """
    if cell.kind == "anytime":
        return []
    n = row["n_replicates"]
    missed = [
        name.replace("_share", "").replace("_", " ")
        for name in ("false_support_share", "false_refute_share")
        if _least(row[name], n) > MAX_WRONG
    ]
    if _most(row["coverage_share"], n_valid) < COVERAGE[0]:
        missed.append("coverage too low")
    if cell.kind == "fixed" and _least(statistical_coverage, n_valid) > COVERAGE[1]:
        missed.append("coverage too high")
    oracle, power = row["oracle_power_share"], row["power_share"]
    if cell.is_valid and oracle >= ORACLE_POWER_FROM and power < cell.power_floor * oracle:
        missed.append(f"power below {cell.power_floor:.0%} of the oracle's")
    if cell.is_valid and _least(row["invalid_share"], n) > MAX_INVALID:
        missed.append("invalid although nothing is wrong")
    return missed


def _least(share: float, n: int) -> float:
    """Lower bound of a share at `BOUND_LEVEL`, exact binomial; 0 where the share does not apply."""
    k = 0 if np.isnan(share) else round(share * n)
    return float(stats.beta.ppf(1 - BOUND_LEVEL, k, n - k + 1)) if k > 0 else 0.0


def _most(share: float, n: int) -> float:
    """Upper bound of a share at `BOUND_LEVEL`."""
    return 1.0 if np.isnan(share) else 1 - _least(1 - share, n)
