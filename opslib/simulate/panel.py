"""The price module alone: weekly sales of every product, for studies that need thousands of draws."""

from __future__ import annotations

import numpy as np
import pandas as pd

from opslib.simulate import planted
from opslib.simulate.browsing import product_id
from opslib.simulate.calendar import Calendar
from opslib.simulate.catalogue import Catalogue
from opslib.simulate.config import ShopConfig
from opslib.simulate.draws import Draws


def price_panel(*, config: ShopConfig, seed: int, lines_a_day: float = 75.0) -> pd.DataFrame:
    """Weekly sales of every product, without people: prices, stock, season and life cycle as in the whole shop.

    Parameters
    ----------
    config : ShopConfig
        Size, period and nuisances (``confounded_price`` is the one that matters here).
    seed : int
        Seed of prices and sales.
    lines_a_day : float
        Mean order lines a day, of all products together.

    Returns
    -------
    pandas.DataFrame
        One row a product and week on the shelf: product_id, category, week (from 0), n_days (on the shelf),
        log_price (mean), lines (sold), elasticity (true), is_confounded.

    Examples
    --------
    >>> panel = price_panel(config=ShopConfig(n_products=64, days=98), seed=1)
    >>> sorted(panel["week"].unique())[-1], bool((panel["lines"] >= 0).all())
    (np.int64(13), True)
    """
    draws = Draws(seed)
    catalogue = Catalogue(Calendar(config, draws), draws)
    n_weeks, n_products = config.days // 7, config.n_products
    weekly = (n_weeks, 7, n_products)
    demand = catalogue.demand[: n_weeks * 7].reshape(weekly)
    in_stock = catalogue.in_stock[: n_weeks * 7].reshape(weekly)
    log_price = np.log(catalogue.prices[: n_weeks * 7] / 10_000.0).reshape(weekly)
    n_days = in_stock.sum(axis=1)
    expected = demand.sum(axis=1) * (lines_a_day * n_weeks * 7 / demand.sum())
    on_shelf = n_days > 0
    week, product = np.nonzero(on_shelf)
    category = catalogue.category[product]
    follows = [each.is_confounded and config.confounded_price for each in planted.CATEGORIES]
    return pd.DataFrame({
        "product_id": np.array([product_id(number) for number in range(n_products)])[product],
        "category": np.array([each.name for each in planted.CATEGORIES])[category],
        "week": week,
        "n_days": n_days[on_shelf],
        "log_price": (log_price * in_stock).sum(axis=1)[on_shelf] / n_days[on_shelf],
        "lines": np.random.default_rng(seed).poisson(expected)[on_shelf],
        "elasticity": np.array([each.elasticity for each in planted.CATEGORIES])[category],
        "is_confounded": np.array(follows)[category],
    })  # fmt: skip
