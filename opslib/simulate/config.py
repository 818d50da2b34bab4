"""Size, period and nuisances of a simulated shop."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opslib.errors import ParameterError, nearest

#: Days simulated before the first day that is written, so that the shop opens with customers.
WARM_UP_DAYS = 364


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopConfig:
    """What is simulated; every nuisance of the truth bench is a switch, and flipping one leaves all other draws as they are.

    Parameters
    ----------
    n_orders : int
        Orders aimed at (customers and visitors follow).
    n_products, n_stores : int
        Products and stores.
    end : date
        Last day, included.
    days : int
        Days written.
    time_zone : str
        IANA zone of the shop's days.
    store_share : float
        Share of new customers who come through a store (no visits, no events), 0-1.
    browser_share : float
        Share of the website's unknown visitors kept, 0-1; fewer make events cheaper at very large sizes.
    customer_types : {"planted", "single"}
        Five latent types, or one only (the shop without segments).
    trend : float
        Yearly growth of traffic (.15 = 15 %).
    annual_season, weekday : bool
        Season of the year and pattern of the week.
    ar, shock_sd : float
        First autocorrelation (0-.95) and standard deviation (log) of the daily demand shocks.
    promotions : bool
        Promotion spikes.
    carry_over : float
        Share of a promotion's uplift that is borrowed from the two weeks after it.
    level_break : float
        Relative change of traffic at 70 % of the period.
    icc : float
        Share of the variance of log basket size that is the customer's own, 0-1.
    tail : {"lognormal", "pareto"}
        Tail of basket spend.
    spend_sigma : float
        Standard deviation of log basket size.
    sample_ratio_loss : float
        Share of treated visitors lost from the assignment log of the broken experiment.
    ramp : bool
        Whether the ramped experiment starts at 1 %.
    confounded_price : bool
        Whether two categories' prices follow their demand.
    missing_days : int
        Days lost from the order and site exports.
    late_returns : float
        Share of returns that come one to four months late.
    outages : bool
        Whether the payment outage happened.
    effect_scale : float
        Factor on the effect of every release, test and roll-out; 0 is the shop in which nothing worked.
    effect_sd : float
        Standard deviation of the relative effects of shop-wide tests: drawn for each seed, normal around 0.

    Examples
    --------
    >>> ShopConfig(n_orders=1_000, days=90).start
    datetime.date(2026, 8, 3)
    """

    n_orders: int = 20_000
    n_products: int = 320
    n_stores: int = 16
    end: date = date(2026, 10, 31)
    days: int = 549
    time_zone: str = "Europe/London"
    store_share: float = 0.28
    browser_share: float = 1.0
    customer_types: Literal["planted", "single"] = "planted"
    trend: float = 0.15
    annual_season: bool = True
    weekday: bool = True
    ar: float = 0.5
    shock_sd: float = 0.08
    promotions: bool = True
    carry_over: float = 0.3
    level_break: float = 0.10
    icc: float = 0.35
    tail: Literal["lognormal", "pareto"] = "lognormal"
    spend_sigma: float = 0.6
    sample_ratio_loss: float = 0.20
    ramp: bool = True
    confounded_price: bool = True
    missing_days: int = 1
    late_returns: float = 0.08
    outages: bool = True
    effect_scale: float = 1.0
    effect_sd: float = 0.03

    def __post_init__(self) -> None:
        ranges = {
            "n_orders": (100, 10**9), "n_products": (40, 20_000), "n_stores": (8, 999), "days": (60, 3_650),
            "store_share": (0.02, 0.98), "browser_share": (0.05, 1.0), "trend": (-0.9, 5.0), "ar": (0.0, 0.95),
            "shock_sd": (0.0, 1.0), "carry_over": (0.0, 1.0), "level_break": (-0.9, 5.0), "icc": (0.0, 1.0),
            "spend_sigma": (0.0, 1.5), "sample_ratio_loss": (0.0, 0.9), "missing_days": (0, 10), "late_returns": (0.0, 1.0),
            "effect_scale": (0.0, 1.2), "effect_sd": (0.0, 0.3),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ParameterError(f"ShopConfig.{name}: {getattr(self, name)!r} is outside [{low}, {high}]")
        for name, allowed in (("tail", ("lognormal", "pareto")), ("customer_types", ("planted", "single"))):
            if getattr(self, name) not in allowed:
                raise ParameterError(
                    f"ShopConfig.{name}: {getattr(self, name)!r}; {nearest(getattr(self, name), allowed)}"
                )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ParameterError(f"ShopConfig.time_zone: {self.time_zone!r} is not an IANA time zone") from error

    @property
    def start(self) -> date:
        """First day written."""
        return self.end - timedelta(days=self.days - 1)

    def without_nuisances(self) -> ShopConfig:
        """The same shop with every nuisance off."""
        return replace(
            self, trend=0.0, annual_season=False, weekday=False, ar=0.0, shock_sd=0.0, promotions=False, carry_over=0.0,
            level_break=0.0, sample_ratio_loss=0.0, ramp=False, confounded_price=False, missing_days=0, late_returns=0.0,
            outages=False,
        )  # fmt: skip


#: Ready sizes. A fourth of the order lines of "demo" are bought in stores, most of those of "100m".
PRESETS: dict[str, ShopConfig] = {
    "demo": ShopConfig(),
    "10m": ShopConfig(n_orders=2_500_000, n_products=1_500, n_stores=60, days=730, store_share=0.6),
    "100m": ShopConfig(
        n_orders=25_000_000, n_products=2_500, n_stores=200, days=1_095, store_share=0.75, browser_share=0.6
    ),
}


def preset(name: str, **changes: object) -> ShopConfig:
    """A ready configuration by name, with fields changed.

    Parameters
    ----------
    name : {"demo", "10m", "100m"}
        Which one.
    **changes
        Fields of :class:`ShopConfig` to change.

    Returns
    -------
    ShopConfig

    Raises
    ------
    ParameterError
        If there is no preset or no field of that name.

    Examples
    --------
    >>> preset("demo", ar=0.0).n_orders
    20000
    """
    if name not in PRESETS:
        raise ParameterError(f"no preset '{name}'; {nearest(name, PRESETS)}")
    known = [field.name for field in fields(ShopConfig)]
    for change in changes:
        if change not in known:
            raise ParameterError(f"ShopConfig has no field '{change}'; {nearest(change, known)}")
    return replace(PRESETS[name], **changes)  # type: ignore[arg-type]
