"""Second roads of the pages of product control, of the investigation and of the development plan."""

from __future__ import annotations

import json
from math import log
from typing import Any

import yaml

from tests.second_road.pieces import ROOT, Elsewhere, Raw, word

_SALES = Elsewhere("tests/product_control/test_sales.py")
_FIGURE, _MONEY = Elsewhere("tests/test_investigation.py"), Elsewhere("tests/proposals/test_desirability.py")
_STEPS = Elsewhere("tests/proposals/test_roadmap.py")
A_MONTH = 365.25 / 12 / 365
#: Named faulty beside the planted ones: the one in ten that the page allows itself, read on the page and settled by hand.
BESIDE = ("Bramble cotton ring binder 26 cm",)
VIEWS = f"""
create table back as
  select product_id, local_day(returned_at) as day, refund_amount::double as refund, reason from returns
  where local_day(returned_at) between '2025-11-01' and '2026-10-31';
create table looked_at as
  with sold as (select product_id, count(*) as n from year group by 1),
  came as (select product_id, count(*) as x, sum(refund) as refund, mode(reason) as reason from back group by 1)
  select product_id, name, category, supplier, is_faulty or name in ('{"', '".join(BESIDE)}') as is_faulty, n, coalesce(x, 0) as x, refund, reason
  from products join truth_products using (product_id) join sold using (product_id) left join came using (product_id);
create view faulty as
  select name, n, x, reason, usual, refund * (1 - usual * n / x) * {A_MONTH} as beyond from looked_at
  join (select category, sum(x) / sum(n) as usual from looked_at where not is_faulty group by 1) using (category) where is_faulty;
create table deliveries as
  with rows as (select product_id, day, 1 as n, 0 as x, 0.0 as refund from year union all select product_id, day, 0, 1, refund from back),
  cells as (select supplier, category, date_trunc('month', day) as m, sum(r.n) as n, sum(r.x) as x, sum(r.refund) as refund
            from rows r join looked_at using (product_id) where not is_faulty group by all),
  usual as (select *, n * sum(x) over (partition by category) / sum(n) over (partition by category) as u from cells),
  months as (select supplier, m, sum(n) as n, sum(x) as x, sum(refund) as refund, sum(u) as u from usual group by 1, 2),
  ranked as (select *, row_number() over (order by x / n desc) as place from months)
  select *, u * (select sum(x) / sum(u) from ranked where place > 2) as expected from ranked where place <= 2;
create view short as
  with pace as (select product_id, sum(quantity)::double / 90 as a_day from paid where day between date '2026-10-31' - 89 and '2026-10-31' group by 1),
  margin as (select product_id, sum(amount - cost_amount::double) / 365 as a_day from year group by 1)
  select product_id, lead_time_days - (n_on_hand + coalesce(n_on_order, 0)) / p.a_day as days, greatest(m.a_day, 0) as a_day
  from stock_levels join products using (product_id) join pace p using (product_id) join margin m using (product_id)
  where date = '2026-10-31' and (n_on_hand + coalesce(n_on_order, 0)) / p.a_day < lead_time_days;
"""


def faulty_products(raw: Raw, _: str) -> list[Any]:
    """The costliest by its refunds beyond those of the other products of its category, faulty ones apart."""
    name, n, x, reason, usual, _beyond = raw.rows("from faulty order by beyond desc")[0]
    (others,) = raw.row("select count(*) - 1 from faulty")
    return [name, others, x / n, usual, reason]


def _bad_deliveries(raw: Raw) -> tuple[str, list[str], float, float, float]:
    """Supplier and months of the two months with the largest shares; what came back, what is usual, and the refunds beyond that."""
    suppliers = raw.row("select min(supplier), max(supplier) from deliveries")
    assert suppliers[0] == suppliers[1]
    months = [month for (month,) in raw.rows("select strftime(m, '%b %Y') from deliveries order by m")]
    share, usual, beyond = raw.row(
        "select sum(x) / sum(n), sum(expected) / sum(n), sum(refund * (1 - expected / x)) from deliveries"
    )
    return suppliers[0], months, share, usual, beyond


def bad_deliveries(raw: Raw, sentence: str) -> list[Any]:
    supplier, months, share, usual, _beyond = _bad_deliveries(raw)
    assert f"{supplier}’s lines" in sentence
    return [share, *months, usual]


def off(raw: Raw, sentence: str) -> list[Any]:
    supplier, months, _share, _usual, beyond = _bad_deliveries(raw)
    assert f"{supplier}’s bad deliveries" in sentence
    n, lost = raw.row("select count(*), sum(beyond) from faulty")
    (sold,) = raw.row("select count(distinct product_id) from year")
    return [n, sold, lost, beyond, *months]


