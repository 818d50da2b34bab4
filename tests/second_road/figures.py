"""Second roads of the pages about the whole shop: data health, key figures, follow-up."""

from __future__ import annotations

import json
from datetime import date
from math import log
from typing import Any

from tests.second_road.pieces import ROOT, Elsewhere, Raw, Road, word

_INTERVALS = Elsewhere("tests/test_kpis.py")
_NOW, _THEN, _BEFORE = "2026-10", "2025-10", "2026-09"


def _guests_and_gaps(raw: Raw) -> tuple[float, list[str]]:
    (guests,) = raw.row("select avg((customer_id is null)::int) from order_lines")
    missing = raw.rows("""
        select strftime(d, '%-d %b %Y') from (select unnest(range(date '2025-05-01', date '2026-11-01', interval 1 day)) as d)
        where d not in (select local_day(ordered_at) from order_lines)""")
    return guests, [day for (day,) in missing]


def fit(raw: Raw, _: str) -> list[Any]:
    guests, missing = _guests_and_gaps(raw)
    return [1 + len(missing), guests, *missing, "missing"]


def guests(raw: Raw, _: str) -> list[Any]:
    return [_guests_and_gaps(raw)[0], "not"]


def missing_day(raw: Raw, _: str) -> list[Any]:
    ((day,),) = (_guests_and_gaps(raw)[1],)
    return [day, "missing", "September 2025", "not"]


def days(raw: Raw, _: str) -> list[Any]:
    n, every = raw.row(
        "select count(distinct local_day(ordered_at)), date '2026-11-01' - date '2025-05-01' from order_lines"
    )
    return [n, every, "1 May 2025", "31 Oct 2026"]


def month(raw: Raw, when: str) -> dict[str, float]:
    """Key figures of a month, each from its own query."""
    sold = raw.row(f"""
        select sum(amount), count(distinct order_id), count(distinct customer_id), sum(quantity)::double, count(distinct who),
               sum(amount - cost_amount::double) from paid where strftime(day, '%Y-%m') = '{when}'""")
    (refunds,) = raw.row(
        f"select sum(refund_amount)::double from returns where strftime(local_day(returned_at), '%Y-%m') = '{when}'"
    )
    (visitors,) = raw.row(
        f"select count(distinct visitor_id) from sessions where strftime(local_day(started_at), '%Y-%m') = '{when}'"
    )
    names = ("revenue", "orders", "customers", "units", "buyers", "gross")
    found: dict[str, float] = dict(zip(names, sold, strict=True))
    return found | {
        "net": sold[0] - refunds,
        "margin": sold[5] - refunds,
        "share": sold[5] / sold[0],
        "visitors": visitors,
    }


def _changes(raw: Raw) -> dict[str, float]:
    now, then = month(raw, _NOW), month(raw, _THEN)
    return {name: now[name] / then[name] - 1 for name in now} | {"share": 100 * (now["share"] - then["share"])}


def how_the_month_was(raw: Raw, _: str) -> list[Any]:
    now, then, before = (month(raw, when)["revenue"] for when in (_NOW, _THEN, _BEFORE))
    change = _changes(raw)
    return [
        "October 2026", now, word(now - then, "up", "down"), abs(now / then - 1), "October 2025", then, "September", before, "October 2025",
        word(change["visitors"], "more", "fewer"), change["visitors"], word(change["orders"], "more", "fewer"), change["orders"],
    ]  # fmt: skip


def why_revenue_moved(raw: Raw, _: str) -> list[Any]:
    """The logarithmic mean shares a change out over its factors; their order here is by size, their sum the change."""
    now, then = month(raw, _NOW), month(raw, _THEN)
    mean = (now["revenue"] - then["revenue"]) / log(now["revenue"] / then["revenue"])
    factors = {
        ("more", "fewer"): ("buyers", ""), ("larger", "smaller"): ("units", "orders"), ("more ", "fewer "): ("orders", "buyers"),
        ("dearer", "cheaper"): ("revenue", "units"),
    }  # fmt: skip
    parts = {
        words: mean * log((now[a] / now.get(b, 1)) / (then[a] / then.get(b, 1))) for words, (a, b) in factors.items()
    }
    whole = sum(abs(part) for part in parts.values())
    parts = {words: part for words, part in parts.items() if abs(part) >= whole / 20}
    assert min(parts.values()) > 0, "a factor took something away: the sentence must say so"
    ordered = sorted(parts, key=lambda words: -parts[words])
    return ["October 2025", *(words[0].strip() for words in ordered), sum(parts.values())]


def moved_by_product(raw: Raw, _: str) -> list[Any]:
    rows = raw.rows(f"""
        with sides as (
          select name, strftime(day, '%Y-%m') = '{_NOW}' as is_now, sum(amount) as amount, count(distinct who) as n
          from paid join products using (product_id) where strftime(day, '%Y-%m') in ('{_NOW}', '{_THEN}') group by 1, 2)
        select name, sum(if(is_now, amount, -amount)) as change from sides group by 1 having min(n) >= 10 order by change""")
    (fell, less), (rose, more) = rows[0], rows[-1]
    return ["October 2025", rose, more, word(more, "more", "less"), "largest", "rise", "least", 10,
            fell, -less, word(less, "more", "less"), "largest", "fall", "least", 10]  # fmt: skip


def moved_by_category(raw: Raw, _: str) -> list[Any]:
    rows = raw.rows(f"""
        select category, sum(if(strftime(day, '%Y-%m') = '{_NOW}', amount, -amount)) as change
        from paid join products using (product_id) where strftime(day, '%Y-%m') in ('{_NOW}', '{_THEN}') group by 1 order by 2 desc""")
    assert rows[-1][1] > 0, "a category fell: the sentence must say so"
    return ["October 2025", rows[0][0], rows[0][1], "more", "largest", "rise"]


