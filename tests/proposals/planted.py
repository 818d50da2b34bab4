"""Small shops with known effects: tests of visitors, customers, stores and e-mails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from opslib.proposals.designs import Context, Plan, measure
from opslib.proposals.evaluate import ShopData, definitions_of
from opslib.proposals.parsing import parse_proposal
from opslib.proposals.results import Measured
from opslib.proposals.schema import Claim, Proposal

START = date(2026, 3, 2)
"""A Monday; windows of four weeks end on 2026-03-29."""
DAYS = 28

TEMPLATE = """
id: P-001
title: Free delivery from 40
need: Visitors leave at the delivery step
owner: Web
start: 2026-04-13
deadline: 2026-06-30
replay: true
claims:
  - id: c1
    sentence: Conversion of visitors rises by 10 % with free delivery from 40.
    metric: conversion
    unit: visitor
    promise: 0.1
    window: {start: 2026-03-02, end: 2026-03-29}
    design: {kind: experiment, experiment: E1, control: a, treatment: b, randomised: visitor}
"""


def proposal(text: str = TEMPLATE, **replacements: str) -> Proposal:
    """The template with lines replaced: ``promise="0.2"`` sets the claim's promise."""
    lines = text.splitlines()
    for key, value in replacements.items():
        at = next(i for i, line in enumerate(lines) if line.strip(" -").startswith(f"{key}:"))
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(" -"))]
        lines[at] = f"{indent}{key}: {value}"
    return parse_proposal("\n".join(lines), source="planted.yml")


def visitor_test(
    *,
    n: int = 20_000,
    base: float = 0.1,
    lift: float = 0.0,
    share: float = 0.5,
    loss: float = 0.0,
    seed: int = 1,
    ramp: tuple[tuple[int, float], ...] = (),
    drift: float = 0.0,
) -> dict[str, pd.DataFrame]:
    """Visitors assigned on a uniform day, one session each at once, a purchase with the arm's probability.

    ``loss`` drops that share of treated visitors from everything; ``ramp`` gives (day, share treated) epochs;
    ``drift`` raises the base with the day, in both arms alike.
    """
    rng = np.random.default_rng(seed)
    day = np.sort(rng.integers(0, DAYS, n))
    epochs = ramp or ((0, share),)
    planned = np.select([day >= start for start, _ in reversed(epochs)], [s for _, s in reversed(epochs)])
    treated = rng.random(n) < planned
    bought = rng.random(n) < base * (1 + lift * treated) * (1 + drift * day / DAYS)
    kept = ~treated | (rng.random(n) >= loss)
    at = pd.Timestamp(START) + pd.to_timedelta(day, unit="D") + pd.to_timedelta(12, unit="h")
    who = np.char.add("v", np.arange(n).astype(str))
    frame = pd.DataFrame({"who": who, "at": at, "treated": treated, "bought": bought})[kept]
    return {
        "experiments": pd.DataFrame(
            {
                "experiment_id": "E1",
                "unit_id": frame["who"],
                "unit": "visitor",
                "variant": np.where(frame["treated"], "b", "a"),
                "assigned_at": frame["at"],
            }
        ),
        "experiment_arms": _arms(epochs),
        "sessions": pd.DataFrame(
            {
                "session_id": "s" + frame["who"],
                "visitor_id": frame["who"],
                "started_at": frame["at"],
                "device": np.where(np.arange(len(frame)) % 2, "phone", "desktop"),
            }
        ),
        "order_lines": _orders(frame[frame["bought"]]),
    }


def _orders(buyers: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "order_id": "o" + buyers["who"],
            "line_id": "1",
            "session_id": "s" + buyers["who"],
            "customer_id": "c" + buyers["who"],
            "product_id": "p",
            "quantity": 1.0,
            "unit_price": 20.0,
            "ordered_at": buyers["at"] + pd.Timedelta(minutes=10),
            "status": "paid",
        }
    )


def _arms(epochs: tuple[tuple[int, float], ...]) -> pd.DataFrame:
    rows = [
        {
            "experiment_id": "E1",
            "variant": variant,
            "valid_from": pd.Timestamp(START) + pd.Timedelta(days=day),
            "planned_share": share if variant == "b" else 1 - share,
        }
        for day, share in epochs
        for variant in ("a", "b")
    ]
    return pd.DataFrame(rows)


def shop(tables: dict[str, pd.DataFrame], *, as_of: date = date(2026, 3, 31), **more: Any) -> ShopData:
    """The tables as a shop that allows replay."""
    return ShopData(**{"tables": tables, "as_of": as_of, "allows_replay": True, **more})


def moment(text: str) -> datetime:
    """An aware time from ISO text."""
    return datetime.fromisoformat(text)


def evaluate_claims(claims: Sequence[Claim], tables: dict[str, pd.DataFrame], *, as_of: date) -> dict[str, Measured]:
    """Claims of different ids, measured and not judged."""
    metrics = definitions_of(proposal().model_copy(update={"claims": tuple(claims), "guardrails": ()}))
    plans = [Plan(key=claim.id, claim=claim, metric=metrics[claim.metric]) for claim in claims]
    return measure(plans, Context(tables=tables, as_of=as_of))
