"""Sentences about groups of customers: the numbers in them, and what is left unsaid."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from opslib.findings.clusters import cluster_findings, drift_findings
from opslib.segmentation import drift, segment_clusters
from tests.findings.facts import NOTHING
from tests.suppressing import suppress_small

AS_OF = date(2026, 10, 31)


def _habits(*, gap: float, n: int = 250) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    often = np.arange(n) < 0.6 * n
    return pd.DataFrame({
        "customer_id": [f"c{number:03d}" for number in range(n)], "n_orders": 9,
        "gap": gap * ~often + rng.normal(size=n) * 0.3, "gap_variance": 1.0,
        "lines": rng.normal(size=n) * 0.3, "lines_variance": 1.0,
    })  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return segment_clusters(_habits(gap=4.0), as_of=AS_OF, max_k=3)


def test_groups_are_told_with_their_share_and_what_to_try(found):
    whether, often, seldom = cluster_findings(found)
    assert whether.sentence.replace("\N{NO-BREAK SPACE}", " ") == (
        "250 customers with 5 orders or more fall into 2 buying habits: often (60 %) and seldom (40 %)."
    )
    assert often.sentence.startswith("60\N{NO-BREAK SPACE}% (54–66) of these customers share a habit: often")
    assert not often.is_told
    assert (often.estimate.value, often.estimate.n) == (0.6, 250)
    assert seldom.action == "A reminder at their own rhythm instead of a weekly letter"
    assert seldom.department == "Customer service"


def test_a_group_without_anything_to_try_stays_in_the_table(found):
    nothing = replace(found, profiles=found.profiles.assign(is_distinct=found.profiles["cluster"] == 2))
    assert [finding.key for finding in cluster_findings(nothing)] == ["groups", "group-2"]


def test_no_groups_is_a_finding():
    none = segment_clusters(_habits(gap=0.0), as_of=AS_OF, max_k=3)
    (only,) = cluster_findings(none)
    assert only.key == "no-groups"
    assert "fall into no groups by habit" in only.sentence
    assert only.action is None


def test_a_withheld_group_is_not_told(found):
    small = found.segments.assign(n_customers=[246, 4])
    kept = suppress_small(small, people="n_customers", dimensions=["segment"])
    assert [finding.key for finding in cluster_findings(replace(found, segments=kept))] == ["groups"]


def test_drift_is_told_only_beyond_chance(found):
    same = drift_findings(drift(found.model, _habits(gap=4.0)))
    assert [finding.key for finding in same] == ["model-fit"]
    assert same[0].action == "keep the model"
    moved = drift_findings(drift(found.model, _habits(gap=0.0)))
    assert [finding.key for finding in moved] == ["model-fit", "group-1-moved", "group-2-moved"]
    assert moved[0].action == "fit the groups again"
    assert "a change of +40 points (+34 to +46)" in moved[1].sentence


def test_nobody_has_no_groups_and_does_not_drift():
    assert cluster_findings(NOTHING) == drift_findings(NOTHING) == ()
