"""The index: state, decisions, pages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from urllib.parse import unquote

from opslib.casework.agenda import AgendaItem
from opslib.reporting.harvest import Harvest
from opslib.reporting.index import Change, headline_tiles, render_index, sparkline
from opslib.reporting.manifest import PageRecord
from opslib.reporting.since import snapshot
from tests.reporting.notebooks import PROVENANCE, a_finding, estimate


def record(name: str = "10_a", *, status: str = "ok", reason: str = "", **found: object) -> PageRecord:
    return PageRecord(
        name=name,
        notebook=f"{name}.ipynb",
        title=f"Page {name}?",
        answer="It is so.",
        status=status,
        reason=reason,
        why_run="",
        seconds=1.0,
        parameters={"start": "2026-10-01", "end": "2026-10-31"},
        key={},
        sha256="",
        harvest=Harvest(**found),
    )


def metric(key: str, name: str, value: dict, **fields: object) -> dict:
    return a_finding(key, f"{name}.", metric=name, estimate=value, **{"role": "key figure", **fields})


def moved(name: str, value: dict, *, compared: str = "previous", **fields: object) -> dict:
    return metric(f"{name} {compared}", name, value, role="change", compared=compared, **fields)


def test_a_metric_has_one_tile_with_its_change_and_course() -> None:
    found = [
        metric("revenue", "revenue", estimate(412e3, 412e3, 412e3, "GBP")),
        moved("revenue", estimate(0.03, 0.004, 0.059, "relative change")),
        moved("revenue", estimate(-0.02, -0.06, 0.01, "relative change"), compared="year_before"),
        metric("conversion", "conversion", estimate(0.27, 0.26, 0.28, "share")),
        moved("conversion", estimate(0.286, 0.05, 0.5, "relative change")),
        metric("conversion-fr", "conversion", estimate(0.01, 0.01, 0.01, "share"), scope=[["country", "FR"]]),
        a_finding("words", "No metric here."),
    ]
    tested = record(
        "81", findings=[metric("c", "bounce", estimate(0.6, 0.5, 0.7, "change"))], proposals=[{"id": "P-1"}]
    )
    series = {"revenue": [390e3, 412e3, None], "conversion": [0.1, 0.2]}
    tiles = headline_tiles([record(findings=found, series=series), tested], currency="GBP")
    assert [t.name for t in tiles] == ["Revenue", "Conversion"]
    # by hand: 412 / 1.03 = 400, 412 / 0.98 = 420.4; 0.27 / 1.286 = 0.21, so 6 points and never 29 %
    assert tiles[0].value == "£412k"
    assert tiles[0].changes == (
        Change(text="£400k in Sep 2026", way=""),  # another month of the season: a number without an arrow
        Change(text="£420k in Oct 2025", way=""),
    )
    assert tiles[1].changes == (Change(text="6 points from 21.0\u00a0% in Sep 2026", way="up", is_better=True),)
    assert tiles[0].spark.startswith("data:image/svg+xml,%3Csvg")
    assert tiles[0].ends == ("£390k", "£412k")
    assert tiles[1].spark == ""  # its course ends with another number than the tile


def test_what_a_longer_month_explains_is_no_arrow() -> None:
    """October has 31 days and September 30: 3.3 % more orders are the calendar, as page 70 says."""
    found = [
        metric("orders", "orders", estimate(1_029, 1_029, 1_029, "orders")),
        moved("orders", estimate(0.029, 0.002, 0.057, "relative change")),
        metric("conversion", "conversion", estimate(0.27, 0.26, 0.28, "share")),
        moved("conversion", estimate(0.029, 0.002, 0.057, "relative change")),
    ]
    orders, conversion = headline_tiles([record(findings=found)], currency="GBP")
    assert orders.changes[0].way == ""
    assert conversion.changes[0].way == "up"  # a share has no length


def test_six_tiles_in_their_order_and_what_moved_most_before_the_rest() -> None:
    share = estimate(0.2, 0.1, 0.3, "share")
    names = ["repeat_rate", "return_rate", "bounce_rate", "sessions", "orders", "revenue", "session_conversion"]
    found = [metric(name, name, share) for name in names]
    found += [
        moved("return_rate", estimate(0.9, -0.1, 1.9, "relative change")),  # large, but nothing beyond chance
        moved("bounce_rate", estimate(-0.2, -0.3, -0.1, "relative change"), compared="year_before"),
    ]
    tiles = headline_tiles([record(findings=found)], currency="GBP")
    assert [t.metric for t in tiles] == [
        "revenue",
        "orders",
        "sessions",
        "session_conversion",
        "bounce_rate",
        "repeat_rate",
    ]
    assert tiles[4].changes == (Change(text="5 points from 25.0\u00a0% in Oct 2025", way="down", is_better=True),)
    assert tiles[2].name == "Visits"


def test_headline_and_figures_come_from_the_whole_shop_never_from_a_part_of_it() -> None:
    germany = replace(
        record("70_s", findings=[metric("revenue", "revenue", estimate(5.0, 5.0, 5.0, "GBP"))]),
        name="70_s--country-de", answer="Germany sold little.", parameters={"start": "2026-10-01", "end": "2026-10-31", "where": "country = DE"},
    )  # fmt: skip
    shop = record("70_s", findings=[metric("revenue", "revenue", estimate(9.0, 9.0, 9.0, "GBP"))])
    text = render_index([germany, shop], shop="demo", origin={"currency": "GBP"})
    assert '<p class="headline">It is so.</p>' in text
    assert '<p class="value">£9' in text
    assert '<p class="value">£5' not in text
    assert "Germany sold little." not in text
    assert '<a href="70_s--country-de.html">country DE</a>' in text  # the list of pages leads there
    alone = render_index([germany], shop="demo", origin={"currency": "GBP"})
    assert 'class="headline"' not in alone
    assert "<small>country DE</small>" in alone


def test_a_report_about_some_rows_says_so_in_title_and_head() -> None:
    text = render_index([record()], shop="demo", origin={}, where="country = DE")
    assert "<title>demo · only country DE" in text
    assert "State of the shop, Oct 2026: only country DE</h1>" in text


def test_the_index_is_about_the_period_of_its_figures() -> None:
    asked = {"start": "", "end": ""}
    year = record("50_a", provenance={"start": "2026-01-01", "end": "2026-12-31"})
    figures = record(
        "70_b",
        findings=[metric("revenue", "revenue", estimate(9.0, 9.0, 9.0, "GBP"))],
        provenance={"start": "2026-10-01", "end": "2026-10-31"},
    )
    text = render_index([replace(page, parameters=asked) for page in (year, figures)], shop="demo", origin={})
    assert "State of the shop, Oct 2026" in text


def test_a_sparkline_leaves_gaps_and_marks_the_end() -> None:
    svg = unquote(sparkline([0.0, 10.0, None, 5.0, 10.0])).replace("'", '"')
    assert 'd="M3.0 32.0L41.5 4.0M118.5 18.0L157.0 4.0"' in svg  # by hand: 38.5 a step, 28 high, 4 from the edge
    assert 'cx="157.0" cy="4.0"' in svg
    assert sparkline([None, 1.0]) == ""


def test_the_year_before_lies_in_grey_below_its_own_months() -> None:
    svg = unquote(sparkline([0.0, 10.0, 5.0], [10.0, 0.0])).replace("'", '"')
    assert '<path d="M80.0 4.0L157.0 32.0" stroke="#b4bac0"' in svg  # two values only: they belong to the last two
    assert "#b4bac0" not in unquote(sparkline([0.0, 10.0]))


def test_pages_failures_and_gaps_each_have_their_place() -> None:
    missing = record("20_b", status="not available", not_available=[{"table": "reviews", "would_answer": "what hurts"}])
    text = render_index(
        [record(provenance=PROVENANCE), missing, record("30_c", status="failed", reason="it broke.")],
        shop="demo",
        origin={},
    )
    for part in ("State of the shop, Oct 2026", "Harbour Lane", "simulated", "It is so.", 'href="10_a.html"'):
        assert part in text
    assert "This page could not be made: it broke.</p>" in text
    assert text.index("Not available") < text.index("Missing: reviews (would say what hurts)")
    assert "Decide now" not in text


def a_card(number: int, *, net: float | None = None, **fields: object) -> dict:
    money = None if net is None else estimate(net, net - 1e3, net + 1e3, "GBP/year")
    empty = {"grade": "High", "recommendation": "launch", "decision": None, "notes": []}
    return {**empty, "id": f"P-{number}", "title": f"Change {number}", "verdict": "supported", "money": money, **fields}


def test_decisions_stand_by_what_they_wait_for_and_by_money() -> None:
    cards = [
        a_card(1, net=2e3), a_card(2, net=-9e3), a_card(3, net=5e3, recommendation="test first"), a_card(4, net=8e3),
        a_card(5), a_card(6, decision="launch (Ada, 1 Oct)"), a_card(7, verdict="invalid (sample ratio)"),
    ]  # fmt: skip
    standings = [
        AgendaItem(id="P-4", title="Change 4", owner="Marketing", waits_for=("Logistics", "Finance")),
        AgendaItem(id="P-5", title="Change 5", owner="Marketing", is_replay=True),
    ]
    text = render_index(
        [record("81_proposal", proposals=cards)], shop="demo", origin={"currency": "GBP"}, standings=standings
    )
    heads = ("Decide now (2)", "Waiting for somebody (1)", "Too little evidence (2)", "Decided (1)", "Replayed on old data (1)")  # fmt: skip
    places = [text.index(head) for head in heads]
    assert places == sorted(places)
    parts = [text[a:b] for a, b in zip(places, [*places[1:], len(text)], strict=True)]
    named = [re.findall(r">(P-\d) Change \d</a></th>", part) for part in parts]
    assert named == [["P-2", "P-1"], ["P-4"], ["P-3", "P-7"], ["P-6"], ["P-5"]]
    assert "Logistics and Finance" in parts[1]
    assert ">net a year</th>" in parts[0]
    assert "Decisions (5)" in text  # what was replayed or decided waits for nobody
    assert "Page 81_proposal?" not in text  # the tables lead to it
    assert "2 decisions can be made now, first P-\u20602 Change 2, " in text
    assert "£9" in text.partition("first P-")[2].partition("net a year")[0]


def test_a_launched_change_that_did_harm_is_to_be_undone_and_nobody_claims_that_it_is_on() -> None:
    launched = a_card(2, net=-9e4, verdict="harmful", decision="launch (Ada, 1 Oct)", recommendation="reject")
    cards = [a_card(1, net=2e5), launched, a_card(3, verdict="harmful", decision="reject (Ada)")]
    standings = [AgendaItem(id="P-2", title="Change 2", owner="Marketing", waits_for=("Logistics",))]
    text = render_index([record("81_proposal", proposals=cards)], shop="demo", origin={}, standings=standings)
    said = text.partition('class="headline"')[2].partition("</p>")[0]
    assert "One launched change did harm: P-\u20602 Change 2; undo it if it is still on." in said
    assert "live" not in said
    assert "P-\u20603" not in said
    # It is decided now by its owner, although another department had objected before the launch.
    now = text.partition("Decide now (2)")[2].partition("</table>")[0]
    assert re.findall(r">(P-\d) Change \d</a></th>", now) == ["P-1", "P-2"]
    assert "<td>undo</td>" in now
    assert "Waiting for somebody" not in text
    assert "your answer is missing" not in text
    two = [launched, {**launched, "id": "P-4", "title": "Change 4"}]
    text = render_index([record("81_proposal", proposals=two)], shop="demo", origin={})
    assert (
        "2 launched changes did harm: P-\u20602 Change 2 and P-\u20604 Change 4; undo them if they are still on."
        in text
    )
    replayed = [AgendaItem(id="P-2", title="Change 2", owner="Marketing", is_replay=True)]
    text = render_index([record("81_proposal", proposals=[launched])], shop="demo", origin={}, standings=replayed)
    assert "did harm" not in text.partition('class="headline"')[2].partition("</p>")[0]


def test_a_verdict_on_weak_evidence_says_so_in_words() -> None:
    cards = [a_card(1, verdict="confirmed", grade="Very low"), a_card(2, verdict="confirmed"), a_card(3, verdict="inconclusive", grade="Low")]  # fmt: skip
    text = render_index([record("81_proposal", proposals=cards)], shop="demo", origin={})
    assert re.findall(r"<td>((?:confirmed|inconclusive)[^<]*)</td>", text) == [
        "confirmed, weak evidence", "confirmed", "inconclusive",
    ]  # fmt: skip


def test_a_follow_up_is_due_or_overdue() -> None:
    day = date(2026, 10, 4)
    late = AgendaItem(id="P-1", title="Change 1", owner="Stores", follow_up_on=day, is_overdue=True)
    soon = AgendaItem(id="P-2", title="Change 2", owner="Stores", follow_up_on=date(2026, 11, 4))
    text = render_index(
        [record("81", proposals=[a_card(1), a_card(2)])], shop="demo", origin={}, standings=[soon, late]
    )
    assert text.index("overdue since 4 Oct 2026 (Stores)") < text.index("due on 4 Nov 2026 (Stores)")


def test_a_department_finds_what_is_its_own() -> None:
    found = [
        a_finding("a", "Stock ran out.", department="Logistics", action="order pots", section="stock"),
        a_finding("b", "A number alone.", department="Logistics", is_told=False),
        a_finding("c", "Prices are high.", department="Buying"),
    ]
    standings = [AgendaItem(id="P-4", title="Change 4", owner="Buying", waits_for=("Logistics",))]
    text = render_index(
        [record(findings=found), record("81", proposals=[a_card(4)])], shop="demo", origin={}, standings=standings
    )
    assert '<a href="#d-logistics">Logistics</a>' in text.partition("For each department")[0]
    part = text.partition('id="d-logistics"')[2].partition("</div>\n</section>")[0]
    for own in ("1 to do, 1 decision, 1 finding", "order pots", "P-4 Change 4</a>: your answer", '10_a.html#f-a">why'):
        assert own in part
    assert "A number alone." not in text
    assert "Prices are high." in text.partition('id="d-buying"')[2].partition('id="d-logistics"')[0]


def test_the_index_alone_marks_a_simulated_shop() -> None:
    failed = record(status="failed", reason="x")
    assert '<span class="tag">simulated</span>' in render_index([failed], shop="d", origin={"is_simulated": True})


def test_alarms_changes_and_promises_say_what_is_and_what_is_not() -> None:
    calm = render_index([record()], shop="demo", origin={})
    for part in ("Alarms (0)", "<p>No alarms.</p>", "First report: nothing to compare with."):
        assert part in calm
    assert "Promises we made" not in calm
    assert 'href="#pages"' in calm.partition("<h1")[0]  # the list of pages is one step away
    assert "Not run this time" not in calm
    bad = record(findings=[a_finding("undo-p-1", "P-1 made <it> worse.", role="promise", objects=["P-1"])])
    before = snapshot([record(findings=[a_finding(f"k{i}", f"Was {i}.") for i in range(9)])])
    follow = record("90_follow_up")
    text = render_index(
        [bad, follow],
        shop="demo",
        origin={},
        before=before,
        promises="4 of 12.",
        left_out={"Where?": "the data changed"},
    )
    assert "Alarms (1)" in text
    assert "What changed since last time (10)" in text  # one new, nine gone
    assert "<summary>2 more</summary>" in text
    assert '10_a.html#f-undo-p-1">why' in text
    assert "made &lt;it&gt; worse" in text
    assert '4 of 12. <a href="90_follow_up.html">' in text
    assert text.index("Not run this time") < text.index("the data changed")
    same = render_index([record()], shop="demo", origin={}, before=snapshot([record()]))
    assert "No finding, verdict or decision changed." in same