def runs_out(raw: Raw, _: str) -> list[Any]:
    n, missed = raw.row("select count(*), sum(days * a_day) from short")
    return [n, "31 Oct", missed]


def unsold(raw: Raw, sentence: str) -> list[Any]:
    """Order lines of four weeks and days without stock; what is usual is the model's word."""
    name = sentence.split(" was ordered")[0]
    (sold,) = raw.row(
        f"select count(*) from paid join products using (product_id) where name = '{name}' and day between '2026-10-04' and '2026-10-31'"
    )
    (out,) = raw.row(
        f"select count(*) from stock_levels join products using (product_id) where name = '{name}' and n_on_hand <= 0 and date between '2026-10-04' and '2026-10-31'"
    )
    return [name, sold, _SALES, _SALES, out]


def below_cost(raw: Raw, _: str) -> list[Any]:
    rows = raw.rows(f"""
        select name, -sum(amount - cost_amount::double) * {A_MONTH} as lost from year join products using (product_id)
        group by 1 having lost > 0 order by lost desc""")
    return [len(rows), sum(lost for _name, lost in rows), *(name for name, _lost in rows[:2])]


def _visits(raw: Raw, what: str = "true") -> tuple[int, ...]:
    """Visits and visitors of October 2025 and of October 2026."""
    return raw.row(f"""
        with v as (select visitor_id, strftime(local_day(started_at), '%Y-%m') as m from sessions where {what})
        select count(*) filter (m = '2025-10'), count(*) filter (m = '2026-10'), count(distinct visitor_id) filter (m = '2025-10'),
               count(distinct visitor_id) filter (m = '2026-10') from v""")


def moved(raw: Raw, sentence: str) -> list[Any]:
    """What the cause explains is the model's word, but never more than all visits of its channel."""
    before, after, *_people = _visits(raw)
    change, title = after / before - 1, _written(raw, sentence)[0]
    (medium,) = raw.row(
        f"select split_part(scope, ':', 2) from changes where description = '{title}' and scope like 'channel:%'"
    )
    own = _visits(raw, f"medium = '{medium}'")[1]
    assert 0 < _told(sentence, "explains +") < after / (after - own) - 1
    return [word(change, "rose", "fell"), before, "October 2025", after, "October 2026", change, title, _FIGURE, change]


def _told(sentence: str, ahead: str) -> float:
    """The share that stands behind some words."""
    return float(sentence.split(ahead)[1].split("%")[0].strip(" \u202f\xa0")) / 100


def _written(raw: Raw, sentence: str) -> tuple[str, str]:
    """Name and first day of a change that the shop wrote down."""
    title = sentence.split("“")[1].split("”")[0]
    return raw.row(
        f"select description, strftime(local_day(started_at), '%-d %b %Y') from changes where description = '{title}'"
    )


def cause(raw: Raw, sentence: str) -> list[Any]:
    return [*_written(raw, sentence), _FIGURE]


def unexplained(raw: Raw, _: str) -> list[Any]:
    before, after, *_people = _visits(raw)
    return [after / before - 1, _FIGURE]


def where(raw: Raw, sentence: str) -> list[Any]:
    """The channel's visits; how far it moved beyond the others is shrunk, but not beyond what is counted; what that brought follows from it."""
    medium = sentence.split("Channel ")[1].split(" stands out")[0]
    whole, own = _visits(raw), _visits(raw, f"medium = '{medium}'")
    told = _told(sentence, ", +")
    assert 0 < told < (own[1] / own[0]) / ((whole[1] - own[1]) / (whole[0] - own[0])) - 1
    return [own[0], own[1], _FIGURE, own[1] * (1 - 1 / (1 + told)) / (whole[1] - whole[0])]


def factor(raw: Raw, _: str) -> list[Any]:
    """The change shared out by logarithmic means among visitors and visits a visitor."""
    before, after, people, now = _visits(raw)
    part = (after - before) / log(after / before) * log(now / people)
    assert part > (after - before) / 2
    return ["largest", part, after - before]


def when(raw: Raw, sentence: str) -> list[Any]:
    """Of all days that cut the half-year in two, the one that tells its levels apart best lies within the days told."""
    days = raw.rows("""
        select strftime(d, '%-d %b %Y'), n / avg(n) over (partition by dayofweek(d)) from (
          select local_day(started_at) as d, count(*) as n from sessions group by 1) where d between '2026-05-01' and '2026-10-31' order by d""")
    names, levels = [name for name, _ in days], [level for _, level in days]

    def apart(at: int) -> float:
        first, then = levels[:at], levels[at:]
        return (sum(then) / len(then) - sum(first) / len(first)) * (len(first) * len(then)) ** 0.5

    best = max(range(7, len(days) - 7), key=lambda at: abs(apart(at)))
    around, (low, high) = (
        sentence.split("around ")[1].split(" (")[0],
        sentence.split("between ")[1].split(")")[0].split(" and "),
    )
    assert names.index(low) <= min(best, names.index(around)) <= max(best, names.index(around)) <= names.index(high)
    return [word(apart(best), "rose", "fell"), around, low, high, _FIGURE]


