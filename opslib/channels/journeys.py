"""Journeys of visits up to an order, counted by the channels they went through, and the credit that models give for them."""

from __future__ import annotations

import ibis
import pandas as pd

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table
from opslib.periods import Period
from opslib.stats.attribution import attributed
from opslib.suppression import counted

#: Models in the order of their columns, with what a reader calls them.
MODELS: dict[str, str] = {
    "last": "last visit", "first": "first visit", "linear": "equal parts", "position": "first and last", "time_decay": "recent more",
    "markov_1": "Markov 1", "markov_2": "Markov 2", "markov_3": "Markov 3", "shapley": "Shapley",
}  # fmt: skip
SEPARATOR = " > "
_MAX_PATHS = 1_000_000


def channel_paths(
    visits: Table, *, period: Period, lookback_days: int = 90, max_touches: int = 8, half_life_days: float = 7.0
) -> pd.DataFrame:
    """Distinct ways of channels with their counts: each visit belongs to one journey, which ends with an order or goes on without.

    Parameters
    ----------
    visits : table
        From `channel_visits`; those before the period belong to journeys that end in it.
    period : Period
        Local days in which a journey's last visit lies; what came after them is not known.
    lookback_days : int
        Visits longer before a journey's last visit are left out.
    max_touches : int
        Visits of a journey that count, the latest.
    half_life_days : float
        Age at which a visit counts half under time decay.

    Returns
    -------
    DataFrame
        One row a way, by name: path (channels joined by " > ", the first first), n_touches, n_reached and n_lost (journeys with
        and without an order), n_visitors, n_orders, revenue_amount, is_cut (longer journeys that were cut: their number), decay_1, ...
        (summed weights of the touches, which add up to n_orders).

    Raises
    ------
    ParameterError
        A number of days or of touches is not positive.

    Examples
    --------
    >>> from opslib.channels import channel_visits
    >>> at = pd.to_datetime(["2026-01-05", "2026-01-06"])
    >>> lines = pd.DataFrame({"order_id": ["1"], "line_id": "1", "product_id": "a", "session_id": "t", "ordered_at": at[1:],
    ...     "quantity": 1.0, "unit_price": 9.0})
    >>> sessions = pd.DataFrame({"session_id": ["s", "t"], "visitor_id": "v", "started_at": at, "source": "x", "medium": ["organic", "email"]})
    >>> found = channel_paths(channel_visits(sessions, order_lines=lines), period=Period.parse("2026-01-01", "2026-01-31"))
    >>> found[["path", "n_reached", "revenue_amount"]].values.tolist()
    [['Organic Search > Email', 1, 9.0]]
    """
    for name, value in (
        ("lookback_days", lookback_days),
        ("max_touches", max_touches),
        ("half_life_days", half_life_days),
    ):
        if not value > 0:
            raise ParameterError(f"{name}: {value} is not positive")
    table = engine.as_table(visits)
    table = table.filter(table["started_on"] <= period.end)
    order = ["started_at", "session_id"]
    is_end = (table["n_orders"] > 0).ifelse(1, 0)
    running = ibis.cumulative_window(group_by="visitor_id", order_by=order)
    table = table.mutate(is_end=is_end, journey=(is_end.sum().over(running) - is_end).cast("int64"))
    whole = ibis.window(group_by=["visitor_id", "journey"])
    backwards = ibis.window(group_by=["visitor_id", "journey"], order_by=[ibis.desc(name) for name in order])
    table = table.mutate(
        last_at=table["started_at"].max().over(whole),
        last_on=table["started_on"].max().over(whole),
        place=ibis.row_number().over(backwards),
    )
    age = (engine.epoch_second(table["last_at"]) - engine.epoch_second(table["started_at"])).cast("float64") / 86_400.0
    table = table.filter(table["last_on"].between(period.start, period.end)).mutate(age=age)
    table = table.filter(table["age"] <= lookback_days)
    touches = table.filter(table["place"] < max_touches)
    touches = touches.mutate(weight=ibis.literal(2.0) ** (-touches["age"] / half_life_days))
    touches = touches.mutate(weight=touches["weight"] / touches["weight"].sum().over(whole))
    cut = table.group_by("visitor_id", "journey").aggregate(is_cut=(table["place"] == max_touches).ifelse(1, 0).max())
    places = range(max_touches)
    journeys = touches.group_by("visitor_id", "journey").aggregate(
        n_touches=touches.count(), n_orders=touches["n_orders"].max(), revenue_amount=touches["revenue_amount"].sum(),
        **{f"c{n}": touches["channel"].max(where=touches["place"] == n) for n in places},
        **{f"w{n}": touches["weight"].max(where=touches["place"] == n) for n in places},
    )  # fmt: skip
    journeys = journeys.join(cut, ["visitor_id", "journey"])
    names = [journeys[f"c{n}"].concat(SEPARATOR).fill_null("") for n in reversed(places)]
    journeys = journeys.mutate(path=names[0].concat(*names[1:]) if len(names) > 1 else names[0])
    has_order = journeys["n_orders"] > 0
    found = engine.grouped(
        journeys, ["path", "n_touches"], max_rows=_MAX_PATHS, n_reached=has_order.ifelse(1, 0).sum(),
        n_lost=has_order.ifelse(0, 1).sum(), n_visitors=journeys["visitor_id"].nunique(),
        n_orders=journeys["n_orders"].sum().cast("int64"), revenue_amount=journeys["revenue_amount"].sum(), is_cut=journeys["is_cut"].sum(),
        **{f"w{n}": (journeys[f"w{n}"] * journeys["n_orders"]).sum().fill_null(0.0) for n in places},
    )  # fmt: skip
    found["path"] = found["path"].str.removesuffix(SEPARATOR)
    # Weights were counted from the end, touches are from the beginning.
    for n in places:
        back = found["n_touches"] - 1 - n
        found[f"decay_{n + 1}"] = sum(found[f"w{k}"].where(back == k, 0.0) for k in places)
    found = found.drop(columns=[f"w{n}" for n in places]).sort_values("path", kind="stable", ignore_index=True)
    return counted(found, "n_visitors", by=["path"])


