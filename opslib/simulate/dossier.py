"""Proposals of the simulated shop and what became of them: files and dates as text, from its truth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import yaml

#: First line of every file that is made here; other files are never overwritten.
MADE = "# Simulated: made by `make demo-ledger`, which overwrites it."
PEOPLE = {
    "Website": "Mara Lind", "Marketing": "Jo Brandt", "Service": "Tom Okafor", "Stores": "Nell Achebe",
    "Buying": "Ines Duarte", "Logistics": "Piet de Wit", "Data": "Ana Rossi",
}  # fmt: skip
START, DEADLINE = "2026-11-09", "2027-02-28"
#: Windows of the future count from here, so that what was written about them is in the past.
LATEST = date(2026, 11, 6)
AUTUMN = ("2026-08-03", "2026-10-25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened to a proposal: frozen, decided (as recommended unless said) or followed up."""

    on: date
    kind: Literal["freeze", "decision", "follow_up"]
    proposal: str
    person: str = ""
    decision: str | None = None
    reason: str = ""


def proposal_files(truth: dict[str, Any]) -> dict[str, str]:
    """Text of each proposal's file, by file name.

    Parameters
    ----------
    truth : dict
        ``truth.json`` of the shop: the dates of tests and roll-outs are read from it.

    Returns
    -------
    dict of str to str
    """
    return {
        f"{item['id']}-{name}.yml": f"{MADE}\n{yaml.safe_dump(_dated(item), sort_keys=False, allow_unicode=True, width=120)}"
        for name, item in _proposals(truth).items()
    }


def story(truth: dict[str, Any]) -> list[Step]:
    """What happened, in order of time: each proposal is frozen a week before its window, then decided and followed up.

    Parameters
    ----------
    truth : dict
        As for :func:`proposal_files`.

    Returns
    -------
    list of Step
    """
    proposals, steps = {item["id"]: item for item in _proposals(truth).values()}, []
    for name, item in proposals.items():
        claim = item["claims"][0]
        # A price claim reads what was sold before its window, too, unless it is a replay.
        is_price = claim["design"]["kind"] == "elasticity" and not item.get("replay")
        read = claim["design"]["history_days"] if is_price else 0
        first = min(date.fromisoformat(claim["window"]["start"]), LATEST) - timedelta(days=read + 7)
        steps.append(Step(on=first, kind="freeze", proposal=name))
    for name, person, decision, reason in _DECISIONS:
        claim = proposals[name]["claims"][0]
        on = date.fromisoformat(claim["window"]["end"]) + timedelta(days=3)
        steps.append(Step(on=on, kind="decision", proposal=name, person=person, decision=decision, reason=reason))
        window = claim.get("follow_up", {}).get("window")
        if window and date.fromisoformat(window["end"]) < date.fromisoformat(truth["shop"]["end"]):
            later = date.fromisoformat(window["end"]) + timedelta(days=3)
            steps.append(Step(on=later, kind="follow_up", proposal=name))
    return sorted(steps, key=lambda step: (step.on, step.kind, step.proposal))


#: Who decided what and why; None follows the recommendation.
_DECISIONS = (
    ("D-01", "Mara Lind", "launch with hold-out", "it pays, and a tenth is not worth waiting for"),
    ("D-02", "Mara Lind", "launch with hold-out", "photos are made anyway; half of the visitors keep the small ones"),
    ("D-03", "Jo Brandt", None, "it helps a little, and costs nothing"),
    ("D-04", "Jo Brandt", "reject", "Sunday changes nothing"),
    ("D-05", "Jo Brandt", "launch with hold-out", "the season needs it; half of the visitors do not see it"),
    ("D-06", "Mara Lind", None, "nothing was seen"),
    ("D-07", "Mara Lind", None, "the groups were not filled as planned"),
    ("D-08", "Jo Brandt", None, "the letter brings readers back"),
    ("D-09", "Ines Duarte", "launch with hold-out", "orders are larger or they are not; the hold-out tells"),
    ("D-10", "Mara Lind", None, "who uses a desktop is not who uses a phone"),
    ("D-12", "Nell Achebe", "launch with hold-out", "half of the stores go on as before"),
    ("D-13", "Ines Duarte", None, "the need is there; what it is worth is not known"),
    ("D-15", "Mara Lind", "launch", "a broken form is mended, not tested"),
    ("D-17", "Nell Achebe", "launch", "customers abroad ask for it"),
)  # fmt: skip


