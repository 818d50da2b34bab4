"""Net money of the demo's proposals as their pages say it, beside what the planted truth would bring, by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.money import DAYS_A_MONTH
from opslib import engine
from opslib.casework.judge import judge, weigh
from opslib.formats import format_number
from opslib.proposals.schema import ClusterExperimentDesign, ExperimentDesign, Proposal
from opslib.shop.opening import open_shop

#: Nobody acts on what groups as found differ in: the change itself brings nothing.
_NOTHING = ("comparison",)
_UNTIL, _DAYS = pd.Timestamp("2026-10-31"), 365


def run_demo_money(shop_name: str = "demo") -> pd.DataFrame:
    """One row a proposal with money: ``proposal``, ``net``, ``lower``, ``upper`` (90 %), ``planted`` and ``how``.

    Planted is the relative effect of ``truth.json`` on so many orders a month (those of the last 365 days that the change
    reaches, at the margin they left), over the horizon with decay, less cost; none of it comes from the proposal's own
    estimate or baseline.
    """
    shop = open_shop(shop_name)
    assert shop.folder is not None
    truth = json.loads((shop.folder / "truth.json").read_text(encoding="utf-8"))
    orders, n_visitors = _orders(shop.tables), _visitors_a_month(shop.tables)
    proposals, results = judge(shop)
    rows = []
    for proposal, result in zip(proposals, results, strict=True):
        net = weigh(shop, proposal, result).net
        if net is None:
            continue
        effect, reached, share = _planted(proposal, truth, orders, n_visitors)
        a_month, margin = len(reached) / _DAYS * DAYS_A_MONTH * share, float(reached["margin"].mean())
        months = np.arange(0.5, proposal.horizon_days) / DAYS_A_MONTH
        kept = float(((1 - proposal.decay) ** months).sum()) / DAYS_A_MONTH
        cost = proposal.one_off_cost_amount + proposal.running_cost_amount * proposal.horizon_days / DAYS_A_MONTH
        how = f"{effect:+.1%} x {format_number(a_month, step=1)} orders a month x {margin:.2f} x {kept:.2f} months - {cost:,.0f}"
        rows.append((proposal.id, net.value, net.lower, net.upper, effect * a_month * margin * kept - cost, how))
    return pd.DataFrame(rows, columns=["proposal", "net", "lower", "upper", "planted", "how"])


def _orders(tables: Any) -> pd.DataFrame:
    """Paid orders of the last 365 days: margin, day, store (web: online), country, device."""
    lines = tables["order_lines"]
    lines = lines.filter(
        lines["status"] == "paid", lines["ordered_at"] >= (_UNTIL - pd.Timedelta(days=_DAYS - 1)).to_pydatetime()
    )
    margin = lines["quantity"] * lines["unit_price"] - lines["discount_amount"].fill_null(0) - lines["cost_amount"]
    found = lines.group_by("order_id").aggregate(
        margin=margin.cast("float64").sum(), day=lines["ordered_at"].min(),
        **{name: lines[name].max() for name in ("store", "country", "device")},
    )  # fmt: skip
    return engine.collect(found.order_by("order_id"), max_rows=1_000_000)


def _visitors_a_month(tables: Any, *, days: int = 84) -> float:
    """Visitors a month, each counted once in the usual length of a test."""
    rows = tables["sessions"]
    since = (_UNTIL - pd.Timedelta(days=days - 1)).to_pydatetime()
    n = engine.collect(rows.filter(rows["started_at"] >= since).aggregate(n=rows["visitor_id"].nunique()))["n"].iloc[0]
    return float(n) / days * DAYS_A_MONTH


def _planted(
    proposal: Proposal, truth: dict[str, Any], orders: pd.DataFrame, n_visitors: float
) -> tuple[float, pd.DataFrame, float]:
    """Planted relative effect on orders (or on what is in them), the orders it concerns, and which share it reaches."""
    design, reach = proposal.claims[0].design, proposal.reach or 0.0
    is_online = orders["store"] == "web"
    if design.kind == "rollout":
        roll = next(each for each in truth["rollouts"] if each["rollout_id"] == design.rollout)
        if roll["unit"] == "store":  # the stores still without it
            return roll["effect"], orders[~is_online & ~orders["store"].isin(roll["treated"])], 1.0
        rows = orders[is_online & orders["country"].isin(roll["treated"])]
        already = rows["day"] >= pd.Timestamp(roll["starts"])
        without = len(rows) - already.sum() * roll["effect"] / (1 + roll["effect"])
        return roll["effect"], rows, without / len(rows)
    if design.kind == "before_after":
        change = next(each for each in truth["changes"] if each["ends"] == str(design.changed_on))
        rows = orders[is_online & (orders["device"] == "mobile")]
        broken = rows["day"].between(pd.Timestamp(change["starts"]), pd.Timestamp(change["ends"]))
        whole = len(rows) + broken.sum() * (1 / (1 + change["effect"]) - 1)
        return 1 / (1 + change["effect"]) - 1, rows, whole * (1 + change["effect"]) / len(rows)
    if design.kind in _NOTHING:
        return 0.0, orders[is_online], 1.0
    assert isinstance(design, ExperimentDesign | ClusterExperimentDesign), design.kind
    test = next(each for each in truth["experiments"] if each["experiment_id"] == design.experiment)
    if test["unit"] == "store":
        return test["effect"], orders[~is_online], 1.0
    rows = orders[is_online]
    whole = len(rows) / _DAYS * DAYS_A_MONTH if proposal.reach_unit == "order" else n_visitors
    return test["effect"], rows, reach / whole


def render_demo_money_markdown(table: pd.DataFrame) -> str:
    """The table, with the share of planted amounts inside."""
    inside = table["planted"].between(table["lower"], table["upper"])
    lines = ["| proposal | net on its page | 90 % | planted | inside | planted, by hand |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.proposal} | {row.net:,.0f} | {row.lower:,.0f} to {row.upper:,.0f} | {row.planted:,.0f} | "
        f"{'yes' if is_in else 'no'} | {row.how} |"
        for row, is_in in zip(table.itertuples(), inside, strict=True)
    ]
    return "\n".join([*lines, "", f"Inside: {inside.sum()} of {len(table)}."]) + "\n"
