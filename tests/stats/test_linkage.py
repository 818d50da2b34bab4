"""Mixture of pairs: planted classes are found, with and without known pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from opslib.errors import ParameterError
from opslib.stats.linkage import CLASSES, MATCH, fit_linkage

FEATURES = {"name": 3, "size": 2, "brand": 2, "colour": 3, "price": 3}
#: Planted probabilities of each level: match, variant (another name), relative (same brand), unrelated.
PLANTED = {
    "name": [(0.01, 0.04, 0.95), (0.10, 0.85, 0.05), (0.90, 0.09, 0.01), (0.97, 0.029, 0.001)],
    "size": [(0.05, 0.95), (0.7, 0.3), (0.8, 0.2), (0.8, 0.2)],
    "brand": [(0.05, 0.95), (0.05, 0.95), (0.05, 0.95), (0.97, 0.03)],
    "colour": [(0.02, 0.08, 0.9), (0.02, 0.08, 0.9), (0.7, 0.2, 0.1), (0.7, 0.2, 0.1)],
    "price": [(0.05, 0.25, 0.7), (0.3, 0.4, 0.3), (0.6, 0.3, 0.1), (0.6, 0.3, 0.1)],
}
TELLING = ("name", "size", "price")
SHARES = (0.02, 0.04, 0.14, 0.80)
#: Three standard errors of a share of 1,200 pairs (60,000 x .02, the smallest class) at .5 are .043; that the classes
#: themselves are uncertain about doubles them.
TOLERANCE = 0.09


def planted(n=60_000, known=0.0, seed=3):
    """Patterns of pairs drawn from the planted classes; ``known`` of the matches carry their label."""
    draws = np.random.default_rng(seed)
    kind = draws.choice(len(CLASSES), size=n, p=SHARES)
    rows = pd.DataFrame(index=range(n))
    for name, classes in PLANTED.items():
        ends = np.cumsum(np.array(classes), axis=1)[kind]
        rows[name] = (draws.random(n)[:, None] > ends[:, :-1]).sum(axis=1)
    rows["label"] = np.where((kind == MATCH) & (draws.random(n) < known), 1, -1)
    rows["kind"] = kind
    return rows


def counted(rows):
    return rows.groupby([*FEATURES, "label"]).size().rename("n").reset_index()


def posterior(model, rows):
    """Probability of a match by Bayes' rule, row by row: a second road beside the fit."""
    weights = np.tile(model.shares, (len(rows), 1))
    levels = model.levels.set_index(["feature", "level"])[list(CLASSES)]
    for name in FEATURES:
        weights *= levels.loc[name].loc[rows[name]].to_numpy()
    return weights[:, MATCH] / weights.sum(axis=1)


@pytest.mark.parametrize("known", [0.0, 0.5])
def test_planted_matches_are_recovered_and_probabilities_come_true(known):
    rows = planted(known=known)
    model = fit_linkage(counted(rows), features=FEATURES, telling=TELLING)
    for name, classes in PLANTED.items():
        found = model.levels.loc[model.levels["feature"] == name, "match"].to_numpy()
        assert found == pytest.approx(classes[0], abs=TOLERANCE), name
    # Known pairs are not among those of unknown status, so half of the matches are left there.
    assert model.shares[MATCH] == pytest.approx(SHARES[0] * (1 - known) / (1 - SHARES[0] * known), abs=0.004)
    unknown = rows[rows["label"] == -1]
    chance, is_match = posterior(model, unknown), (unknown["kind"] == MATCH).to_numpy()
    for low, high in ((0.0, 0.1), (0.1, 0.9), (0.9, 1.01)):
        inside = (chance >= low) & (chance < high)
        # The middle bin holds about 150 rows: .1 is two and a half standard errors.
        assert inside.sum() > 50
        assert is_match[inside].mean() == pytest.approx(chance[inside].mean(), abs=0.1)


def test_a_variant_does_not_pass_as_a_match():
    model = fit_linkage(counted(planted()), features=FEATURES, telling=TELLING)
    levels = model.levels.set_index(["feature", "level"])
    odds = model.shares[0] / model.shares[1]
    for name, level in (("name", 1), ("size", 0), ("brand", 1), ("price", 1)):
        odds *= levels.loc[(name, level), "match"] / levels.loc[(name, level), "variant"]
    # By the planted figures: .02/.04 x .04/.85 x .05/.7 x 1 x .25/.4 = .001.
    # Tenfold, since a probability of .04 or .05 is known to about half of itself.
    assert odds < 0.02


def test_missing_features_say_nothing():
    rows = counted(planted())
    more = pd.concat(
        [
            rows,
            pd.DataFrame(
                {"name": [-1], "size": [-1], "brand": [-1], "colour": [-1], "price": [-1], "label": [-1], "n": [5_000]}
            ),
        ]
    )
    a, b = (fit_linkage(table, features=FEATURES).levels for table in (rows, more))
    assert np.abs(a["unrelated"] - b["unrelated"]).max() < 1e-3


def test_order_of_rows_does_not_matter():
    rows = counted(planted(n=2_000))
    a, b = (fit_linkage(table, features=FEATURES) for table in (rows, rows.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(a.levels, b.levels)


def test_probabilities_sum_to_one():
    model = fit_linkage(counted(planted(n=500)), features=FEATURES)
    sums = model.levels.groupby("feature")[list(CLASSES)].sum()
    assert np.allclose(sums, 1)
    assert sum(model.shares) == pytest.approx(1)


def test_errors_say_what_is_wrong():
    with pytest.raises(ParameterError, match="no pair to learn from"):
        fit_linkage(counted(planted(n=10)).iloc[:0], features=FEATURES)
    with pytest.raises(ParameterError, match=r"levels of 'size' run from -1 \(missing\) to 1"):
        fit_linkage(
            pd.DataFrame(
                {"name": [0], "size": [2], "brand": [0], "colour": [0], "price": [0], "n": [1], "label": [-1]}
            ),
            features=FEATURES,
        )
