"""A kept model: the same text, the same answer as scikit-learn, and drift that is told from chance."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from opslib import __version__, engine
from opslib.errors import ContractError, ParameterError
from opslib.segmentation import SegmentModel, drift, segment_clusters
from tests.segmentation.shops import sold

AS_OF = date(2026, 10, 31)


@pytest.fixture(scope="module")
def habits():
    return sold(seed=5).features


@pytest.fixture(scope="module")
def model(habits):
    return segment_clusters(habits, as_of=AS_OF, seed=1, k=4).model


def _tiny(**changes: object) -> SegmentModel:
    """Two groups on a line: centres 0 and 2 of (gap - 1) / .5."""
    fields = {
        "version": "0", "as_of": "2026-01-01", "seed": 1, "n_fitted": 100, "min_orders": 2, "features": ("gap",),
        "centre": (1.0,), "scale": (0.5,), "centroids": ((0.0,), (2.0,)), "segments": ("often", "seldom"),
        "sizes": (60, 40), "reach": 1.5, "edges": ((1.0, 2.0),), "bins": ((50, 30, 20, 0),),
    }  # fmt: skip
    return SegmentModel(**{**fields, **changes})


def test_scores_by_hand_and_ties_go_to_the_lower_number():
    table = pd.DataFrame(
        {"customer_id": list("abcde"), "n_orders": [2, 9, 9, 1, 3], "gap": [1.0, 1.5, 2.2, 9.0, np.nan]}
    )
    found = engine.collect(_tiny().score(table).order_by("customer_id"))
    assert found["segment"].tolist() == ["often", "often", "seldom", "too few orders", "often"]
    assert found["cluster"].tolist()[:3] == [1, 1, 2]
    assert found["cluster"].isna().tolist() == [False, False, False, True, False]
    assert found["distance"].tolist()[:3] == pytest.approx([0.0, 1.0, 0.4])


def test_scores_equal_scikit_learn(habits, model):
    found = engine.collect(model.score(habits).order_by("customer_id")).dropna(subset=["cluster"])
    known = habits[habits["n_orders"] >= model.min_orders].sort_values("customer_id")
    points = np.nan_to_num((known[list(model.features)].to_numpy() - model.centre) / model.scale)
    fitted = KMeans(4, init=np.array(model.centroids), n_init=1, max_iter=1).fit(points)
    fitted.cluster_centers_ = np.array(model.centroids)
    assert (found["cluster"].to_numpy() - 1).tolist() == fitted.predict(points).tolist()
    assert found["distance"].to_numpy() == pytest.approx(fitted.transform(points).min(axis=1))
    assert np.bincount(found["cluster"].astype(int))[1:].tolist() == list(model.sizes)


def test_the_text_holds_all_of_the_model(model):
    text = model.to_json()
    assert SegmentModel.from_json(text) == model
    assert SegmentModel.from_json(text).to_json() == text
    kept = json.loads(text)
    assert (kept["version"], kept["as_of"], kept["seed"], kept["min_orders"]) == (__version__, "2026-10-31", 1, 5)
    assert model.categories == tuple(name for name in model.features if name.startswith("share_"))


@pytest.mark.parametrize(("text", "match"), [
    ("no", "no JSON"), ("[]", "'kind' is 'list'"), ('{"kind": "other"}', "'kind' is 'other'"),
    ('{"kind": "opslib segment model 1"}', "fields missing or unknown: as_of, bins"),
])  # fmt: skip
def test_what_is_no_model_is_refused(text, match):
    with pytest.raises(ParameterError, match=match):
        SegmentModel.from_json(text)


@pytest.mark.parametrize(("changes", "match"), [
    ({"scale": (0.5, 1.0)}, "scale has 2 entries, expected 1"), ({"segments": ("often",)}, "segments has 1 entries"),
    ({"scale": (0.0,)}, "every scale must be positive"), ({"centroids": ((1.0, 2.0), (0.0, 1.0))}, "centroids need 1 numbers"),
])  # fmt: skip
def test_a_model_of_the_wrong_shape_is_refused(changes, match):
    with pytest.raises(ParameterError, match=match):
        SegmentModel.from_json(_tiny(**changes).to_json())


def test_a_missing_habit_is_named():
    with pytest.raises(ContractError, match="features: no column 'gap'"):
        _tiny().score(pd.DataFrame({"customer_id": ["a"], "n_orders": [3]}))


def test_nothing_has_moved_on_the_same_data(habits, model):
    same = drift(model, habits)
    assert same.segments["change_share"].tolist() == [0.0] * 4
    assert same.features["stability_index"].max() == pytest.approx(0.0, abs=1e-12)
    assert set(same.features["reading"]) == {"as at fitting"}
    assert same.far_share_lower < 0 < same.far_share_upper


def test_drift_by_hand():
    table = pd.DataFrame(
        {"customer_id": [f"{n:03d}" for n in range(100)], "n_orders": 5, "gap": [0.5] * 20 + [2.1] * 70 + [9.0] * 10}
    )
    moved = drift(_tiny(), table)
    assert moved.segments["n_customers"].tolist() == [20, 80]
    assert moved.segments["change_share"].tolist() == pytest.approx([-0.4, 0.4])
    assert moved.n_far == 10
    assert moved.features["reading"].tolist() == ["another shop: fit again"]
    nobody = drift(_tiny(), table.assign(n_orders=1))
    assert (len(nobody.segments), len(nobody.features), nobody.n_customers) == (0, 0, 0)


def test_a_changed_shop_is_seen_and_another_draw_of_the_same_is_not(habits, model):
    dearer = drift(model, habits.assign(discount=habits["discount"] * 0.2))
    assert dearer.features.set_index("feature").loc["discount", "reading"] != "as at fitting"
    again = drift(model, sold(seed=6).features)
    assert (again.features["reading"] == "as at fitting").sum() >= len(model.features) - 2
