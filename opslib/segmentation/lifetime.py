"""Customer lifetime value: who is still a customer, how many orders they will place, and what those are worth.

The models are fitted on how many customers share a history, never on a row a customer, and scoring is one query.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import norm

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics import require_table_columns
from opslib.metrics.blocks import Table
from opslib.segmentation.histories import MAX_HISTORIES, histories_of
from opslib.stats.estimates import Estimate
from opslib.stats.lifetime import BgNbd, GammaGamma, fit_bg_nbd, fit_gamma_gamma, log_parameter_covariance
from opslib.stats.lifetime_expectations import dropout_nodes, future_moments
from opslib.suppression import of_people

UNSEGMENTED = "without a segment"
#: Mean values are fitted in classes this wide on the logarithm (2 %).
_VALUE_CLASS = 0.02
#: Exponents beyond this end as 0 or infinity in an engine, or as an error.
_MOST = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeModel:
    """Fitted lifetimes and values of a shop's customers; time is in weeks.

    Parameters
    ----------
    orders : BgNbd
        How often customers order until they silently stop.
    values : GammaGamma
        How much they spend on a purchase.
    orders_covariance, values_covariance : numpy.ndarray
        Of the logarithms of the parameters, (4, 4) and (3, 3).
    n_customers, n_repeaters : int
        Customers, and those with a second purchase.
    alive_share : float
        Share of all customers expected to be still active (0-1).
    value_correlation : Estimate
        Correlation of log number and log mean value of purchases among repeaters; the model takes it to be 0.
    """

    orders: BgNbd
    values: GammaGamma
    orders_covariance: np.ndarray
    values_covariance: np.ndarray
    n_customers: int
    n_repeaters: int
    alive_share: float
    value_correlation: Estimate


def fit_lifetime(summary: Table) -> LifetimeModel:
    """Fit BG/NBD and Gamma-Gamma to a shop's customers.

    Parameters
    ----------
    summary : table
        From `customer_summary`.

    Returns
    -------
    LifetimeModel
        Ask `lifetime_checks` before using it.

    Raises
    ------
    ParameterError
        No customer, or none with a second purchase.

    References
    ----------
    Fader, Hardie, Lee (2005), Marketing Science 24(2); Fader, Hardie (2013), note 025.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": range(60), "frequency": [0, 1, 4] * 20, "recency_days": [0, 30, 80] * 20,
    ...     "age_days": [90, 120, 100] * 20, "mean_value": [None, 20.0, 30.0] * 20, "revenue_amount": 50.0})
    >>> fit_lifetime(frame).n_repeaters
    40
    """
    table = engine.as_table(summary)
    histories = histories_of(table)
    seen = histories[histories["age"] > 0]
    orders = fit_bg_nbd(seen)
    repeaters = table.filter(table["mean_value"] > 0)
    classes = (repeaters["mean_value"].ln() / _VALUE_CLASS).floor().cast("int64")
    repeaters = repeaters.mutate(value_class=classes)
    spent = engine.grouped(
        repeaters,
        ["frequency", "value_class"],
        max_rows=MAX_HISTORIES,
        n_units=repeaters.count(),
        mean_value=repeaters["mean_value"].mean(),
    )
    values = fit_gamma_gamma(spent)
    ahead = future_moments(histories, events=orders, values=values, horizon=1.0)
    return LifetimeModel(
        orders=orders, values=values, orders_covariance=log_parameter_covariance(orders, seen),
        values_covariance=log_parameter_covariance(values, spent), n_customers=int(histories["n_units"].sum()),
        n_repeaters=int(spent["n_units"].sum()), alive_share=float(ahead.alive.sum() / histories["n_units"].sum()),
        value_correlation=_correlation(histories[histories["frequency"] > 0]),
    )  # fmt: skip


def _correlation(histories: pd.DataFrame, confidence_level: float = 0.95) -> Estimate:
    """Correlation of log frequency and log mean value over customers, from sums; Fisher's interval."""
    n, x = histories["n_valued"].to_numpy(dtype=float), np.log(histories["frequency"].to_numpy(dtype=float))
    y, yy, size = histories["logs"].to_numpy(), float(histories["log_squares"].sum()), n.sum()
    covariance = x @ y / size - (n @ x) * y.sum() / size**2
    spread = (n @ x**2 / size - (n @ x / size) ** 2) * (yy / size - (y.sum() / size) ** 2)
    value = float(covariance / np.sqrt(spread)) if spread > 1e-12 else float("nan")
    half = norm.ppf((1 + confidence_level) / 2) / np.sqrt(max(size - 3, 1))
    ends = np.tanh(np.arctanh(np.clip(value, -0.999999, 0.999999)) + np.array([-half, half]))
    return Estimate(
        value=value, lower=float(ends[0]), upper=float(ends[1]), n=int(size), unit="correlation", confidence_level=confidence_level,
        method="Pearson on logarithms, Fisher's interval",
    )  # fmt: skip


