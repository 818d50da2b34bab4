"""Mixture of pairs: planted classes are found, with and without known pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from opslib.errors import ParameterError
from opslib.stats.linkage import MATCH, fit_linkage

FEATURES = {"name": 3, "size": 2, "brand": 2}
#: Planted probabilities of each level: match, variant (another name, same brand), unrelated.
PLANTED = {
    "name": [(0.01, 0.04, 0.95), (0.10, 0.85, 0.05), (0.95, 0.049, 0.001)],
    "size": [(0.05, 0.95), (0.7, 0.3), (0.8, 0.2)],
    "brand": [(0.1, 0.9), (0.1, 0.9), (0.9, 0.1)],
}
SHARES = (0.02, 0.04, 0.94)
#: Three standard errors of a share of 1,200 pairs (60,000 x .02, the smallest class) at .5 are .043; without known pairs the
#: classes themselves are uncertain, which about doubles them.
TOLERANCE = 0.08


def planted(n=60_000, known=0.0, seed=3):
    """Patterns of pairs drawn from the planted classes; ``known`` of the matches carry their label."""
    draws = np.random.default_rng(seed)
    kind = draws.choice(3, size=n, p=SHARES)
    rows = pd.DataFrame({
        name: [draws.choice(len(PLANTED[name][0]), p=PLANTED[name][k]) for k in kind] for name in FEATURES
    })  # fmt: skip
    rows["label"] = np.where((kind == MATCH) & (draws.random(n) < known), 1, -1)
    rows["kind"] = kind
    return rows


def counted(rows):
    return rows.groupby([*FEATURES, "label"]).size().rename("n").reset_index()


@pytest.mark.parametrize("known", [0.0, 0.5])
def test_planted_classes_are_recovered(known):
    model = fit_linkage(counted(planted(known=known)), features=FEATURES, telling=("name", "size"))
    for name, classes in PLANTED.items():
        found = model.levels[model.levels["feature"] == name]
        assert found["match"].to_numpy() == pytest.approx(classes[0], abs=TOLERANCE)
        assert found["variant"].to_numpy() == pytest.approx(classes[1], abs=TOLERANCE)
        assert found["unrelated"].to_numpy() == pytest.approx(classes[2], abs=TOLERANCE)
    # Known pairs are not among those of unknown status, so half of the matches are left there.
    assert model.shares[MATCH] == pytest.approx(SHARES[0] * (1 - known), abs=0.004)


def test_without_the_third_class_variants_would_pass_as_matches():
    model = fit_linkage(counted(planted()), features=FEATURES, telling=("name", "size"))
    levels = model.levels.set_index(["feature", "level"])
    odds = model.shares[0] / model.shares[1]
    for name, level in (("name", 1), ("size", 0), ("brand", 1)):
        odds *= levels.loc[(name, level), "match"] / levels.loc[(name, level), "variant"]
    # By the planted figures: .02/.04 x .04/.85 x .05/.7 x 1 = .0017.
    assert odds < 0.02


def test_missing_features_say_nothing():
    rows = counted(planted())
    more = pd.concat([rows, pd.DataFrame({"name": [-1], "size": [-1], "brand": [-1], "label": [-1], "n": [5_000]})])
    a, b = (fit_linkage(table, features=FEATURES).levels for table in (rows, more))
    assert np.abs(a["unrelated"] - b["unrelated"]).max() < 1e-3


def test_order_of_rows_does_not_matter():
    rows = counted(planted(n=2_000))
    a, b = (fit_linkage(table, features=FEATURES) for table in (rows, rows.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(a.levels, b.levels)


def test_probabilities_sum_to_one():
    model = fit_linkage(counted(planted(n=500)), features=FEATURES)
    sums = model.levels.groupby("feature")[["match", "variant", "unrelated"]].sum()
    assert np.allclose(sums, 1) and sum(model.shares) == pytest.approx(1)


def test_errors_say_what_is_wrong():
    with pytest.raises(ParameterError, match="no pair to learn from"):
        fit_linkage(counted(planted(n=10)).iloc[:0], features=FEATURES)
    with pytest.raises(ParameterError, match=r"levels of 'size' run from -1 \(missing\) to 1"):
        fit_linkage(pd.DataFrame({"name": [0], "size": [2], "brand": [0], "n": [1], "label": [-1]}), features=FEATURES)