def attribution(paths: pd.DataFrame, *, of: str = "n_orders") -> pd.DataFrame:
    """Credit of each channel under every model, side by side: how far models disagree, not what a channel causes.

    Parameters
    ----------
    paths : DataFrame
        From `channel_paths`.
    of : {"n_orders", "revenue_amount"}
        What is shared out.

    Returns
    -------
    DataFrame
        One row a channel, most credit by the last visit first: channel, and a column a model of `MODELS`, each adding up to the
        orders (money) of all journeys; n_visitors (people of its commonest way: it stands for as many at least).

    Raises
    ------
    ParameterError
        ``of`` is neither.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["A > B", "B"], "n_touches": [2, 1], "n_reached": [1, 1], "n_lost": [0, 1], "n_visitors": [1, 2],
    ...     "n_orders": [1, 1], "revenue_amount": [8.0, 2.0], "decay_1": [0.5, 1.0], "decay_2": [0.5, 0.0]})
    >>> attribution(paths)[["channel", "last", "first", "linear", "shapley"]].values.tolist()
    [['B', 2.0, 1.0, 1.5, 1.5], ['A', 0.0, 1.0, 0.5, 0.5]]
    """
    if of not in ("n_orders", "revenue_amount"):
        raise ParameterError(f"of: '{of}' is not one of n_orders, revenue_amount")
    touches = [path.split(SEPARATOR) for path in paths["path"]]
    decay = paths[[name for name in paths.columns if name.startswith("decay_")]].to_numpy(dtype="float64")
    longest = max((len(path) for path in touches), default=0)
    credit = attributed(
        touches, amounts=paths[of].tolist(), n_reached=paths["n_reached"].tolist(), n_lost=paths["n_lost"].tolist(),
        decay=decay[:, :longest],
    )  # fmt: skip
    through: dict[str, int] = {}
    for path, n in zip(touches, paths["n_visitors"], strict=True):
        for name in set(path):
            through[name] = max(through.get(name, 0), int(n))
    found = credit.rename(columns={"touch": "channel"}).assign(
        n_visitors=credit["touch"].map(through).fillna(0).astype("int64")
    )
    found = found.sort_values(["last", "channel"], ascending=[False, True], ignore_index=True)
    return counted(found[["channel", *MODELS, "n_visitors"]], "n_visitors", by=["channel"])
