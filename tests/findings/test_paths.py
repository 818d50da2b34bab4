"""Sentences on ways through the site: by hand, and what a random table can never make them say."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.finding import Finding, in_order
from opslib.findings import paths as say
from tests.findings.facts import EMPTY, OCTOBER, page

STEPS = ("visit", "product", "cart", "checkout", "delivery", "payment", "order")


def steps_of(*shares: float) -> pd.DataFrame:
    frame = pd.DataFrame({"step": STEPS, "whole_share": shares or (1.0, 0.5, 0.2, 0.17, 0.14, 0.13, 0.105)})
    return frame.assign(
        n_visits=1_000,
        n_visitors=800,
        step_share=0.5,
        whole_share_lower=frame["whole_share"] - 0.01,
        whole_share_upper=frame["whole_share"] + 0.01,
    )


def friction_of(rows: list[tuple[str, str, float, float, float]]) -> pd.DataFrame:
    """Place, thing, share that goes on, share elsewhere, amount."""
    frame = pd.DataFrame(rows, columns=["place", "thing", "on_share", "others_share", "lost_amount"])
    gap = frame["on_share"] - frame["others_share"]
    return frame.assign(
        gap_share=gap,
        gap_share_lower=gap - 0.01,
        gap_share_upper=gap + 0.01,
        q_value=0.001,
        is_clear=True,
        n_at=5_000,
        n_visitors=900,
        n_lost=9.0,
        lost_amount_lower=frame["lost_amount"] * 0.8,
        lost_amount_upper=frame["lost_amount"] * 1.2,
    )


def spell_of(*, is_over: bool) -> pd.DataFrame:
    return pd.DataFrame([{
        "place": "delivery", "thing": "mobile", "first_month": "2026-04", "last_month": "2026-06", "is_over": is_over, "n_at": 2_211, "n_visitors": 539,
        "on_share": 0.625, "usual_share": 0.829, "gap_share": -0.204, "gap_share_lower": -0.27, "gap_share_upper": -0.14, "n_lost": 451.6, "n_orders_lost": 361.0, "lost_amount": 43_492.0,
    }])  # fmt: skip


def release_of(*, ended: str | None, scope: str = "page:/guides/linen", gap: float = -0.1) -> pd.DataFrame:
    return pd.DataFrame([{
        "change_id": "c1", "description": "Guide moved", "kind": "content", "started_on": pd.Timestamp("2026-06-01"), "ended_on": pd.Timestamp(ended) if ended else pd.NaT,
        "scope": scope, "measure": "go on", "n_days": 28, "n_visits": 128, "n_visitors": 127, "with_share": 0.5, "without_share": 0.5 - gap, "gap_share": gap,
        "gap_share_lower": gap - 0.05, "gap_share_upper": gap + 0.05, "verdict": "harmed" if gap < 0 else "helped",
    }])  # fmt: skip


def found_of(
    *,
    steps=EMPTY,
    friction=EMPTY,
    spells=EMPTY,
    pages=EMPTY,
    releases=EMPTY,
    differences=EMPTY,
    stages=EMPTY,
    **choices,
) -> dict[str, Finding]:
    tables = (steps, friction, spells, pages, releases, differences, stages)
    return {f.key: f for f in say.findings(*tables, page=page(), **choices)}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_step_that_loses_the_largest_amount_is_told_as_a_bound():
    friction = friction_of([("cart", "mobile", 0.417, 0.478, 3_724.0), ("checkout", "mobile", 0.82, 0.86, 1_303.0)])
    found = found_of(steps=steps_of(), friction=friction, margin_share=0.5, margin_amount=31_000.0)
    step = found["step-cart-mobile"]
    assert plain(step.sentence) == (
        "On phones 42 % of visits that view a product fill the cart, elsewhere 48 %: as many would bring £3,700 margin a month (£3,000–£4,500)."
    )
    assert plain(step.caveat) == "12 % of the shop's margin; a new version may bring none of it"
    assert (step.worth.lower, step.worth.value, step.worth.unit) == (0.0, 3_724.0, "GBP/month")
    assert step.department == "Design"
    assert step.proposes.metric == "session_conversion"
    assert "step-checkout-mobile" not in found, "one step is told, the plan has all"
    assert plain(say.answer(steps_of(), friction, EMPTY, page=page())).startswith(
        "10.5 % of visits end in an order. On phones 42 %"
    )


def test_the_table_of_steps_has_what_is_clear_and_says_how_many_were_looked_at():
    friction = friction_of([("cart", "mobile", 0.417, 0.478, 3_724.0), ("order", "mobile", 0.8, 0.9, 90.0), ("cart", "desktop", 0.5, 0.4, -9.0),
                            ("order", "tablet", 0.4, 0.5, 9.0)])  # fmt: skip
    friction["is_clear"] = [True, True, True, False]
    assert say.clear_rows(friction)[["place", "group"]].values.tolist() == [["cart", "phones"], ["order", "phones"]]
    assert say.clear_title("Fewer go on", friction) == "Fewer go on: 2 of 4 looked at"
    assert (
        say.gap_title(friction)
        == "On phones fewer visits go on at 2 of 2 steps, furthest at the step to the order (10.0 points)"
    )
    assert say.gap_title(friction.head(1)) == "On phones fewer visits go on at the step to the cart (6.1 points)"
    assert say.gap_title(friction.tail(1)) == "The groups do not clearly differ at any step"


def test_months_and_groups_of_a_spell_are_words():
    row = say.spell_rows(spell_of(is_over=True)).iloc[0]
    assert row[["group", "first_month", "last_month"]].tolist() == ["phones", "Apr 2026", "Jun 2026"]
    assert say.spell_rows(spell_of(is_over=True).head(0)).empty


def test_without_costs_the_amount_is_revenue():
    found = found_of(steps=steps_of(), friction=friction_of([("order", "google", 0.7, 0.8, 78.2)]))["step-order-google"]
    assert (
        plain(found.sentence)
        == "From google 70 % of visits that give payment details order, elsewhere 80 %: as many would bring £78 revenue a month (£63–£94)."
    )
    assert say.money_head(float("nan")).startswith("revenue")
    assert say.money_head(0.5).startswith("margin")
    assert say.money_head(0.5, is_lost=True) == "margin lost in all"


def test_a_step_that_is_still_broken_is_urgent_and_one_that_was_mended_is_not():
    over, still = (
        found_of(steps=steps_of(), spells=spell_of(is_over=is_over))["broken-delivery-mobile"]
        for is_over in (True, False)
    )
    assert plain(over.sentence) == (
        "From April to June 2026 62 % of checkouts on phones gave delivery details, usually 83 %: about 450 visits, 360 orders and £43k revenue lost."
    )
    assert (over.is_urgent, over.caveat) == (
        False,
        "over since July 2026; orders and revenue as of the visits that got through",
    )
    assert over.action == "Raise an alarm within days when the step to delivery for phones breaks again"
    assert over.would_tell == "how soon it is seen: this one lasted 3 months"
    assert still.action == "Mend the step to delivery for phones"
    assert still.caveat.startswith("not over; ")
    assert still.is_urgent
    assert still.department == "Technology"
    assert still.due > OCTOBER.end
    assert next(f.key for f in in_order([over, still])) == "broken-delivery-mobile"
    assert "broken" not in say.answer(steps_of(), EMPTY, spell_of(is_over=True), page=page())
    assert "360 orders" in say.answer(steps_of(), EMPTY, spell_of(is_over=True), page=page())


def test_one_thing_has_one_action():
    pages = friction_of([("guide, first page", "/guides/linen", 0.58, 0.64, 78.0)])
    titles = pd.DataFrame({"page": ["/guides/linen"], "title": ["Caring for linen"]})
    found = found_of(pages=pages, releases=release_of(ended=None), titles=titles)
    assert plain(found["page-/guides/linen"].sentence) == (
        "Of visits that begin at “Caring for linen” 58 % go on, of other guide pages 64 %: as many would bring £78 revenue a month (£62–£94)."
    )
    assert found["page-/guides/linen"].things == ("Caring for linen",)
    assert found["release-c1"].action is None, "the page has the action"
    assert found_of(releases=release_of(ended=None))["release-c1"].action == "Take back “Guide moved”"
    assert found_of(releases=release_of(ended="2026-07-01"))["release-c1"].action is None
    assert (
        plain(found["release-c1"].sentence)
        == "In the first 28 days of “Guide moved” (since 1 Jun 2026) 50 % of visits that begin there see another page, without it 60 %."
    )


def test_what_helped_or_is_not_clear_is_no_finding():
    assert found_of(releases=release_of(ended=None, gap=0.1)) == {}
    friction = friction_of([("cart", "mobile", 0.4, 0.5, 90.0)]).assign(is_clear=False)
    assert found_of(friction=friction) == {}


FRICTION = st.lists(st.tuples(st.sampled_from(STEPS[1:]), st.sampled_from(["mobile", "desktop", "email"]), st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(-9e4, 9e4)), max_size=6)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(FRICTION, st.booleans())
def test_no_table_makes_a_step_lose_where_more_go_on(rows, is_clear):
    friction = friction_of(rows).assign(is_clear=is_clear)
    found = found_of(steps=steps_of(), friction=friction)
    worse = friction[friction["is_clear"] & (friction["gap_share"] < 0)]
    told = [f for key, f in found.items() if key.startswith("step-")]
    assert len(told) == min(len(worse), 1)
    for finding in told:
        assert finding.estimate.value < 0
        assert len(finding.sentence.split()) <= 25
    assert len(say.plan(friction, EMPTY, EMPTY)) == len(worse)


def test_the_plan_is_by_money_and_names_a_department():
    friction = friction_of([("order", "mobile", 0.8, 0.9, 100.0), ("cart", "mobile", 0.4, 0.5, 900.0)])
    pages = friction_of([("guide, first page", "/g", 0.5, 0.6, 300.0)])
    plan = say.plan(
        friction,
        pages,
        release_of(ended=None, scope="device:mobile"),
        titles=pd.DataFrame({"page": ["/g"], "title": ["Guide"]}),
    )
    assert plan["what"].tolist() == ["step to cart, phones", "Guide", "step to order, phones", "Guide moved"]
    assert plan["department"].tolist() == ["Design", "Design", "Design", "Technology"]
    assert say.plan(EMPTY, EMPTY, EMPTY).empty


def differences_of(*, is_clear: bool) -> pd.DataFrame:
    return pd.DataFrame([{
        "source": "home", "target": "(end)", "n_first": 700, "n_second": 500, "first_share": 0.3, "second_share": 0.24, "gap_share": 0.06, "q_value": 0.0,
        "is_clear": is_clear,
    }])  # fmt: skip


def test_ways_differ_only_beyond_chance():
    groups = ("mobile", "desktop")
    clear = found_of(differences=differences_of(is_clear=True), groups=groups)["ways"]
    assert plain(clear.sentence) == "1 of 1 ways differs: after home, 30 % of phones leave the site, of desktops 24 %."
    assert clear.about.people == {"phones": 700, "desktops": 500}
    same = found_of(differences=differences_of(is_clear=False), groups=groups)["ways"]
    assert plain(same.sentence) == "Phones and desktops take the same ways: no differences beyond chance among 1 way."


@pytest.mark.parametrize("n_there", range(1, 7))
def test_the_stage_and_what_the_next_lacks(n_there):
    names = ["information", "product list", "enquiry", "cart", "online payment", "after-sales self-service"]
    stages = pd.DataFrame(
        {"stage": names, "is_there": [n < n_there for n in range(6)], "is_reached": [n < n_there for n in range(6)]}
    )
    found = found_of(stages=stages)["stage"]
    assert (found.action is None) == (n_there == 6)
    if n_there < 6:
        assert found.sentence.startswith(f"The site has come to {names[n_there - 1]};")
        assert found.things == (names[n_there],)
    else:
        assert found.sentence == "The site has all 6 stages of e-commerce, up to after-sales self-service."


def test_of_nothing_nothing_is_said():
    assert found_of() == {}
    assert say.answer(EMPTY, EMPTY, EMPTY, page=page()) == ""
    assert len(say.limits(page(), by="device")) == 1
    assert say.gaps(friction_of([])).empty
