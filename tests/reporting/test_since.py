"""Alarms by one rule, and what changed since the report before."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from opslib.reporting.since import Notice, alarms, changes, finding_anchor, snapshot
from tests.reporting.notebooks import a_finding, estimate
from tests.reporting.test_index import metric, record


def moved(name: str, lower: float, upper: float, **fields: object) -> dict:
    value = (lower + upper) / 2
    number = estimate(value, lower, upper, "relative change")
    return metric(f"{name}-moved", name, number, **{"role": "change", "compared": "previous", **fields})


def card(number: int = 1, verdict: str = "harmful", decision: str | None = None) -> dict:
    return {"id": f"P-{number}", "title": "Banner", "verdict": verdict, "decision": decision}


@pytest.mark.parametrize(
    ("finding", "why"),
    [
        (moved("repeat_rate", -0.2, -0.01), "key figure"),
        (moved("repeat_rate", -0.2, 0.01), ""),  # zero is inside
        (moved("repeat_rate", 0.01, 0.2), ""),  # better
        (moved("return_rate", 0.01, 0.2), "key figure"),  # more returns are worse
        (moved("repeat_rate", -0.2, -0.2), ""),  # without an interval nobody knows whether it is chance
        (moved("return_rate", -0.2, -0.01), ""),
        (moved("repeat_rate", -0.2, -0.01, scope=[["country", "FR"]]), ""),  # of a part of the shop
        (moved("repeat_rate", -0.2, -0.01, compared="year_before"), ""),
        (moved("repeat_rate", -0.2, -0.01, role="key figure"), ""),  # a figure, not its change
        (moved("revenue", -0.2, -0.01), "key figure"),  # the main figure
        (moved("revenue", -0.2, -0.01, compared="year_before"), "key figure"),
        (moved("revenue", -0.2, 0.01, compared="year_before"), ""),
        (a_finding("no price", "Prices are missing.", role="data", action="mend it"), "data"),
        (a_finding("no price", "Prices are missing.", role="data"), ""),  # a warning
        (a_finding("rule-order_lines-price", "Prices are missing.", action="mend it"), ""),  # a key decides nothing
        (a_finding("p-1", "P-1 made it worse.", role="promise", objects=["P-1"]), "promise"),
        (a_finding("anything", "Else."), ""),
    ],
)
def test_what_is_an_alarm(finding: dict, why: str) -> None:
    expected = [Notice(why, finding["sentence"], f"10_a.html#{finding_anchor(finding['key'])}")] if why else []
    assert alarms([record(findings=[finding])]) == expected


def test_a_fall_of_the_revenue_is_held_against_the_year_before_where_that_is_known() -> None:
    season = [moved("revenue", -0.4, -0.2), moved("revenue", -0.1, 0.1, compared="year_before")]
    assert alarms([record(findings=season)]) == []  # January after December
    worse = [moved("revenue", -0.1, 0.1), moved("revenue", -0.4, -0.2, compared="year_before")]
    assert [notice.kind for notice in alarms([record(findings=worse)])] == ["key figure"]


def test_a_part_of_the_report_raises_no_alarm_of_the_shop() -> None:
    part = replace(record(findings=[moved("revenue", -0.4, -0.2)]), name="10_a--country-de")
    assert alarms([part]) == []
    assert [n.kind for n in alarms([replace(part, status="failed")])] == ["page failed"]


def test_what_no_reader_saw_is_neither_new_nor_gone_and_leads_to_its_section() -> None:
    told, quiet = a_finding("a", "Told."), a_finding("b", "Quiet.", is_told=False, section="figures")
    assert [n.text for n in changes([record(findings=[told, quiet])], snapshot([record()]))] == ["Told."]
    assert [n.text for n in changes([record()], snapshot([record(findings=[told, quiet])]))] == ["Told."]
    number = estimate(1.0, 0.9, 1.1, "GBP"), estimate(9.0, 8.9, 9.1, "GBP")
    past, now = (record(findings=[{**quiet, "estimate": value}]) for value in number)
    assert [n.address for n in changes([now], snapshot([past]))] == ["10_a.html#figures"]


def test_a_harmful_or_invalid_proposal_is_an_alarm_until_it_is_rejected() -> None:
    cards = [card(1), card(2, "invalid (sample ratio)"), card(3, decision="reject (A, 1 Oct)"), card(4, "refuted")]
    cards += [card(5, decision="launch (A, 1 Oct)"), card(6, decision="launch (A, 1 Oct)")]
    seen = alarms([
        record("81_p", proposals=cards, findings=[moved("repeat_rate", -0.2, -0.1)]),
        record("90_f", findings=[a_finding("p6", "P-6 made it worse.", role="promise", objects=["P-6"])]),
    ])  # fmt: skip
    assert [n.text for n in seen] == [
        "P-1 Banner does harm: not decided.",
        "P-2 Banner cannot be judged: invalid (sample ratio), not decided.",
        "P-5 Banner does harm and was launched; undo it if it is still on: launch (A, 1 Oct).",
        "P-6 made it worse.",  # once, by its follow-up; the test's own evidence is no key figure of the shop
    ]


def test_a_page_that_could_not_be_made_is_an_alarm() -> None:
    assert [n.kind for n in alarms([record(status="failed", reason="x")])] == ["page failed"]


def test_findings_come_go_and_move_beyond_both_intervals() -> None:
    def page(*findings: dict) -> list:
        return [record(findings=list(findings))]

    share = lambda key, low, high: metric(key, "repeat_rate", estimate((low + high) / 2, low, high, "share"))  # noqa: E731
    before = snapshot(page(share("a", 0.2, 0.3), share("b", 0.2, 0.3), a_finding("gone", "It was so.")))
    # By hand: a moves by .08, both half-widths .05 give .0707; b moves by .07.
    now = page(share("a", 0.28, 0.38), share("b", 0.27, 0.37), a_finding("new", "It is so."))
    assert [(n.kind, n.address) for n in changes(now, before)] == [
        ("changed", "10_a.html#f-a"),
        ("new", "10_a.html#f-new"),
        ("gone", "10_a.html"),
    ]
    assert changes(page(share("a", 0.2, 0.3), share("b", 0.2, 0.3), a_finding("gone", "It was so.")), before) == []


def test_counted_figures_other_units_and_other_questions_are_not_compared() -> None:
    counted = lambda v: metric("revenue", "revenue", estimate(v, v, v, "GBP"))  # noqa: E731
    before = snapshot([record(findings=[counted(9.0)]), record("20_b", findings=[a_finding("x", "X.")])])
    assert changes([record(findings=[counted(99.0)])], before) == []
    other = record("20_b", findings=[a_finding("y", "Y.")])
    other.parameters["where"] = "country = FR"
    assert changes([other], before) == []
    assert [n.kind for n in changes([record("20_b", findings=[a_finding("y", "Y.")])], before)] == ["new", "gone"]


def test_verdicts_and_decisions_since() -> None:
    before = snapshot([record("81_p", proposals=[card(1, "inconclusive"), card(2), card(3)])])
    now = [record("81_p", proposals=[card(1, "confirmed"), card(2, decision="reject (A, 1 Oct)"), card(4)])]
    assert [(n.kind, n.text) for n in changes(now, before)] == [
        ("decision", "P-2 Banner: reject (A, 1 Oct)."),
        ("verdict", "P-1 Banner: confirmed, was inconclusive."),
        ("new", "P-4 Banner: harmful."),
        ("gone", "P-3 Banner is no longer among the proposals."),
    ]


def test_a_state_is_data_period_and_proposals_and_survives_json() -> None:
    one = record(findings=[a_finding("a", "A.")])
    assert json.loads(json.dumps(snapshot([one]))) == snapshot([one])
    again = record(findings=[a_finding("a", "Another sentence of a newer version.")])
    assert snapshot([again])["state"] == snapshot([one])["state"]
    later = record()
    later.parameters["end"] = "2026-11-30"
    assert snapshot([later])["state"] != snapshot([one])["state"]