def _proposals(truth: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every proposal as its file says it, by the name of its file."""
    tests = {test["experiment_id"]: test for test in truth["experiments"]}
    rolls = {roll["rollout_id"]: roll for roll in truth["rollouts"]}
    form = next(change for change in truth["changes"] if change["change_id"] == "chg-address-form")
    phones, desktop = ([{"column": "sessions.device", "op": "eq", "value": name}] for name in ("mobile", "desktop"))
    later = {"design": "hold_out", "hold_out_share": 0.1, "window": {"start": "2026-11-23", "end": "2027-01-31"}}

    def tested(name: str, sentence: str, metric: str, promise: float, **more: Any) -> dict[str, Any]:
        """A claim on a test; where the test goes on after the claim's window, its control group is the hold-out."""
        test, kind = tests[f"exp-{name}"], more.pop("kind", "experiment")
        ends = test["decided"] or test["ends"]
        on = {"design": "hold_out", "hold_out_share": 0.5, "window": {"start": ends, "end": _before(test["ends"])}}
        design = {"kind": kind, "experiment": test["experiment_id"], "control": "control", "treatment": "treatment",
                  "randomised": test["unit"], **more}  # fmt: skip
        return {
            **_claim(metric, sentence, metric, promise, (test["starts"], _before(ends)), design, unit=test["unit"]),
            "follow_up": on if test["decided"] else later,
        }

    def rolled(name: str, sentence: str, days: int, unit: str) -> dict[str, Any]:
        roll = rolls[f"roll-{name}"]
        window = (roll["starts"], _after(roll["starts"], days - 1))
        follow = {
            "design": "before_after",
            "window": {"start": _after(roll["starts"], days), "end": _after(roll["starts"], days + 27)},
        }
        design = {"kind": "rollout", "rollout": roll["rollout_id"], "history_days": 112}
        return {**_claim("orders", sentence, "orders", 0.15, window, design, unit=unit), "follow_up": follow}

    mended = {"kind": "before_after", "changed_on": form["ends"], "history_days": 105, "control_scope": desktop}
    price = {"kind": "elasticity", "price_change": -0.05, "history_days": 182}
    ordered = {"column": "products.category", "op": "in"}
    return {
        "one-page-checkout": _proposal(
            "D-01", "One-page checkout", "Visitors who begin the checkout leave at the delivery step",
            "All checkout steps on one page", "Website", 9, {"Service": 2}, (4200, 150), 4400, 0.6,
            tested("express-checkout", "12 % more of the checkouts that are begun end in an order.", "checkout_completion", 0.12),
            guardrails=[{"metric": "average_order_value", "margin": 0.3}]),
        "larger-photos": _proposal(
            "D-02", "Larger product photos", "Visitors ask Service what a thing looks like close by",
            "Photos that fill the screen on a tap", "Website", 6, {"Buying": 3}, (2600, 60), 4400, 0.5,
            tested("photo-zoom", "Conversion of visitors rises by 5 % with larger photos.", "conversion", 0.05)),
        "subject-line": _proposal(
            "D-03", "Subject line names the product", "Half of the newsletter's readers never open it",
            "The subject line names the first product of the letter", "Marketing", 2, {}, (0, 0), 50_000, 0.4,
            tested("mail-subject", "The share of readers who visit the shop rises by 12 %.", "visited", 0.12, source="unit_outcomes")),
        "letter-on-sundays": _proposal(
            "D-04", "Newsletter on Sundays", "Readers are at work when the letter comes",
            "The weekly letter goes out on Sunday evening", "Marketing", 1, {}, (0, 0), 50_000, 0.5,
            tested("mail-weekday", "The share of readers who visit the shop rises by 6 %.", "visited", 0.06, source="unit_outcomes")),
        "countdown-banner": _proposal(
            "D-05", "Countdown banner in the checkout", "Visitors put off the decision and do not come back",
            "A banner counts down to the end of the day's dispatch", "Marketing", 3, {"Website": 1, "Service": 1}, (900, 0),
            4400, 0.55,
            tested("countdown", "5 % more of the checkouts that are begun end in an order.", "checkout_completion", 0.05),
            objects={"Service": "customers will call about parcels that the banner promised"}),
        "similar-items": _proposal(
            "D-06", "Similar items below the photo", "Visitors leave a product page that is not quite what they want",
            "Four similar items below each photo", "Website", 5, {}, (1800, 120), 4400, 0.5,
            tested("similar-items", "Conversion of visitors rises by 4 % with similar items.", "conversion", 0.04)),
        "free-returns-note": _proposal(
            "D-07", "Free-returns note in the basket", "Visitors ask Service whether returns cost anything",
            "A line in the basket says that returns are free", "Website", 1, {"Service": 0.5}, (200, 0), 4400, 0.6,
            tested("free-returns-note", "Conversion of visitors rises by 8 % with a note on free returns.", "conversion", 0.08)),
        "loyalty-points": _proposal(
            "D-08", "Loyalty points in the letter", "Customers do not know how many points they have",
            "The letter says how many points the reader has", "Marketing", 4, {"Data": 2}, (1500, 90), 50_000, 0.6,
            tested("mail-loyalty", "The share of readers who visit the shop rises by 3 %.", "visited", 0.03, source="unit_outcomes")),
        "bundle-offer": _proposal(
            "D-09", "Bundle offer in the basket", "Things that are used together are bought one by one",
            "What goes with the basket's products, at 5 % less together", "Buying", 12, {"Website": 4, "Logistics": 3},
            (3500, 250), 800, 0.6,
            tested("bundle-offer", "An order has 10 % more items with a bundle offer.", "items_per_order", 0.1),
            conditions={"Logistics": "two more people in the packing hall until March"}, reach_unit="order"),
        "phones-to-desktop": _proposal(
            "D-10", "Ask phone visitors to buy on the desktop", "Phone visitors convert less than desktop visitors",
            "A mail with the basket, to open on the desktop", "Website", 8, {}, (3000, 0), 2500, 0.3,
            _claim("conversion", "Conversion of visitors is 30 % higher on the desktop than on phones.", "conversion", 0.3, AUTUMN,
                   {"kind": "comparison", "group": "sessions.device", "control": "mobile", "treatment": "desktop"},
                   unit="visitor")),
        "search-suggestions": _proposal(
            "D-11", "Search suggestions", "A quarter of the searches find nothing, many for a slip of the keys",
            "Suggestions while the visitor types", "Website", 12, {}, (5200, 220), 1500, 0.6,
            tested("search-suggest", "10 % more searches end in a click on a result.", "search_success", 0.1)),
        "shelves-by-room": _proposal(
            "D-12", "Shelves by room", "Customers in stores ask where things are", "Shelves by room instead of by supplier",
            "Stores", 20, {"Buying": 5}, (6000, 0), 16, 0.5,
            tested("store-layout", "Orders of a store rise by 10 % with shelves by room.", "orders", 0.1,
                   kind="cluster_experiment", covariate_days=84)),
        "unmet-searches": _proposal(
            "D-13", "List what is searched and not found", "Visitors search for goods that the shop does not sell",
            "Twenty articles for the largest unmet searches", "Buying", 6, {}, (8000, 0), 1500, 0.7,
            {**_claim("zero-results", "At least 5 % of searches find nothing.", "zero_result_rate", 0.05, AUTUMN,
                      {"kind": "level"}, unit="visitor"), "direction": "up", "scale": "absolute"}),
        "collection-desks": _proposal(
            "D-14", "Click and collect desks", "Customers near a store do not want to wait for a parcel",
            "A desk for collected orders in every store", "Stores", 25, {"Logistics": 8}, (9000, 400), 10, 0.6,
            rolled("click-collect", "Orders of a store rise by 15 % with a click-and-collect desk.", 112, "store")),
        "address-form": _proposal(
            "D-15", "Address form on phones mended", "Half of the phone visitors who begin the checkout leave at the address",
            "The old address form comes back on phones", "Website", 4, {}, (1200, 0), 750, 0.8,
            {**_claim("completion", "25 % more of the checkouts that are begun on phones end in an order.", "checkout_completion",
                      0.25, (form["ends"], _after(form["ends"], 13)), mended, unit="visitor"), "scope": phones,
             "follow_up": {"design": "before_after", "window": {"start": _after(form["ends"], 14), "end": _after(form["ends"], 27)}}}),
        "basket-in-sight": _proposal(
            "D-16", "Basket stays in sight", "Visitors lose sight of what they have put into the basket",
            "A narrow column with the basket on every page", "Website", 5, {}, (1900, 0), 4400, 0.5,
            tested("sticky-basket", "Conversion of visitors rises by 5 % with the basket in sight.", "conversion", 0.05)),
        "local-parcels": _proposal(
            "D-17", "Local parcel service", "Parcels to Ireland and the Netherlands take a week",
            "A parcel service of each market", "Logistics", 10, {"Stores": 1}, (2500, 120), 140, 0.6,
            rolled("local-delivery", "Orders of a market rise by 15 % with its own parcel service.", 112, "region"),
            reach_unit="order"),
        "lower-prices-garden": _proposal(
            "D-18", "Lower prices of garden goods", "Garden goods are dear when demand is high", "List prices 5 % lower", "Buying",
            3, {}, (0, 0), 2500, 0.5,
            {**_claim("units", "5 % more units of garden goods are sold at prices 5 % lower.", "units_sold", 0.05, AUTUMN,
                      {**price, "history_days": 448}, unit="product"), "scope": [{**ordered, "value": ["Garden"]}]},
            replay=True),
        "lower-prices-stationery": _proposal(
            "D-19", "Lower prices of stationery", "Stationery is dearer than at competitors", "List prices 5 % lower", "Buying", 3,
            {}, (0, 0), 1200, 0.6,
            {**_claim("units", "5 % more units of stationery are sold at prices 5 % lower.", "units_sold", 0.05, AUTUMN, price,
                      unit="product"), "scope": [{**ordered, "value": ["Stationery"]}]}),
        "delivery-dates": _proposal(
            "D-20", "Delivery dates on product pages", "A quarter of those asked say that the delivery date was not clear",
            "The day of delivery beside each price", "Website", 7, {"Logistics": 3, "Service": 2}, (2400, 80), 4400, 0.6,
            tested("delivery-dates", "Conversion of visitors rises by 5 % with delivery dates.", "conversion", 0.05),
            silent=("Service",), start="2026-12-07", deadline="2027-03-31"),
        "refill-soap": _proposal(
            "D-21", "Soap in refill bags", "Visitors search for refill soap and find none", "Six refill soaps on the shelf and the site",
            "Buying", 8, {"Logistics": 2, "Marketing": 1}, (3200, 60), 1500, 0.5,
            {**_claim("zero-results", "Fewer than 24 % of searches find nothing once there is refill soap.", "zero_result_rate", 0.02,
                      ("2026-11-30", "2026-12-27"), {"kind": "before_after", "changed_on": "2026-11-30", "history_days": 182},
                      unit="visitor"), "scale": "absolute"},
            silent=("Logistics",), start="2026-11-30", deadline="2027-01-31"),
    }  # fmt: skip


def _proposal(
    proposal_id: str, title: str, need: str, change: str, owner: str, days: float, others: dict[str, float],
    cost: tuple[float, float], reach: float, probability: float, claim: dict[str, Any], **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A proposal as its file says it; departments that are not silent answered two weeks before the window."""
    objects, conditions, silent = (more.pop(name, {}) for name in ("objects", "conditions", "silent"))
    first = min(date.fromisoformat(claim["window"]["start"]), LATEST)
    answers = []
    for place, department in enumerate((owner, *others)):
        if department in silent:
            continue
        answer: dict[str, Any] = {"department": department, "person": PEOPLE[department],
                                  "date": (first - timedelta(days=20 - 2 * place)).isoformat(), "answer": "agree"}  # fmt: skip
        if department in objects:
            answer |= {"answer": "object", "note": objects[department]}
        if department in conditions:
            answer |= {"answer": "agree_if", "note": conditions[department]}
        answers.append(answer)
    return {
        "id": proposal_id, "title": title, "need": need, "change": change, "owner": owner, "owner_person_days": days,
        "departments": [{"department": name, "person_days": value} for name, value in others.items()],
        "one_off_cost_amount": cost[0], "running_cost_amount": cost[1], "reach": reach, "horizon_days": 365, "decay": 0.02,
        "reversibility": "easy", "start": START, "deadline": DEADLINE, "stated_probability": probability,
        "claims": [claim], "consultations": answers, **more,
    }  # fmt: skip


def _claim(
    claim_id: str,
    sentence: str,
    metric: str,
    promise: float,
    window: tuple[str, str],
    design: dict[str, Any],
    *,
    unit: str,
) -> dict[str, Any]:
    return {
        "id": claim_id.replace("_", "-"), "sentence": sentence, "metric": metric, "unit": unit, "promise": promise,
        "window": {"start": window[0], "end": window[1]}, "design": design,
    }  # fmt: skip


def _after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _before(day: str) -> str:
    return _after(day, -1)


def _dated(value: Any) -> Any:
    """The same with ISO dates as dates, so that YAML writes them plain."""
    if isinstance(value, dict):
        return {name: _dated(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_dated(each) for each in value]
    return date.fromisoformat(value) if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) else value