def customer_lifetime_value(summary: Table, *, model: LifetimeModel | None, horizon_days: int = 90) -> ir.Table:
    """Chance to be active, expected orders and expected revenue of each customer, as one query.

    Parameters
    ----------
    summary : table
        From `customer_summary`, of the customers that the model was fitted on or of others.
    model : LifetimeModel or None
        From `fit_lifetime`; None: no customer is valued.
    horizon_days : int
        Days ahead.

    Returns
    -------
    ibis.Table
        The summary with alive_share (0-1), expected_orders, expected_value (of a purchase; missing where the model has
        no mean) and expected_revenue_amount. Not discounted: a year at most is meant.

    Raises
    ------
    ParameterError
        The horizon is not positive.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": range(60), "frequency": [0, 1, 4] * 20, "recency_days": [0, 30, 80] * 20,
    ...     "age_days": [90, 120, 100] * 20, "mean_value": [None, 20.0, 30.0] * 20, "revenue_amount": 50.0})
    >>> values = engine.collect(customer_lifetime_value(frame, model=fit_lifetime(frame)).order_by("customer_id"))
    >>> bool(values["expected_orders"][2] > values["expected_orders"][0])
    True
    """
    require_horizon(horizon_days)
    table = engine.as_table(summary)
    if model is None:
        told = ("alive_share", "expected_value", "expected_orders", "expected_revenue_amount")
        return table.limit(0).mutate(**{name: ibis.null("float64") for name in told})
    fit, spend = model.orders, model.values
    x = table["frequency"].cast("float64")
    weeks = {name: table[f"{name}_days"].cast("float64") / 7.0 for name in ("age", "recency")}
    shape, rate = x + fit.r, weeks["age"] + fit.alpha
    gone = _exp((rate.ln() - (weeks["recency"] + fit.alpha).ln()) * shape)
    odds = engine.ratio(gone * fit.a, x + (fit.b - 1))
    chances, weights = dropout_nodes(fit)
    kept = [w * _exp(x * np.log1p(-p)) for p, w in zip(chances.tolist(), weights.tolist(), strict=True)]
    silence = [_exp((rate.ln() - (rate + p * horizon_days / 7).ln()) * shape) for p in chances.tolist()]
    ordered = [k * (1.0 - s) / p for k, s, p in zip(kept, silence, chances.tolist(), strict=True)]
    per_active = engine.ratio(functools.reduce(operator.add, ordered), functools.reduce(operator.add, kept))
    scored = table.mutate(
        alive_share=(x > 0).ifelse(engine.ratio(ibis.literal(1.0), odds + 1.0), 1.0),
        per_active=per_active,
        expected_value=(x * spend.p + spend.q > 1).ifelse(
            engine.ratio((table["mean_value"].fill_null(0.0) * x + spend.gamma) * spend.p, x * spend.p + spend.q - 1.0),
            ibis.null("float64"),
        ),
    )
    scored = scored.mutate(expected_orders=scored["alive_share"] * scored["per_active"]).drop("per_active")
    return scored.mutate(expected_revenue_amount=scored["expected_orders"] * scored["expected_value"])


