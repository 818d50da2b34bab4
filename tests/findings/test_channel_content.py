"""Sentences on channels and content: by hand, and what a random table can never make them say."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.channels import MODELS
from opslib.finding import Finding, Proposes, in_order
from opslib.findings import channel_content as say
from tests.findings.facts import EMPTY, OCTOBER, page


def plans_of(rows: list[tuple[str, float, float, bool]], design: str = "visitors") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["channel", "cost_amount", "margin_amount", "is_useful"])
    useful = frame["is_useful"]
    return frame.assign(design=design, n_visitors=500, test_days=63.0, break_even_share=frame["cost_amount"] / frame["margin_amount"],
                        saved_amount=pd.Series(568.1, index=frame.index).where(useful), at_risk_amount=pd.Series(6_730.1, index=frame.index).where(useful))  # fmt: skip


def rates_of(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["channel", "buy_share", "others_share", "half"])
    gap = frame["buy_share"] - frame["others_share"]
    return frame.assign(
        n_visitors=900,
        gap_share=gap,
        gap_share_lower=gap - frame["half"],
        gap_share_upper=gap + frame["half"],
        is_apart=gap.abs() > frame["half"],
    )


def credit_of(rows: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"channel": name, **dict(zip(MODELS, values, strict=True)), "n_visitors": 500}
            for name, values in rows.items()
        ]
    )


DECAYS = pd.DataFrame([{"page": "/g", "title": "Choosing a gift", "section": "guides", "n_visits": 2_666, "first_ratio": 4.18, "first_ratio_upper": 4.5,
                        "rest_ratio": 0.23, "rest_ratio_upper": 0.29, "half_life_days": 47.5, "half_life_days_lower": 42.0, "half_life_days_upper": 53.0}])  # fmt: skip
CALENDAR = pd.DataFrame([{"section": "garden", "month": "June", "month_share": 0.134, "mean_share": 0.111, "index_ratio": 1.2, "index_ratio_lower": 1.1,
                          "index_ratio_upper": 1.3, "publish_by": pd.Timestamp("2027-04-20"), "n_visits": 4_000}])  # fmt: skip


def found_of(rates=EMPTY, plans=EMPTY, credit=EMPTY, decays=EMPTY, calendar=EMPTY) -> dict[str, Finding]:
    return {f.key: f for f in say.findings(rates, plans, credit, decays, calendar, page=page())}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_of_nothing_nothing_is_said() -> None:
    assert found_of() == {}
    assert say.answer(EMPTY, EMPTY, page=page()) == ""
    assert say.decay_title(EMPTY) == ""
    assert "visits are not in the data" in say.limits(EMPTY, EMPTY)[0]
    assert "advertising costs are not in the data" in say.limits(EMPTY, pd.DataFrame({"channel": ["Direct"]}))[0]
    assert say.plan_table(plans_of([]), page=page()).empty


def test_a_channel_that_a_hold_out_would_judge_is_untested_and_has_its_plan() -> None:
    found = found_of(plans=plans_of([("Display", 548.9, 7_052.1, True)]))["untested-display"]
    assert (
        plain(found.sentence)
        == "Display costs £549 a month and is credited with £7,050 of margin; whether it causes any order is untested."
    )
    assert plain(found.action) == (
        "Ask the advertising network of Display to leave a random half of visitors without it for 63 days and compare their orders"
    )
    assert plain(found.caveat) == (
        "the test shows whether about all orders of that margin are its own; whether the 7.8 % that would pay for it are, it cannot show"
    )
    assert plain(found.would_tell) == (
        "that test (a hold-out): 63 days for up to £6,730 (lost margin £7,300 less £568 not spent; 12 months of its cost)"
    )
    cheap = plans_of([("Display", 5_000.0, 7_052.1, True)])
    assert "months" not in found_of(plans=cheap)["untested-display"].would_tell
    assert (found.grade, found.worth, found.proposes) == (
        "Very low",
        None,
        Proposes(metric="conversion", design="experiment"),
    )
    assert found.due > OCTOBER.end
    bare = plans_of([("Display", 548.9, float("nan"), True)]).assign(at_risk_amount=float("nan"))
    found = found_of(plans=bare)["untested-display"]
    assert plain(found.sentence) == "Display costs £549 a month; whether it causes any order is untested."
    assert plain(found.would_tell) == "that test (a hold-out): 63 days"
    weeks = found_of(plans=plans_of([("Paid Search", 10.0, 20.0, True)], design="weeks"))["untested-paid-search"]
    assert "off in a random half of the weeks" in weeks.action
    assert weeks.proposes is None
    (limit,) = say.limits(plans_of([("Display", 548.9, 7_052.1, True)]), EMPTY)
    assert "Display" in limit


def test_channels_that_no_test_can_tell_are_one_line_without_an_action() -> None:
    rows = [("Paid Search", 700.0, 800.0, False), ("Affiliates", 200.0, 50.0, False), ("Radio", 100.0, 300.0, False)]
    found = found_of(plans=plans_of(rows))
    assert list(found) == ["untestable"]
    assert plain(found["untestable"].sentence) == (
        "Affiliates costs £200 a month, more than the £50.00 of margin credited; "
        "Paid Search and Radio cost £800, less than the £1,100 credited."
    )
    assert found["untestable"].caveat.endswith("a test of each would take over half a year")
    assert found["untestable"].action is None
    shown = say.plan_table(plans_of([("Display", 548.9, 9.0, True), ("Paid Search", 700.0, 800.0, False)]), page=page())
    assert [plain(text) for text in shown["test"]] == [
        "63 days for up to £6,730 (lost margin £7,300 less £568 not spent; 12 months of its cost)", "over half a year",
    ]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B", "C"]), st.floats(1, 1e5), st.floats(1, 1e5), st.booleans()),
        max_size=3,
        unique_by=lambda row: row[0],
    )
)
def test_no_action_carries_money_and_spend_is_never_more_than_very_low(rows) -> None:
    found = found_of(plans=plans_of(rows))
    assert all(finding.worth is None for finding in found.values())
    assert all(finding.grade == "Very low" for finding in found.values())
    rest = [row for row in rows if not row[3]]
    if rest:
        assert ("more than" in found["untestable"].sentence) == any(cost > margin for _name, cost, margin, _ in rest)
    assert sum(f.action is not None for f in found.values()) == min(sum(row[3] for row in rows), 2)


def test_the_answer_names_the_two_ends_only_where_they_are_apart() -> None:
    rates = rates_of([("Email", 0.19, 0.09, 0.01), ("Direct", 0.10, 0.10, 0.01), ("Paid Social", 0.014, 0.11, 0.01)])
    assert plain(say.answer(rates, plans_of([("Display", 548.9, 7_052.1, True)]), page=page())) == (
        "19 % of visits by Email and 1.4 % of visits by Paid Social end with an order. Whether the £549 a month for Display brings any order "
        "of its own is not proven."
    )
    one = plain(say.answer(rates.head(2), EMPTY, page=page()))
    assert one == "19 % of visits by Email end with an order, 9.0 % of others."
    equal = rates_of([("Email", 0.10, 0.11, 0.02), ("Direct", 0.11, 0.10, 0.02)])
    assert "not told apart" in say.answer(equal, EMPTY, page=page())
    assert found_of(rates=equal) == {}
    assert set(found_of(rates=rates)) == {"buys-email", "buys-paid-social"}
    assert not any(f.is_told for f in found_of(rates=rates).values()), "the answer says it"


def test_models_are_told_by_the_paid_channel_that_they_credit_and_their_span() -> None:
    credit = credit_of({"Direct": [60.0] * 9, "Display": [40, 30, 35, 35, 35, 35, 35, 35, 50]})
    found = found_of(plans=plans_of([("Display", 5.0, 9.0, True)]), credit=credit)["models"]
    assert (
        plain(found.sentence)
        == "9 ways to share out orders (attribution models) credit Display with 30 % to 50 % of them; nobody was left without it."
    )
    assert found.kind == "simulated"
    title = say.credit_title(credit, plans_of([("Display", 5.0, 9.0, True)]))
    assert (
        plain(title)
        == "9 ways to share out orders (attribution models) credit Display with 30 % to 50 % of them, without a test"
    )
    assert "models" not in found_of(credit=credit), "nothing was paid for"


def test_a_page_that_fell_back_and_a_section_that_is_wanted() -> None:
    found = found_of(decays=DECAYS, calendar=CALENDAR)
    assert plain(found["new-page"].sentence) == (
        "“Choosing a gift” began with 4.2 times an older page's visits; half of the extra went every 48 days, 0.23 times is left."
    )
    assert found["new-page"].things == ("Choosing a gift",)
    held = found_of(decays=DECAYS.assign(rest_ratio=1.4, rest_ratio_upper=1.6))["new-page"]
    assert held.action is None, "it is read as much as an older page"
    assert plain(found["season"].sentence) == "Garden had 13 % of visits to sections in June, 11 % in an average month."
    assert found["season"].due == pd.Timestamp("2027-04-20").date()
    assert "4.2 times the visits" in plain(say.decay_title(DECAYS))


def test_without_orders_no_test_is_planned_and_none_is_called_too_long() -> None:
    plans = plans_of([("Display", 5.0, float("nan"), False)]).assign(test_days=float("nan"))
    assert found_of(plans=plans) == {}
    assert say.plan_table(plans, page=page())["test"].tolist() == ["not known"]


def test_at_most_five_are_told_and_three_do_something() -> None:
    plans = plans_of([("Display", 548.9, 7_052.1, True), ("Paid Search", 700.0, 800.0, False)])
    found = found_of(
        rates_of([("Email", 0.19, 0.09, 0.01)]), plans, credit_of({"Display": [1.0] * 9}), DECAYS, CALENDAR
    )
    told = [f for f in in_order(found.values()) if f.is_told]
    assert [f.key for f in told] == ["untested-display", "untestable", "models", "new-page", "season"]
    assert all(len(f.sentence.split()) <= 25 for f in told)
    assert sum(f.action is not None for f in told) == 3
    assert all(f.things and f.would_tell and f.due and f.department for f in told if f.action)