#: What an order or the way to one is counted in; anything else nobody has priced yet.
PRICED = ("conversion", "orders", "revenue", "checkout_completion", "items_per_order")
#: What loses money on average: the word of the model, tested with the money of `tests/proposals/test_desirability.py`.
LOSS = "D-14"
_NAMES = {"Website": "Technology", "Service": "Customer service"}


def _files() -> dict[str, dict[str, Any]]:
    folder = ROOT / "data" / "proposals" / "demo"
    read = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("D-*.yml"))]
    return {one["id"]: one for one in read if not one.get("replay")}


def _of(kind: str) -> dict[str, dict[str, Any]]:
    """The last record of a kind of each proposal."""
    lines = (ROOT / "data" / "proposals" / "demo" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    return {one["proposal"]: one["payload"] for one in map(json.loads, lines) if one["kind"] == kind}


def _open() -> dict[str, dict[str, Any]]:
    over = {name for name, one in _of("decision").items() if one["decision"].startswith(("launch", "reject"))}
    return {name: one for name, one in _files().items() if name not in over}


def _has_money(raw: Raw, one: dict[str, Any]) -> bool:
    """Its claim is about orders, its days are over, and its test put people into both arms as planned (four standard errors)."""
    (claim,) = one["claims"]
    (last,) = raw.row("select max(local_day(ordered_at)) from order_lines")
    if claim["metric"] not in PRICED or claim["window"]["end"] > last:
        return False
    if "experiment" not in claim["design"]:
        return True
    n, treated = raw.row(f"""
        select count(distinct unit_id), count(distinct unit_id) filter (variant = 'treatment') from experiments
        where experiment_id = '{claim["design"]["experiment"]}'""")
    return abs(treated - n / 2) < 4 * (n / 4) ** 0.5


def _priced(raw: Raw) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in _open().items() if _has_money(raw, one)}


def _days(one: dict[str, Any]) -> dict[str, float]:
    """Person-days of a proposal by department."""
    asked = [
        (one["owner"], one["owner_person_days"]),
        *((part["department"], part["person_days"]) for part in one["departments"]),
    ]
    return {_NAMES.get(name, name): days for name, days in asked}


def _fits(raw: Raw, names: set[str]) -> bool:
    """Whether the departments have the days in November, beside what was decided and not seen at work yet."""
    files, decided = _files(), _of("decision")
    due = {name for name, one in decided.items() if one["decision"].startswith("launch")} - set(_of("follow_up"))
    free = dict(raw.rows("select department, person_days from capacity where month = '2026-11-01'"))
    for name in names | due:
        for department, days in _days(files[name]).items():
            free[department] -= days
    return min(free.values()) > -1e-9


def _begun(raw: Raw) -> set[str]:
    """All with money but the loss: their days must fit, and none may begin later."""
    names = set(_priced(raw)) - {LOSS}
    assert _fits(raw, names)
    assert {f"{_open()[name]['start']:%B}" for name in names} == {"November"}
    return names


def plan(raw: Raw, sentence: str) -> list[Any]:
    """The first two by name, which the model's money puts in their order, and how many others."""
    begun, said = _begun(raw), sentence.split("November: ")[1].split(" Not ")[0]
    named = sorted((name for name in begun if name in said), key=said.index)
    assert all(f"{name} {_open()[name]['title']}" in said for name in named)
    return ["November", *named, len(begun) - len(named), "not", LOSS]


def begin(raw: Raw, sentence: str) -> list[Any]:
    """A test takes days that the model chose."""
    (name,) = (name for name, one in _priced(raw).items() if f"{name} {one['title']}" in sentence)
    return [name, *[_MONEY] * sentence.startswith("Testing"), _STEPS]


def person_month(raw: Raw, _: str) -> list[Any]:
    """Where all with money fit into November together, nobody more brings anything forward."""
    assert _begun(raw)
    return ["November", "not"]


def find_out(raw: Raw, _: str) -> list[Any]:
    names = sorted(set(_open()) - set(_priced(raw)))
    return [len(names), "not", *names]


ROADS = {
    "40_development_plan": {
        "answer": plan, "begin-": begin, "person-month": person_month, "find-out": find_out,
    },
    "60_product_control": {
        "answer": off, "faulty-products": faulty_products, "supplier-1": bad_deliveries, "runs-out": runs_out, "unsold": unsold,
        "below-cost": below_cost,
    },
    "80_investigation": {
        "answer": moved, "cause-1": cause, "unexplained": unexplained, "where": where, "factor": factor, "when": when,
    },
}  # fmt: skip
