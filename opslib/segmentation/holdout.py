"""Hold-out validation of a lifetime model: fitted on the first months, checked on the next, against a naive forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import norm

from opslib import engine
from opslib.formats import format_date
from opslib.metrics.blocks import Table
from opslib.segmentation.histories import (
    DAYS_IN,
    HistoryGrain,
    customer_summary,
    histories_of,
    purchases,
    repeat_customers,
)
from opslib.segmentation.lifetime import LifetimeModel, fit_lifetime, parameter_variance, sums_by
from opslib.stats.estimates import Estimate
from opslib.stats.lifetime import BgNbd, GammaGamma
from opslib.stats.lifetime_expectations import event_moments, future_moments
from opslib.suppression import of_people

#: Customers of a group on average at least: fewer say nothing, and could be recognised in a picture.
LEAST_GROUP = 20
_Z = float(norm.ppf(0.975))
_UNKNOWN = Estimate(value=np.nan, lower=np.nan, upper=np.nan, n=0, unit="", method="not fitted")
_GROUPS = (
    "group", "n_customers", "predicted_orders", "predicted_orders_lower", "predicted_orders_upper", "realised_orders", "naive_orders", "error_share",
    "is_outside", "predicted_amount", "realised_amount",
)  # fmt: skip
_WEEKS = ("week", "predicted_orders", "realised_orders", "naive_orders")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutCheck:
    """A lifetime model fitted up to one day and compared with what its customers did until another.

    Parameters
    ----------
    calibration_end, holdout_end : date
        Last day of either stretch.
    model : LifetimeModel
        Fitted on the first.
    orders, amount : Estimate
        Predicted purchases and revenue of the known customers in the second, with the interval that chance and uncertain
        parameters allow.
    realised_orders, realised_amount : float
        What they did.
    naive_orders, naive_amount : float
        Forecast that every customer goes on as until now: purchases after the first, an equal stretch's worth of them
        (those younger than the stretch: as many as so far), at their own mean value.
    skill : Estimate
        Share of the naive forecast's squared error per customer that the model saves; below 0 it is worse.
    groups : pandas.DataFrame
        Customers by predicted purchases, tenths with the most first: group (from 1), n_customers, predicted_orders,
        predicted_orders_lower, predicted_orders_upper, realised_orders, naive_orders, error_share, is_outside, predicted_amount, realised_amount.
    weeks : pandas.DataFrame
        Running totals: week (from 1), predicted_orders, realised_orders, naive_orders.
    reason : str
        Why nothing was compared, in a sentence; empty where something was. Groups and weeks are empty then, the model None.
    """

    calibration_end: date
    holdout_end: date
    model: LifetimeModel | None = None
    orders: Estimate = _UNKNOWN
    amount: Estimate = _UNKNOWN
    realised_orders: float = float("nan")
    realised_amount: float = float("nan")
    naive_orders: float = float("nan")
    naive_amount: float = float("nan")
    skill: Estimate = _UNKNOWN
    groups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_GROUPS))
    weeks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_WEEKS))
    reason: str = ""

    def refit(self, summary: Table) -> LifetimeModel | None:
        """A model of the same kind on another summary, such as all that is known; None where nothing was checked."""
        return None if self.model is None else fit_lifetime(summary)

    @property
    def orders_error(self) -> float:
        """Predicted over realised purchases minus one; missing if there were none."""
        return _error(self.orders.value, self.realised_orders)

    @property
    def amount_error(self) -> float:
        """Predicted over realised revenue minus one."""
        return _error(self.amount.value, self.realised_amount)

    @property
    def naive_error(self) -> float:
        """Error of the naive forecast of purchases."""
        return _error(self.naive_orders, self.realised_orders)

    @property
    def model_error(self) -> float:
        """Error of the revenue as a standard deviation of its logarithm, to widen later forecasts by."""
        both = self.amount.value, self.realised_amount
        return float(abs(np.log(both[0] / both[1]))) if min(both) > 0 and np.isfinite(both[0]) else float("inf")


def _error(predicted: float, realised: float) -> float:
    return predicted / realised - 1 if realised > 0 else float("nan")


def holdout_check(
    order_lines: Table,
    *,
    calibration_end: date,
    holdout_end: date,
    start: date | None = None,
    grain: HistoryGrain = "day",
    n_groups: int = 10,
    fewest_repeaters: int = 1,
) -> HoldoutCheck:
    """Fit lifetimes up to one day, predict until another, and compare: total, by tenths of customers, week by week.

    Parameters
    ----------
    order_lines : order_lines
        As for `customer_summary`. Customers whose first order is later than ``calibration_end`` are nobody's to predict.
    calibration_end, holdout_end : date
        Last days of the two stretches.
    start : date or None
        First day that counts.
    grain : {"day", "week"}
        As for `customer_summary`.
    n_groups : int
        Groups of customers at most; those with equal forecasts stay together, and a group holds twenty or so at least.
    fewest_repeaters : int
        Customers who came back in the first stretch below which nothing is fitted.

    Returns
    -------
    HoldoutCheck

    References
    ----------
    Tracking and conditional expectations: Fader, Hardie, Lee (2005), figures 2 and 3.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> days = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 180, 400), unit="D")
    >>> lines = pd.DataFrame({"order_id": range(400), "product_id": "a", "customer_id": rng.integers(0, 90, 400),
    ...     "ordered_at": days, "quantity": 1.0, "unit_price": rng.gamma(5, 4, 400)})
    >>> check = holdout_check(lines, calibration_end=date(2026, 4, 30), holdout_end=date(2026, 6, 29))
    >>> len(check.weeks), int(check.groups["n_customers"].sum()) == check.model.n_customers
    (9, True)
    """
    n_days = (holdout_end - calibration_end).days
    if n_days < DAYS_IN.get(grain, 1):
        reason = f"No {grain} was seen after {format_date(calibration_end)}: nothing to hold a forecast against."
        return HoldoutCheck(calibration_end=calibration_end, holdout_end=holdout_end, reason=reason)
    summary = customer_summary(order_lines, as_of=calibration_end, start=start, grain=grain)
    if repeat_customers(summary) < fewest_repeaters:
        reason = f"Fewer than {fewest_repeaters} customers came back until {format_date(calibration_end)}: too few to forecast customers."
        return HoldoutCheck(calibration_end=calibration_end, holdout_end=holdout_end, reason=reason)
    model = fit_lifetime(summary)
    later = purchases(
        order_lines, first=calibration_end + timedelta(days=1), last=holdout_end, step=DAYS_IN[grain],
        anchor=calibration_end,
    )  # fmt: skip
    histories = _forecasts(_with_outcomes(summary, later), model, n_days / 7)
    n_groups = max(1, min(n_groups, len(histories), model.n_customers // LEAST_GROUP))
    total, groups = (_groups(histories, model, n_days / 7, n) for n in (1, n_groups))
    return HoldoutCheck(
        calibration_end=calibration_end, holdout_end=holdout_end, model=model, orders=_total(total, "orders", "purchases"),
        amount=_total(total, "amount", "money"), realised_orders=float(histories["orders_later"].sum()),
        realised_amount=float(histories["amount_later"].sum()), naive_orders=float(total["naive_orders"].sum()),
        naive_amount=float((histories["naive_rate"] * histories["value_sum"]).sum()), skill=_skill(histories),
        groups=groups[list(_GROUPS)],
        weeks=_weeks(later.semi_join(summary, "customer_id"), histories, model, n_days, DAYS_IN[grain]),
    )  # fmt: skip


def _with_outcomes(summary: ir.Table, later: ir.Table) -> pd.DataFrame:
    """Histories with what their customers did later: sums of purchases, their squares, and money."""
    did = later.group_by("customer_id").aggregate(orders=later.count().cast("float64"), amount=later["amount"].sum())
    did = did.rename(later_customer="customer_id")
    joined = summary.left_join(did, summary["customer_id"] == did["later_customer"])
    orders = joined["orders"].fill_null(0.0)
    amount = joined["amount"].sum().cast("float64").fill_null(0.0)
    return histories_of(joined, orders_later=orders.sum(), squares_later=(orders * orders).sum(), amount_later=amount)


def _forecasts(histories: pd.DataFrame, model: LifetimeModel, horizon: float) -> pd.DataFrame:
    """Histories with the purchases of a customer that the model and the naive rule expect."""
    x, recency, age = (histories[name].to_numpy(dtype=float) for name in ("frequency", "recency", "age"))
    expected, _ = event_moments(model.orders, frequency=x, recency=recency, age=age, horizon=horizon)
    return histories.assign(expected=expected, naive_rate=x * horizon / np.maximum(age, horizon))


@of_people("n_customers", by=("group",))
def _groups(histories: pd.DataFrame, model: LifetimeModel, horizon: float, n_groups: int) -> pd.DataFrame:
    """Customers by forecast, the most first, in groups of equal size as far as ties allow."""
    n = histories["n_units"].to_numpy(dtype=float)
    by_forecast = histories.assign(n=n).groupby(-histories["expected"].round(9))["n"].sum()
    middle = (by_forecast.cumsum() - by_forecast / 2) / n.sum()
    place = (-histories["expected"].round(9)).map(np.minimum((middle * n_groups).astype(int), n_groups - 1))
    codes, numbers = pd.factorize(place, sort=True)

    def totals(orders: BgNbd, values: GammaGamma) -> np.ndarray:
        ahead = future_moments(histories, events=orders, values=values, horizon=horizon)
        return sums_by(codes, ahead.events, ahead.events_variance, ahead.amount, ahead.amount_variance)

    orders, orders_chance, amount, amount_chance = totals(model.orders, model.values)
    orders_error, _, amount_error, _ = parameter_variance(totals, model)
    columns = ("n_units", "orders_later", "amount_later")
    counted, realised, money = sums_by(codes, *(histories[name].to_numpy(dtype=float) for name in columns))
    (naive,) = sums_by(codes, n * histories["naive_rate"].to_numpy())
    half, amount_half = _Z * np.sqrt(orders_error + orders_chance), _Z * np.sqrt(amount_error + amount_chance)
    lower, upper = np.maximum(orders - half, 0.0), orders + half
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(realised > 0, orders / realised - 1, np.nan)
    return pd.DataFrame({
        "group": np.asarray(numbers) + 1, "n_customers": counted.astype("int64"), "predicted_orders": orders,
        "predicted_orders_lower": lower, "predicted_orders_upper": upper, "realised_orders": realised, "naive_orders": naive, "error_share": error,
        "is_outside": (realised < lower) | (realised > upper), "predicted_amount": amount,
        "predicted_amount_lower": np.maximum(amount - amount_half, 0.0), "predicted_amount_upper": amount + amount_half,
        "realised_amount": money,
    })  # fmt: skip


def _total(row: pd.DataFrame, what: str, unit: str) -> Estimate:
    ends = (f"predicted_{what}{end}" for end in ("", "_lower", "_upper"))
    value, lower, upper, n = (float(row[name].iloc[0]) for name in (*ends, "n_customers"))
    return Estimate(value=value, lower=lower, upper=upper, n=int(n), unit=unit, method="BG/NBD and Gamma-Gamma")


def _skill(histories: pd.DataFrame) -> Estimate:
    """One minus the model's squared error per customer over the naive one's, from sums; customers independent."""
    columns = ("n_units", "expected", "naive_rate", "orders_later", "squares_later")
    n, own, naive, y, yy = (histories[name].to_numpy(dtype=float) for name in columns)
    constant, slope = own**2 - naive**2, -2 * (own - naive)  # the difference of squares is linear in what was realised
    gain = constant * n + slope * y
    squares = constant**2 * n + 2 * constant * slope * y + slope**2 * yy
    whole = float((naive**2 * n - 2 * naive * y + yy).sum())
    size = float(n.sum())
    value, error = -float(gain.sum()), float(np.sqrt(max(squares.sum() - gain.sum() ** 2 / size, 0.0)))
    scale = 1 / whole if whole > 0 else float("nan")
    return Estimate(
        value=value * scale, lower=(value - _Z * error) * scale, upper=(value + _Z * error) * scale, n=int(size),
        unit="share", method="paired squared errors over customers", std_error=error * scale,
    )  # fmt: skip


def _weeks(later: ir.Table, histories: pd.DataFrame, model: LifetimeModel, n_days: int, step: int) -> pd.DataFrame:
    """Running totals of the known customers by week; the last one may be shorter."""
    later = later.mutate(week=((later["ago"] * step) // 7 + 1).cast("int64"))
    found = engine.grouped(later, "week", n=later.count())
    weeks = np.arange(1, -(-n_days // 7) + 1)
    passed = np.minimum(weeks * 7, n_days) / 7
    x, recency, age, n = (histories[name].to_numpy(dtype=float) for name in ("frequency", "recency", "age", "n_units"))
    predicted = [
        float(n @ event_moments(model.orders, frequency=x, recency=recency, age=age, horizon=float(t))[0])
        for t in passed
    ]
    realised = found.set_index("week")["n"].reindex(weeks, fill_value=0).cumsum()
    naive = float((n * histories["naive_rate"].to_numpy()).sum()) * passed / passed[-1]
    return pd.DataFrame({
        "week": weeks, "predicted_orders": predicted, "realised_orders": realised.to_numpy(dtype=float),
        "naive_orders": naive,
    })  # fmt: skip


def lifetime_checks(model: LifetimeModel | None, holdout: HoldoutCheck | None = None) -> pd.DataFrame:
    """Where a lifetime model is outside what it was made for: each check with its number, limit and meaning.

    Parameters
    ----------
    model : LifetimeModel or None
        From `fit_lifetime`; None: no row.
    holdout : HoldoutCheck or None
        Adds the checks on held-out months.

    Returns
    -------
    DataFrame
        One row a check: check, value, limit (as text), is_passed, meaning (what follows where it fails).

    References
    ----------
    The limits are conventions of ours; independence of value and frequency is assumed in Fader and Hardie (2013).

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": range(60), "frequency": [0, 1, 4] * 20, "recency_days": [0, 30, 80] * 20,
    ...     "age_days": [90, 120, 100] * 20, "mean_value": [None, 20.0, 30.0] * 20, "revenue_amount": 50.0})
    >>> checks = lifetime_checks(fit_lifetime(frame)).set_index("check")
    >>> bool(checks.loc["enough repeaters", "is_passed"])
    False
    """
    if model is None:
        return pd.DataFrame(columns=["check", "value", "limit", "is_passed", "meaning"])
    fit, repeaters, linked = model.orders, model.n_repeaters / model.n_customers, abs(model.value_correlation.value)
    leaving = fit.a / (fit.a + fit.b)
    rows: list[tuple[str, float, str, bool, str]] = [
        ("enough repeaters", model.n_repeaters, "at least 100", model.n_repeaters >= 100,
         "too few customers came back for four parameters"),
        ("repeat share", repeaters, "5 % to 95 %", 0.05 <= repeaters <= 0.95,
         "nearly everybody, or nobody, comes back: the model is made for shops between a supermarket and a one-off"),
        ("customers stop", leaving, "at least 0.5 % after a purchase", fit.is_identified and leaving >= 0.005,
         "the fit finds no customers that stop, so the chance to be active ranks nobody"),
        ("value apart from number", model.value_correlation.value, "between −0.3 and 0.3", linked <= 0.3,
         "those who buy more often spend more (or less) each time, while the value model takes the two to be unrelated"),
        ("values have a spread", model.values.q, "above 2", model.values.q > 2,
         "a few purchases are so large that the value of a new customer has no finite variance"),
    ]  # fmt: skip
    if holdout is not None:
        missed = holdout.orders_error
        rows += [
            ("held-out total", missed, "within 20 %", abs(missed) <= 0.2,
             "the months predicted were not like those fitted (season, growth, a promotion)"),
            ("better than naive", holdout.skill.value, "interval above 0", holdout.skill.lower > 0,
             "customer by customer it is no nearer than that each goes on as before"),
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["check", "value", "limit", "is_passed", "meaning"])