def also_moved(raw: Raw, _: str) -> list[Any]:
    change = _changes(raw)
    return ["October 2025", change["net"], change["margin"], change["share"], change["customers"], _INTERVALS]


def unchanged(_: Raw, __: str) -> list[Any]:
    return ["October 2025", _INTERVALS]


def _ledger() -> list[dict[str, Any]]:
    path = ROOT / "data" / "proposals" / "demo" / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _of(kind: str) -> dict[str, dict[str, Any]]:
    return {record["proposal"]: record["payload"] for record in _ledger() if record["kind"] == kind}


def _frozen(name: str) -> dict[str, dict[str, Any]]:
    """The claims of a proposal, as they were frozen."""
    return _of("freeze")[name]["content"]["claims"]


def _outcomes() -> dict[str, str]:
    """What became of each launch, from the interval that stands in the ledger and what was promised."""
    seen = _of("follow_up")
    return {
        name: "worse" if one["upper"] < 0 else "open" if one["lower"] <= 0 else "better" if one["lower"] < one["promise"] else "as promised"
        for name, one in seen.items()
    }  # fmt: skip


def what_came_true(_: Raw, __: str) -> list[Any]:
    outcomes, seen = list(_outcomes().values()), _of("follow_up")
    assert "as promised" not in outcomes
    worse = [name for name, what in _outcomes().items() if what == "worse"]
    return [
        len(outcomes), outcomes.count("better"), "better", outcomes.count("open"), outcomes.count("worse"), "worse",
        *(piece for name in worse for piece in (name, seen[name]["value"])),
    ]  # fmt: skip


def undo(raw: Raw, sentence: str) -> list[Any]:
    """The relative change of the hold-out is counted again in the raw events, and must be what the ledger has."""
    name = sentence[:4]
    one = _of("follow_up")[name]
    assert abs(holdout_change(raw, name) - one["value"]) < 0.001
    money = Elsewhere("tests/proposals/test_worth.py")
    return [name, word(one["value"], "better", "worse"), one["value"], one["promise"], money]


def holdout_change(raw: Raw, name: str) -> float:
    """The relative change of a proposal's checkouts in the days of its follow-up."""
    with_it, without = completed(raw, name, **_frozen(name)["checkout-completion"]["follow_up"]["window"])
    return with_it / without - 1


def completed(raw: Raw, name: str, *, start: str, end: str) -> tuple[float, float]:
    """Of the visits of each arm that begin the checkout, those that end in an order: with the change, without it."""
    experiment = _frozen(name)["checkout-completion"]["design"]["experiment"]
    arms = dict(
        raw.rows(f"""
        with arm as (select unit_id, any_value(variant) as variant from experiments where experiment_id = '{experiment}' group by 1),
        begun as (
          select session_id, min(event_index) filter (event_name = 'begin_checkout') as began, max(event_index) filter (event_name = 'purchase') as bought
          from events where local_day(occurred_at) between '{start}' and '{end}' group by 1)
        select variant, avg(coalesce(bought > began, false)::int) from begun join sessions using (session_id) join arm on unit_id = visitor_id
        where began is not null group by 1""")
    )
    return arms["treatment"], arms["control"]


def tested(name: str) -> Road:
    """The road of a proposal whose claim is about checkouts: both shares, their difference and what was promised, in points."""

    def road(raw: Raw, sentence: str) -> list[Any]:
        claim = _frozen(name)["checkout-completion"]
        with_it, without = completed(raw, name, **claim["window"])
        assert ("harm" in sentence) == (with_it < without)
        chance = [Elsewhere("tests/stats/test_verdict_rule.py"), "not"] if "certain" in sentence else []
        return [with_it, without, 100 * (with_it - without), 100 * claim["promise"] * without, *chance]

    return road


def follow_up_due(_: Raw, sentence: str) -> list[Any]:
    name = sentence.split("follow-up of ")[1][:4]
    assert name in _of("decision")
    assert name not in _of("follow_up")
    ((end,),) = ({one["follow_up"]["window"]["end"] for one in _frozen(name).values() if one["follow_up"]},)
    return [name, f"{date.fromisoformat(end):%-d %b %Y}"]


def how_good(_: Raw, __: str) -> list[Any]:
    return [len(_of("follow_up")), 10]


def against_advice(_: Raw, __: str) -> list[Any]:
    decided, outcomes = _of("decision"), _outcomes()
    against = [name for name, one in decided.items() if not one["is_with_recommendation"]]
    seen = [outcomes[name] for name in against if name in outcomes]
    return [len(against), len(decided), len(seen), seen.count("better"), "better"]


ROADS = {
    **{name: {f"{name.lower()}-checkout-completion": tested(name)} for name in ("D-01", "D-05")},
    "00_data_health": {
        "answer": fit, "rule-order_lines-customer_id": guests, "rule-order_lines-ordered_on": missing_day, "days": days,
    },
    "70_statistics": {
        "answer": how_the_month_was, "why-revenue-moved": why_revenue_moved, "moved-by-product": moved_by_product,
        "moved-by-category": moved_by_category, "also-moved": also_moved, "unchanged": unchanged,
    },
    "90_follow_up": {
        "answer": what_came_true, "undo-": undo, "follow-up-": follow_up_due, "how-good": how_good, "against-advice": against_advice,
    },
}  # fmt: skip