def _exp(exponent: ir.FloatingValue) -> ir.FloatingValue:
    """Exponential that neither over- nor underflows: some engines raise where others give 0."""
    return ibis.least(ibis.greatest(exponent, ibis.literal(-_MOST)), ibis.literal(_MOST)).exp()


def value_quantiles(values: Table) -> pd.DataFrame:
    """What half, and nine tenths, of the customers are expected to bring at most.

    Parameters
    ----------
    values : table
        From `customer_lifetime_value`.

    Returns
    -------
    DataFrame
        Two rows: quantile (0.5, 0.9), expected_revenue_amount.

    Examples
    --------
    >>> value_quantiles(pd.DataFrame({"expected_revenue_amount": [1.0, 2.0, 12.0]}))["expected_revenue_amount"].tolist()
    [2.0, 10.0]
    """
    column = engine.as_table(values)["expected_revenue_amount"]
    found = engine.collect(column.as_table().aggregate(half=column.quantile(0.5), most=column.quantile(0.9)))
    return pd.DataFrame({"quantile": [0.5, 0.9], "expected_revenue_amount": found.iloc[0].to_numpy(dtype="float64")})


def require_horizon(horizon_days: int) -> None:
    """Refuse a future without days."""
    if horizon_days <= 0:
        raise ParameterError(f"horizon_days: {horizon_days} is not positive; e.g. 90")


_WORTH = (
    "segment", "n_customers", "alive_share", "alive_share_lower", "alive_share_upper", "expected_orders", "value_amount", "value_amount_lower", "value_amount_upper",
    "mean_lower", "mean_upper", "customer_value_amount", "dormant_amount", "n_segmented",
)  # fmt: skip


