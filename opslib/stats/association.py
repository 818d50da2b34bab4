"""Association of pairs: observed against expected co-occurrence, tests with false-discovery control, linked groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import gammainc, gammaincc, gammaincinv

from opslib.errors import ParameterError
from opslib.stats.multiplicity import false_discovery_rates

Direction = Literal["more", "less"]
N_FITTING_STEPS = 60
LINKED_SHARE = 0.5
"""Two groups become one where at least this share of the pairs between them is linked."""


def expected_together(counts: pd.DataFrame, strata: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Sets that would hold both items of a pair if items fell into sets by chance, given how large each set is.

    In a stratum of set sizes items are drawn independently, conditional on the size; weights are fitted such that every
    item meets as many others as it did. So neither large sets nor items of large sets look associated.

    Parameters
    ----------
    counts : DataFrame
        ``item``, ``stratum``, ``n`` (sets of the stratum that hold it), ``n_others`` (other items in these sets,
        summed): of every item that occurs in ``pairs``.
    strata : DataFrame
        ``stratum``, ``n_sets``, ``n_items`` and ``n_others`` (sums of k and of k(k - 1) over sets of k items, rare items
        too).
    pairs : DataFrame
        ``item_a``, ``item_b``.

    Returns
    -------
    ndarray, shape (n_pairs,)
        Expected counts.

    Notes
    -----
    Joint chances of conditional Bernoulli draws: Hajek (1964), Annals of Mathematical Statistics 35:1491-1523; margins by
    iterative proportional fitting (Deming and Stephan 1940). Items not in ``counts`` are taken as many and each rare.

    Examples
    --------
    >>> counts = pd.DataFrame({"item": ["a", "b", "c"], "stratum": 2, "n": 20, "n_others": 20})
    >>> strata = pd.DataFrame({"stratum": [2], "n_sets": [30], "n_items": [60], "n_others": [60]})
    >>> expected_together(counts, strata, pd.DataFrame({"item_a": ["a"], "item_b": ["b"]})).round(6).tolist()
    [10.0]
    """
    sizes = strata[strata["n_others"] > 0].set_index("stratum").sort_index()
    n, items, others = (sizes[name].to_numpy(dtype="float64") for name in ("n_sets", "n_items", "n_others"))
    held, met = (
        counts.pivot_table(index="item", columns="stratum", values=name, aggfunc="sum", fill_value=0).reindex(
            columns=sizes.index, fill_value=0
        )
        for name in ("n", "n_others")
    )
    without = 1 - held.to_numpy(dtype="float64") / n
    spread = np.maximum(items / n - ((1 - without) ** 2).sum(axis=0), 1e-3)
    target = met.to_numpy(dtype="float64") / n
    rest = np.maximum(others / n - target.sum(axis=0), 0.0)
    weight, rare = 1 - without, np.sqrt(rest)
    for _ in range(N_FITTING_STEPS):
        total, apart = weight.sum(axis=0) + rare, (without * weight).sum(axis=0) + rare
        reach = total - weight - without * (apart - without * weight) / spread
        rare = np.sqrt(rare * rest / np.maximum(total - apart / spread, 1e-9))
        weight = np.sqrt(weight * target / np.maximum(reach, 1e-9))
    one, two = (held.index.get_indexer(pd.Index(pairs[name])) for name in ("item_a", "item_b"))
    bound = np.maximum(1 - without[one] * without[two] / spread, 0.0)
    return np.asarray((weight[one] * weight[two] * bound) @ n)


def pair_tests(
    observed: np.ndarray,
    expected: np.ndarray,
    *,
    dispersion: np.ndarray,
    n_tested: int,
    side: Direction = "more",
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Observed against expected counts of many pairs, with false discoveries controlled over all pairs that were tested.

    Parameters
    ----------
    observed, expected : ndarray, shape (n_pairs,)
        Times that both occurred, and that chance would give.
    dispersion : ndarray, shape (n_pairs,)
        Variance of the count over its mean: 1 where occurrences are independent, the sum of squares over the sum
        where they come in clusters (several of one unit).
    n_tested : int
        Pairs that were looked at, those not in the arrays included (they count as unassociated).
    side : {"more", "less"}
        Direction of the test.
    confidence_level : float
        Level of each interval.

    Returns
    -------
    DataFrame
        ``ratio`` (observed over expected), ``ratio_lower``, ``ratio_upper``, ``p_value`` (one-sided), ``q_value``.

    Raises
    ------
    ParameterError
        Fewer pairs tested than given, or an unknown side.

    Notes
    -----
    Poisson tails on counts divided by the dispersion; interval of Garwood (1936); Benjamini and Hochberg (1995).

    Examples
    --------
    >>> found = pair_tests(np.array([10.0]), np.array([4.0]), dispersion=np.ones(1), n_tested=1)
    >>> found[["ratio", "p_value"]].round(4).values.tolist()
    [[2.5, 0.0081]]
    """
    if n_tested < len(observed):
        raise ParameterError(f"n_tested: {n_tested} is below the {len(observed)} pairs given")
    if side not in ("more", "less"):
        raise ParameterError(f"side: '{side}' is not one of more, less")
    n, mean, tail = observed / dispersion, np.maximum(expected, 1e-12) / dispersion, (1 - confidence_level) / 2
    p = gammainc(n, mean) if side == "more" else gammaincc(n + 1, mean)
    with np.errstate(invalid="ignore"):
        lower = np.where(n > 0, gammaincinv(n, tail), 0.0) / mean
    out = {"ratio": n / mean, "ratio_lower": lower, "ratio_upper": gammaincinv(n + 1, 1 - tail) / mean}
    return pd.DataFrame({**out, "p_value": p, "q_value": false_discovery_rates(p, n_tested=n_tested)})


def linked_groups(links: Sequence[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Groups of items most of whose pairs are linked (average linkage), so that one false link cannot chain two groups.

    Parameters
    ----------
    links : sequence of (item, item)
        Pairs found linked, strongest first: of equal merges the stronger link decides.

    Returns
    -------
    dict of item to int
        Group of each linked item, 0 first; numbered by the smallest item.

    Notes
    -----
    Sokal and Michener (1958).

    Examples
    --------
    >>> linked_groups([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("d", "e")])
    {'a': 0, 'b': 0, 'c': 0, 'd': 1, 'e': 1}
    """
    items = sorted({item for link in links for item in link}, key=str)
    if len(items) < 2:
        return {}
    place = {item: number for number, item in enumerate(items)}
    apart = np.ones((len(items), len(items)))
    for rank, (one, two) in enumerate(links):
        # Weaker links are a hair longer, too little to move the cut.
        apart[place[one], place[two]] = apart[place[two], place[one]] = 1e-6 * rank / len(links)
    upper = apart[np.triu_indices(len(items), 1)]
    labels = fcluster(linkage(upper, "average"), t=1 - LINKED_SHARE + 1e-6, criterion="distance")
    numbers: dict[int, int] = {}
    return {item: numbers.setdefault(int(label), len(numbers)) for item, label in zip(items, labels, strict=True)}
