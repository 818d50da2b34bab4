"""Portfolio of proposals: which to carry out in which month within capacity and budget, how sure that is, and usual rules beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from opslib import engine
from opslib.departments import department_or_own
from opslib.errors import ParameterError

#: Person-days of one person in a month.
PERSON_MONTH = 20.0
#: Name of the amounts of money beside the person-days, among what a department can give.
DAYS, MONEY = "person_days", "budget_amount"
#: Usual rules that rank proposals one by one, by what each counts.
RULES: Mapping[str, str] = {
    "RICE": "reach x promised change x stated probability, a person-day",
    "WSJF": "what a month's delay costs, over the time that it takes",
    "money alone": "expected net money",
    "money a person-day": "expected net money, a person-day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A proposal that may be carried out.

    Parameters
    ----------
    id, title, owner : str
        As in its file.
    worth_amount : float
        Expected net money over its horizon, live in its first month.
    one_off_cost_amount : float
        Paid by the owner's budget until it is live; part of the worth.
    horizon_months : float
        Months over which the money comes.
    person_days : mapping of str to float
        Needed of each department until it is live.
    first, last : int
        Months of the plan (0: its first) in which it may go live at the earliest and at the latest.
    depends_on, excludes : tuple of str
        Proposals that must be live before or with it, and that cannot stand beside it.
    promised_amount : float
        Reach x promised change x stated probability, as RICE counts them.
    """

    id: str
    title: str = ""
    owner: str = ""
    worth_amount: float
    one_off_cost_amount: float = 0.0
    horizon_months: float = 12.0
    person_days: Mapping[str, float]
    first: int = 0
    last: int = 10_000
    depends_on: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    promised_amount: float = 0.0

    def worth_in(self, month: int) -> float:
        """Net money where it goes live in a month of the plan: each month after its first loses that part of its horizon.

        Examples
        --------
        >>> late = Candidate(id="A", worth_amount=1100.0, one_off_cost_amount=100.0, person_days={})
        >>> late.worth_in(0), late.worth_in(6)
        (1100.0, 500.0)
        """
        left = max(1 - (month - self.first) / self.horizon_months, 0.0)
        return (self.worth_amount + self.one_off_cost_amount) * left - self.one_off_cost_amount

    @property
    def total_days(self) -> float:
        """Person-days of all departments."""
        return float(sum(self.person_days.values()))

    @property
    def _needs(self) -> dict[tuple[str, str], float]:
        """What it takes of each department: days, and the owner's money."""
        days = {(name, DAYS): float(need) for name, need in self.person_days.items() if need > 0}
        return days | ({(self.owner, MONEY): self.one_off_cost_amount} if self.one_off_cost_amount > 0 else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What departments can give, month by month; what is not here is not known, so it limits nothing.

    Parameters
    ----------
    months : tuple of date
        First days of the plan's months.
    free : mapping of (department, "person_days" or "budget_amount") to array
        One value a month.
    """

    months: tuple[date, ...]
    free: Mapping[tuple[str, str], np.ndarray]

    def less(self, decided: Sequence[Candidate]) -> Capacity:
        """What is left once proposals that were decided are carried out by their first month, at the latest by their last."""
        free = {name: values.copy() for name, values in self.free.items()}
        for one in sorted(decided, key=lambda item: (item.first, item.id)):
            for name, need in one._needs.items():
                if name in free:
                    _take(free[name], need, until=min(one.first, len(self.months) - 1))
        return Capacity(months=self.months, free=free)

    def with_person_month(self, department: str) -> Capacity:
        """One more person of a department in the plan's first month."""
        extra = np.eye(1, len(self.months))[0] * PERSON_MONTH
        return Capacity(months=self.months, free={**self.free, (department, DAYS): self.free[department, DAYS] + extra})


def capacity_of(table: ir.Table | pd.DataFrame, *, start: date, n_months: int) -> Capacity:
    """Capacity of the plan's months from the table of the shop.

    Parameters
    ----------
    table : Table
        ``capacity``, as the contract says.
    start : date
        First day of the plan's first month.
    n_months : int

    Returns
    -------
    Capacity
        A department without any value in these months is not in it; one that lacks some months has nothing then.

    Examples
    --------
    >>> table = pd.DataFrame({"department": ["Data"], "month": [date(2026, 11, 1)], "person_days": [9.0], "budget_amount": [0.0]})
    >>> capacity_of(table, start=date(2026, 11, 1), n_months=2).free["Data", "person_days"]
    array([9., 0.])
    """
    months = [stamp.date() for stamp in pd.date_range(start, periods=n_months, freq="MS")]
    rows = engine.collect(
        engine.as_table(table).select("department", "month", DAYS, MONEY).order_by(["department", "month"])
    )
    rows["department"] = rows["department"].map(department_or_own, na_action="ignore")
    rows["month"] = pd.to_datetime(rows["month"]).dt.date
    rows = rows[rows["month"].isin(months)]
    free = {}
    for kind in (DAYS, MONEY):
        known = rows.assign(value=rows[kind].astype("float64")).dropna(subset=["value"])
        for name, part in known.groupby("department", sort=True):
            free[str(name), kind] = part.groupby("month")["value"].sum().reindex(months, fill_value=0.0).to_numpy()
    return Capacity(months=tuple(months), free=free)


def plan_portfolio(candidates: Sequence[Candidate], *, capacity: Capacity, done: Sequence[str] = ()) -> pd.Series:
    """The month in which each proposal goes live, so that together they bring most.

    Parameters
    ----------
    candidates : sequence of Candidate
    capacity : Capacity
    done : sequence of str
        Proposals that are live already.

    Returns
    -------
    Series
        Indexed by id: number of the month (0: the plan's first); -1: not within this plan.

    Raises
    ------
    ParameterError
        A capacity is negative, or two proposals have one id.

    Notes
    -----
    A mixed-integer programme, solved to its optimum by HiGHS (scipy's `milp`); one binary unknown a proposal and month. A
    department's work may be spread over months, so what is live by a month must fit into the days up to it, which is
    exact where work can be cut (earliest deadline first). Source: Pritsker, Watters, Wolfe (1969), Management Science 16;
    Huangfu, Hall (2018), Mathematical Programming Computation 10.

    Examples
    --------
    >>> pair = [Candidate(id=i, worth_amount=w, person_days={"Data": 10.0}) for i, w in (("A", 900.0), ("B", 1000.0))]
    >>> free = Capacity(months=(date(2026, 11, 1), date(2026, 12, 1)), free={("Data", DAYS): np.array([10.0, 10.0])})
    >>> plan_portfolio(pair, capacity=free).to_dict()
    {'A': 1, 'B': 0}
    """
    ids = [one.id for one in candidates]
    if len(set(ids)) < len(ids) or any((values < 0).any() for values in capacity.free.values()):
        raise ParameterError("portfolio: needed ids that differ, and capacities of 0 or more")
    n_months = len(capacity.months)
    worth = np.array([[one.worth_in(month) for month in range(n_months)] for one in candidates])
    if not ids:
        return pd.Series([], index=ids, dtype="int64")
    is_open = np.array(
        [
            [one.first <= m <= one.last and not _is_ruled_out(one, ids, done) for m in range(n_months)]
            for one in candidates
        ]
    )
    rows, bounds = _constraints(candidates, capacity, done)
    with _quiet():
        solved = milp(
            -worth.ravel() / max(np.abs(worth).max(), 1.0),
            constraints=LinearConstraint(rows, ub=bounds),
            bounds=Bounds(0, is_open.ravel().astype(float)),
            integrality=np.ones(worth.size),
            options={"mip_rel_gap": 0.0},
        )
    live = np.asarray(solved.x).reshape(worth.shape) > 0.5
    return pd.Series(np.where(live.any(axis=1), live.argmax(axis=1), -1), index=ids, dtype="int64")


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard output of the process to nowhere: HiGHS prints a line of its own now and then, past Python's streams."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def _is_ruled_out(one: Candidate, ids: Sequence[str], done: Sequence[str]) -> bool:
    """Whether it needs what nobody plans, or excludes what is live."""
    return any(other not in done and other not in ids for other in one.depends_on) or any(
        other in done for other in one.excludes
    )


def _constraints(
    candidates: Sequence[Candidate], capacity: Capacity, done: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``rows @ live <= bounds`` over (proposal, month): once each, capacity, prerequisites, exclusions."""
    n, n_months = len(candidates), len(capacity.months)
    at, until = {one.id: i for i, one in enumerate(candidates)}, np.tri(n_months)

    def spread(factors: np.ndarray, by_month: np.ndarray) -> np.ndarray:
        return np.kron(factors, np.atleast_2d(by_month))

    one_each, every = np.eye(n), np.ones(n_months)
    rows, bounds = [spread(one_each, every)], [np.ones(n)]
    for name, free in capacity.free.items():
        needs = np.array([[one._needs.get(name, 0.0) for one in candidates]])
        if needs.any():
            rows.append(
                spread(needs / needs.max(), until)
            )  # in like sizes: HiGHS counts what is over in absolute terms
            bounds.append(np.cumsum(free) / needs.max())
    for i, one in enumerate(candidates):
        for other in (at[name] for name in one.depends_on if name in at and name not in done):
            rows.append(spread(one_each[[i]] - one_each[[other]], until))
            bounds.append(np.zeros(n_months))
        for other in (at[name] for name in one.excludes if name in at):
            rows.append(spread(one_each[[i]] + one_each[[other]], every))
            bounds.append(np.ones(1))
    return np.vstack(rows), np.concatenate(bounds) + 1e-9


def planned_worth(candidates: Sequence[Candidate], live: pd.Series) -> float:
    """Expected net money of what goes live within a plan, over each one's horizon."""
    return float(sum(one.worth_in(int(live[one.id])) for one in candidates if live[one.id] >= 0))


def planned_work(candidates: Sequence[Candidate], live: pd.Series, *, capacity: Capacity) -> pd.DataFrame:
    """Person-days of each department, month and proposal: what goes live first is worked on first, as early as there are days.

    Parameters
    ----------
    candidates : sequence of Candidate
    live : Series
        From `plan_portfolio`.
    capacity : Capacity

    Returns
    -------
    DataFrame
        department, month (date), proposal, person_days, free_days (of the department and month); a department whose days
        are not known works in the month of going live, its ``free_days`` missing.
    """
    left = {name: values.copy() for name, values in capacity.free.items()}
    rows = []
    for one in sorted((one for one in candidates if live[one.id] >= 0), key=lambda item: (int(live[item.id]), item.id)):
        for (name, kind), need in one._needs.items():
            if kind == MONEY:
                continue
            month = int(live[one.id])
            known = (name, kind) in left
            taken = _take(left[name, kind], need, until=month) if known else need * np.eye(len(capacity.months))[month]
            rows += [
                (name, capacity.months[m], one.id, float(days), capacity.free[name, kind][m] if known else np.nan)
                for m, days in enumerate(taken)
                if days > 1e-6
            ]
    frame = pd.DataFrame(rows, columns=["department", "month", "proposal", "person_days", "free_days"])
    return frame.sort_values(["department", "month", "proposal"], ignore_index=True)


def _take(free: np.ndarray, need: float, *, until: int) -> np.ndarray:
    """Days taken of each month up to one, as early as there are; ``free`` keeps what is left."""
    taken = np.zeros(len(free))
    for month in range(until + 1):
        taken[month] = min(free[month], need - taken.sum())
    free -= taken
    return taken


def what_keeps_out(
    candidates: Sequence[Candidate], live: pd.Series, *, capacity: Capacity, done: Sequence[str] = ()
) -> dict[str, str]:
    """Why each proposal outside a plan is not in it, in words.

    Parameters
    ----------
    candidates, capacity, done
        As `plan_portfolio` takes them.
    live : Series
        From `plan_portfolio`.

    Returns
    -------
    dict of id to str
    """
    n, found = len(capacity.months), {}
    chosen = [one for one in candidates if live[one.id] >= 0]
    for one in (one for one in candidates if live[one.id] < 0):
        needs = [other for other in one.depends_on if other not in done and live.get(other, -1) < 0]
        rivals = [o for o in one.excludes if o in done or live.get(o, -1) >= 0]
        rivals += [other.id for other in chosen if one.id in other.excludes]
        short = []
        for (name, kind), need in one._needs.items():
            used = sum(other._needs.get((name, kind), 0.0) for other in chosen if live[other.id] <= one.last)
            free = capacity.free.get((name, kind))
            if free is not None and used + need > free[: one.last + 1].sum() + 1e-9:
                short.append(f"{name} has not the {'days' if kind == DAYS else 'money'} for it")
        if one.last < 0 or one.first >= n:
            found[one.id] = "its deadline has passed" if one.last < 0 else "it starts after these months"
        elif needs or rivals:
            found[one.id] = f"it needs {needs[0]} first" if needs else f"it excludes {rivals[0]}"
        else:
            found[one.id] = "; ".join(short) or "others bring more"
    return found


def choice_stability(
    candidates: Sequence[Candidate], draws: pd.DataFrame, *, capacity: Capacity, done: Sequence[str] = ()
) -> pd.DataFrame:
    """How often each proposal were carried out if its worth were what a draw says.

    Parameters
    ----------
    candidates : sequence of Candidate
    draws : DataFrame
        One column a proposal, one row a draw of all: net money over the horizon.
    capacity, done
        As `plan_portfolio` takes them.

    Returns
    -------
    DataFrame
        One row a proposal: proposal, chosen_share (0-1).
    """
    ids = [one.id for one in candidates]
    plans = [
        plan_portfolio(
            [replace(one, worth_amount=float(row[one.id])) for one in candidates], capacity=capacity, done=done
        )
        for _, row in draws.iterrows()
    ]
    every = np.array(plans).reshape(len(plans), len(ids))
    return pd.DataFrame({"proposal": ids, "chosen_share": (every >= 0).mean(axis=0)})


def person_month_worth(
    candidates: Sequence[Candidate], *, capacity: Capacity, done: Sequence[str] = ()
) -> pd.DataFrame:
    """What one more person in the plan's first month would be worth, department by department: the plan made anew with it.

    Parameters
    ----------
    candidates, capacity, done
        As `plan_portfolio` takes them.

    Returns
    -------
    DataFrame
        department, worth_amount (over the horizons), gained (ids that come in or come earlier); most worth first; only
        departments whose days are known and asked for.
    """
    before = plan_portfolio(candidates, capacity=capacity, done=done)
    asked = sorted({name for one in candidates for name, kind in one._needs if kind == DAYS})
    rows = []
    for name in (name for name in asked if (name, DAYS) in capacity.free):
        after = plan_portfolio(candidates, capacity=capacity.with_person_month(name), done=done)
        more = planned_worth(candidates, after) - planned_worth(candidates, before)
        is_gained = (after >= 0) & ((before < 0) | (after < before)) if more > 1e-6 else after < -1
        rows.append((name, max(more, 0.0), tuple(after.index[is_gained])))
    frame = pd.DataFrame(rows, columns=["department", "worth_amount", "gained"])
    return frame.sort_values(["worth_amount", "department"], ascending=[False, True], ignore_index=True)


def plan_by_rule(
    rule: str, candidates: Sequence[Candidate], *, capacity: Capacity, done: Sequence[str] = ()
) -> pd.Series:
    """The plan of a usual rule: proposals by their rank, each as early as it fits; one that does not fit is left out.

    Parameters
    ----------
    rule : str
        One of `RULES`.
    candidates, capacity, done
        As `plan_portfolio` takes them.

    Returns
    -------
    Series
        As `plan_portfolio` gives it. RICE knows no loss; the other rules leave out what is not worth anything.

    Source: McBride (2016), RICE, Intercom; Reinertsen (2009), The Principles of Product Development Flow, ch. 7 (cost of
    delay over duration).

    Examples
    --------
    >>> three = [Candidate(id=i, worth_amount=w, person_days={"Data": d}) for i, w, d in (("A", 99.0, 9), ("B", 60.0, 5), ("C", 50.0, 4))]
    >>> free = Capacity(months=(date(2026, 11, 1),), free={("Data", DAYS): np.array([9.0])})
    >>> plan_by_rule("money alone", three, capacity=free).to_dict(), plan_by_rule("money a person-day", three, capacity=free).to_dict()
    ({'A': 0, 'B': -1, 'C': -1}, {'A': -1, 'B': 0, 'C': 0})
    """
    left = {name: np.cumsum(values) for name, values in capacity.free.items()}
    rivals = {one.id: {*one.excludes, *(o.id for o in candidates if one.id in o.excludes)} for one in candidates}
    ids, live = [one.id for one in candidates], dict[str, int]()
    waiting = sorted(candidates, key=lambda one: (-_score(rule, one, capacity), one.id))
    while True:
        for one in waiting:
            month = _first_fit(one, left, live, n_months=len(capacity.months), done=done)
            if month is None or rivals[one.id] & {*live, *done} or (rule != "RICE" and one.worth_in(month) <= 0):
                continue
            live[one.id] = month
            for name, need in one._needs.items():
                if name in left:
                    left[name][month:] -= need
            waiting.remove(one)
            break
        else:
            return pd.Series([live.get(name, -1) for name in ids], index=ids, dtype="int64")


def _score(rule: str, one: Candidate, capacity: Capacity) -> float:
    days = max(one.total_days, 0.5)
    if rule == "RICE":
        return one.promised_amount / days
    if rule == "WSJF":
        shares = [need / max(float(capacity.free[name].mean()), 1e-9)
                  for name, need in one._needs.items() if name in capacity.free and name[1] == DAYS]  # fmt: skip
        delay = (one.worth_amount + one.one_off_cost_amount) / one.horizon_months
        return delay / (max(shares, default=0.0) or days / PERSON_MONTH)
    return one.worth_amount / (days if rule == "money a person-day" else 1.0)


def _first_fit(
    one: Candidate,
    left: Mapping[tuple[str, str], np.ndarray],
    live: Mapping[str, int],
    *,
    n_months: int,
    done: Sequence[str],
) -> int | None:
    """First month in which it can go live beside what does already."""
    if any(other not in done and other not in live for other in one.depends_on):
        return None
    first = max([one.first, *(live[other] for other in one.depends_on if other in live)])
    for month in range(first, min(n_months, one.last + 1)):
        if all((left[name][month:] + 1e-9 >= need).all() for name, need in one._needs.items() if name in left):
            return month
    return None
