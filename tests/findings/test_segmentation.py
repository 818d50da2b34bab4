"""Sentences on segments and on what visits are for: by hand, and what a random table can never make them say."""

from __future__ import annotations

import re

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.finding import Finding, Proposes, in_order
from opslib.findings import segmentation as say
from tests.findings.facts import EMPTY, NOTHING, OCTOBER, page

NOBODY = pd.DataFrame(columns=["segment", "n_customers"])


def left_of(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["intent", "later_share", "others_share", "half"])
    gap = frame["later_share"] - frame["others_share"]
    return frame.assign(n_visits=500, n_visitors=400, visit_share=0.05, gap_share=gap, gap_share_lower=gap - frame["half"],
                        gap_share_upper=gap + frame["half"], meaning="x")  # fmt: skip


def sizes_of(**numbers: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"segment": [name.replace("_", " ") for name in numbers], "n_customers": list(numbers.values())}
    )
    whole = max(frame["n_customers"].sum(), 1)
    return frame.assign(customer_share=frame["n_customers"] / whole, revenue_amount=frame["n_customers"] * 31.0, n_orders=frame["n_customers"] * 2,
                        revenue_share=frame["n_customers"] / whole, mean_recency_days=210.4, department="Customer service", action="x")  # fmt: skip


def found_of(sizes=NOBODY, left=EMPTY, kinds=EMPTY) -> dict[str, Finding]:
    return {f.key: f for f in say.findings(sizes, left, kinds, NOTHING, NOTHING, page=page())}


def plain(finding: Finding) -> str:
    return finding.sentence.replace("\u00a0", " ")


def test_a_reminder_goes_only_to_those_who_return_more_often() -> None:
    found = found_of(left=left_of([("checkout", 0.26, 0.154, 0.014), ("cart", 0.147, 0.154, 0.013)]))["left-carts"]
    assert plain(found) == (
        "26 % of visitors who leave a checkout that was begun order within 30 days, 15 % of others without an order. "
        "Those who leave a filled cart order not more often within 30 days, 15 %: a reminder is not advised."
    )
    assert found.things == ("visitors who leave a checkout that was begun",)
    assert (found.estimate.value, found.estimate.n) == (0.26 - 0.154, 400)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.01, 0.9), st.floats(0.001, 0.5), st.sampled_from(["cart", "checkout"]))
def test_no_reminder_without_a_difference(later: float, others: float, half: float, intent: str) -> None:
    found = found_of(left=left_of([(intent, later, others, half)]))["left-carts"]
    helps = later - half > others
    assert (found.action is not None) == helps
    assert ("not advised" in found.sentence) == (not helps)
    assert ("less often" in found.sentence) == (later + half < others)


def test_no_visits_no_findings() -> None:
    assert found_of() == found_of(left=left_of([]).head(0)) == {}
    never_followed = left_of([("cart", float("nan"), 0.1, 0.1)])
    assert found_of(left=never_followed) == {}


def test_segments_by_hand_and_their_order() -> None:
    found = found_of(sizes_of(champions=20, new=40, at_risk=140))
    assert [f.key for f in in_order(found.values())] == ["segment-at-risk", "segment-champions", "segment-new"]
    assert plain(found["segment-at-risk"]) == (
        "140 customers (70 %) used to order often and have been silent for 210 days on average; they brought £4,340 in Oct 2026."
    )
    assert plain(found["segment-new"]).startswith(
        "40 customers (20 %) ordered once, for the first time, 210 days ago on average: £1,240 so far, £31 each."
    )
    assert found["segment-new"].proposes == Proposes(metric="purchase_rate", design="experiment")
    assert found["segment-at-risk"].is_told
    assert found.pop("segment-at-risk").action is None, "the page of customer value says it, with what it may bring"
    assert not found["segment-champions"].is_told, "the answer says it"
    assert found.pop("segment-champions").action is None, "three actions a page"
    for finding in found.values():
        assert finding.things
        assert finding.would_tell
        assert finding.due > OCTOBER.end
        assert "random half" in finding.action


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_the_answer_counts_who_is_there(champions: int, new: int, at_risk: int) -> None:
    sizes = sizes_of(champions=champions, new=new, at_risk=at_risk)
    told = say.answer(sizes, page=page()).replace("\u00a0", " ")
    assert ("champion" in told) == (champions > 0)
    assert (f"{at_risk} good customer" in told) == (at_risk > 0)
    for n in re.findall(r"(\d+) champion", told):
        assert int(n) == champions
    assert set(found_of(sizes)) == {
        f"segment-{name}" for name, n in (("champions", champions), ("new", new), ("at-risk", at_risk)) if n
    }


def test_the_answer_says_which_customers_and_which_revenue() -> None:
    assert say.answer(sizes_of(champions=20, new=180), page=page()).replace("\u00a0", " ") == (
        "20 champions (10 % of those who ordered in Oct 2026) brought 10 % of the revenue of known customers."
    )


KINDS = st.lists(st.tuples(st.integers(1, 900), st.floats(1.0, 1e6)), min_size=0, max_size=3)


@settings(max_examples=50, deadline=None)
@given(KINDS)
def test_the_kind_that_is_named_first_brings_more_each(rows: list) -> None:
    kinds = pd.DataFrame(rows, columns=["n_customers", "revenue_amount"]).assign(
        kind=["business", "consumer", "not told"][: len(rows)]
    )
    kinds["customer_share"] = kinds["n_customers"] / kinds["n_customers"].sum()
    kinds["revenue_share"] = kinds["revenue_amount"] / kinds["revenue_amount"].sum()
    found = found_of(kinds=kinds)
    assert ("kinds" in found) == (len(rows) >= 2)
    if found:
        each = (kinds["revenue_amount"] / kinds["n_customers"])[:2]
        assert f"{'business' if each[0] >= each[1] else 'consumer'} customer" in found["kinds"].sentence
        assert found["kinds"].about.people == {"business": rows[0][0], "consumer": rows[1][0]}


def test_one_limit_and_it_is_the_shops() -> None:
    coverage = pd.DataFrame(
        {
            "part": ["with a customer", "without a customer"],
            "revenue_amount": [500.0, 100.0],
            "revenue_share": [5 / 6, 1 / 6],
        }
    )
    (limit,) = say.limits(coverage)
    assert "17\u00a0% of the revenue are guest orders" in limit
    assert "two accounts" in say.limits(coverage.head(1))[0]