@of_people(("n_customers", "n_segmented"), by=("segment",))
def segment_lifetime_value(
    summary: Table,
    segments: Table | None = None,
    *,
    model: LifetimeModel | None,
    horizon_days: int = 90,
    by: str = "segment",
    model_error: float = 0.0,
) -> pd.DataFrame:
    """What each segment is expected to bring in the days ahead, with 95 % intervals.

    Parameters
    ----------
    summary : table
        From `customer_summary`.
    segments : table or None
        customer_id and a segment: `rfm_scores`, `value_tiers`, `life_stages`... None: all customers as one.
    model : LifetimeModel or None
        From `fit_lifetime`; None: no segment is valued.
    horizon_days : int
        Days ahead.
    by : str
        Column of the segment.
    model_error : float
        Relative error that the model showed on held-out months (`HoldoutCheck.model_error`); widens the interval.

    Returns
    -------
    DataFrame
        One row a segment, most valuable first: segment (``without a segment`` for customers not in ``segments``),
        n_customers, alive_share with alive_share_lower and alive_share_upper (mean chance to be active, 0-1), expected_orders,
        value_amount (expected revenue), value_amount_lower, value_amount_upper (of what will come in: parameters, each customer's own randomness,
        and the model's error), mean_lower, mean_upper (of the expectation: uncertain parameters), customer_value_amount
        (of one), dormant_amount (what those who have stopped would bring if they were still active: the most that
        winning them back could), n_segmented (n_customers, and 0 without a segment: other tables have the rest alone).

    Raises
    ------
    ContractError
        ``segments`` lacks a column.
    ParameterError
        The horizon is not positive.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": range(60), "frequency": [0, 1, 4] * 20, "recency_days": [0, 30, 80] * 20,
    ...     "age_days": [90, 120, 100] * 20, "mean_value": [None, 20.0, 30.0] * 20, "revenue_amount": 50.0})
    >>> segment_lifetime_value(frame, model=fit_lifetime(frame))["n_customers"].tolist()
    [60]
    """
    require_horizon(horizon_days)
    if model is None:
        return pd.DataFrame(columns=list(_WORTH))
    histories = histories_of(_with_segment(engine.as_table(summary), segments, by))
    codes, names = pd.factorize(histories["segment"], sort=True)

    def totals(orders: BgNbd, values: GammaGamma) -> np.ndarray:
        ahead = future_moments(histories, events=orders, values=values, horizon=horizon_days / 7)
        gone = histories["n_units"].to_numpy() / np.maximum(ahead.alive, 1e-300) - 1
        return sums_by(codes, ahead.alive, ahead.events, ahead.amount, ahead.amount_variance, ahead.amount * gone)

    alive, orders, amount, chance, dormant = totals(model.orders, model.values)
    alive_error, _, amount_error, _, _ = np.sqrt(parameter_variance(totals, model))
    n = np.bincount(codes, weights=histories["n_units"])
    z = float(norm.ppf(0.975))
    frame = pd.DataFrame({
        "segment": names, "n_customers": n.astype("int64"), "alive_share": alive / n,
        "alive_share_lower": np.clip((alive - z * alive_error) / n, 0, 1),
        "alive_share_upper": np.clip((alive + z * alive_error) / n, 0, 1), "expected_orders": orders, "value_amount": amount,
    })  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        known = z * np.nan_to_num(amount_error / amount, nan=np.inf)
        realised = z * np.nan_to_num(np.sqrt(amount_error**2 + chance) / amount, nan=np.inf)
    realised = np.hypot(realised, z * model_error)
    for (low, high), half in (
        (("value_amount_lower", "value_amount_upper"), realised),
        (("mean_lower", "mean_upper"), known),
    ):
        frame[low], frame[high] = amount * np.exp(-half), amount * np.exp(half)
    frame = frame.assign(customer_value_amount=frame["value_amount"] / frame["n_customers"], dormant_amount=dormant)
    frame["n_segmented"] = frame["n_customers"].where(frame["segment"] != UNSEGMENTED, 0)
    return frame.sort_values(["value_amount", "segment"], ascending=[False, True], ignore_index=True)


def _with_segment(summary: ir.Table, segments: Table | None, by: str) -> ir.Table:
    if segments is None:
        return summary.mutate(segment=ibis.literal("all customers"))
    table = engine.as_table(segments)
    require_table_columns(table, "customer_id", by, name="segments")
    named = table.select(segment_customer=table["customer_id"], segment=table[by].cast("string"))
    joined = summary.left_join(named, summary["customer_id"] == named["segment_customer"])
    return joined.mutate(segment=joined["segment"].fill_null(UNSEGMENTED)).drop("segment_customer")


def sums_by(codes: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """Sums of each column by code, one row a column."""
    return np.stack([np.bincount(codes, weights=column) for column in columns])


@np.errstate(invalid="ignore")
def parameter_variance(function: Callable[[BgNbd, GammaGamma], np.ndarray], model: LifetimeModel) -> np.ndarray:
    """Variance that uncertain parameters give a function of the two models (delta method on their logarithms)."""
    parts = (("orders", ("r", "alpha", "a", "b")), ("values", ("p", "q", "gamma")))
    variance: np.ndarray = np.zeros(())
    for part, names in parts:
        base = getattr(model, part)
        slopes = []
        for name in names:
            ends = []
            for step in (1e-3, -1e-3):
                moved = replace(base, **{name: getattr(base, name) * np.exp(step)})
                ends.append(function(moved, model.values) if part == "orders" else function(model.orders, moved))
            slopes.append((ends[0] - ends[1]) / 2e-3)
        gradient = np.stack(slopes)
        covariance = getattr(model, f"{part}_covariance")
        variance = variance + np.einsum("i...,ij,j...->...", gradient, covariance, gradient)
    return np.maximum(np.nan_to_num(variance, nan=np.inf), 0.0)
