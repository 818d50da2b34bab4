"""Groups of customers: those that were planted come back, and a shop of one kind has none."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score

from opslib import engine
from opslib.errors import ParameterError
from opslib.segmentation import segment_clusters
from opslib.segmentation.clusters import segment_names
from tests.segmentation.shops import sold

AS_OF = date(2026, 10, 31)
#: What an oracle that knows the types gets from the same habits, less what not knowing them may cost.
COST_OF_NOT_KNOWING = 0.15


@pytest.fixture(scope="module")
def shop():
    """A shop of three times the demo's size, with five types of customer."""
    return sold(seed=2, n_orders=30_000)


@pytest.fixture(scope="module")
def habits(shop):
    return shop.features


def _agreement(found, habits: pd.DataFrame, types: pd.Series) -> float:
    scores = engine.collect(found.model.score(habits)).dropna(subset=["cluster"])
    return adjusted_rand_score(types[scores["customer_id"]], scores["cluster"])


@pytest.mark.slow
def test_five_planted_types_are_five_groups(shop, habits):
    found = segment_clusters(habits, as_of=AS_OF, seed=1)
    assert found.n_groups == 5
    assert found.segments["jaccard"].min() >= 0.75
    known = habits[habits["n_orders"] >= found.min_orders]
    x, y = known[list(found.model.features)].to_numpy(), shop.types[known["customer_id"]]
    oracle = adjusted_rand_score(y, LinearDiscriminantAnalysis().fit(x, y).predict(x))
    agreement = _agreement(found, habits, shop.types)
    assert agreement > 0.7
    assert agreement > oracle - COST_OF_NOT_KNOWING


@pytest.mark.parametrize("types", [["garden", "regular"], ["trade", "bargain", "garden"], ["regular", "gift"]])
def test_as_many_groups_as_there_are_types_apart(shop, habits, types):
    """Regular and gift customers overlap so much that alone they are one cloud: that is the answer then."""
    chosen = habits[shop.types[habits["customer_id"]].isin(types).to_numpy()]
    found = segment_clusters(chosen, as_of=AS_OF, seed=1, max_k=5)
    assert found.n_groups == (1 if "gift" in types else len(types))
    assert found.has_segments == (found.model is not None)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_type_of_customer_has_no_segments(seed):
    """The hundred seeds are in docs/segments.md: ``python -m tests.segmentation.one_type``."""
    found = segment_clusters(sold(seed=seed, customer_types="single").features, as_of=AS_OF, seed=1)
    assert found.n_groups == 1
    assert not found.trials["is_parted"].any()
    assert "differ by degrees" in found.reason
    assert found.model is None
    assert found.segments.empty
    assert found.profiles.empty


@pytest.fixture(scope="module")
def two():
    """Two groups by hand: 150 customers who order often and on discount, 100 who do neither."""
    rng = np.random.default_rng(1)
    often = np.repeat([True, False], [150, 100])
    return pd.DataFrame({
        "customer_id": [f"c{number:03d}" for number in rng.permutation(250)],
        "n_orders": rng.integers(5, 30, 250),
        "gap": np.where(often, 1.0, 4.0) + rng.normal(size=250) * 0.4, "gap_variance": 1.0,
        "discount": np.where(often, 0.9, 0.1) + rng.normal(size=250) * 0.03, "discount_variance": 0.05,
        "lines": rng.normal(size=250) * 0.2, "lines_variance": 0.3,
    })  # fmt: skip


def test_two_groups_are_described(two):
    found = segment_clusters(two, as_of=AS_OF, seed=1, max_k=4)
    assert found.segments["n_customers"].tolist() == [150, 100]
    assert [set(name.split(", ")) for name in found.segments["segment"]] == [
        {"often", "on discount"},
        {"seldom", "at full price"},
    ]
    distinct = found.profiles[found.profiles["is_distinct"]]
    assert set(distinct["feature"]) == {"gap", "discount"}
    assert (distinct["q_value"] < 0.05).all()
    assert (
        (found.profiles["difference_lower"] < found.profiles["difference"])
        & (found.profiles["difference"] < found.profiles["difference_upper"])
    ).all()


def test_order_of_rows_does_not_matter(two):
    one = segment_clusters(two, as_of=AS_OF, seed=1, max_k=3)
    other = segment_clusters(two.sample(frac=1, random_state=9), as_of=AS_OF, seed=1, max_k=3)
    assert one.model == other.model
    pd.testing.assert_frame_equal(one.trials, other.trials)


def test_how_much_of_a_habit_is_the_customers_own(two):
    share = segment_clusters(two, as_of=AS_OF, seed=1, max_k=3).habits.set_index("feature")["customer_share"]
    assert share["gap"] > 0.5 > share["lines"] >= 0


def test_a_number_asked_for_is_given_without_evidence():
    one = sold(seed=1, customer_types="single", n_orders=4_000)
    found = segment_clusters(one.features, as_of=AS_OF, seed=1, k=3)
    assert found.n_groups == len(found.model.centroids) == 3
    assert found.reason == "3 groups were asked for"
    assert not found.trials["is_parted"].any()


def test_too_few_customers_are_no_segments(two):
    found = segment_clusters(two.head(60), as_of=AS_OF, seed=1)
    assert found.n_groups == 1
    assert found.reason.startswith("60 customers with 5 orders or more")
    with pytest.raises(ParameterError, match="k: no 2 groups of 60 customers"):
        segment_clusters(two.head(60), as_of=AS_OF, seed=1, k=2)
    assert segment_clusters(two.head(0), as_of=AS_OF, seed=1).n_customers == 0


def test_customers_with_few_orders_are_counted_and_left_out(two):
    found = segment_clusters(two.assign(n_orders=[2] * 50 + [9] * 200), as_of=AS_OF, seed=1, max_k=3)
    assert (found.n_customers, found.n_fitted) == (250, 200)


@pytest.mark.parametrize(
    ("choice", "match"),
    [({"k": 1}, "k: 1 is not from 2"), ({"max_k": 1}, "max_k: 1"), ({"min_orders": 1}, "min_orders: 1")],
)
def test_choices_out_of_range_are_named(two, choice, match):
    with pytest.raises(ParameterError, match=match):
        segment_clusters(two, as_of=AS_OF, seed=1, **choice)


def test_names_are_short_and_never_alike():
    profiles = pd.DataFrame({
        "cluster": [1, 1, 2, 3, 3], "feature": ["gap", "share_tea", "gap", "gap", "share_tea"],
        "difference": [-2.0, -3.0, -1.0, 1.0, 4.0], "is_distinct": [True, True, True, False, True],
    })  # fmt: skip
    assert segment_names(profiles) == ["often", "often (2)", "more tea"]
    assert segment_names(profiles.assign(is_distinct=False))[0] == "like the average"
