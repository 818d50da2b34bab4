"""Hedonic price regression: what attributes are worth, and quality-adjusted premiums of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import t as student

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, require_table_columns
from opslib.stats.estimates import Estimate

#: Products that an attribute's level or a group needs before it gets a coefficient of its own; rarer ones are pooled.
MIN_PRODUCTS = 10
OTHER = "(other)"
FIXED = 1e-8
"""One less a leverage at or below which a product decides its own fit."""
_ATTRIBUTES = ["attribute", "level", "n_products", "premium_share", "premium_share_lower", "premium_share_upper"]
_GROUPS = ["group", "n_products", "raw_share", "premium_share", "premium_share_lower", "premium_share_upper"]
_Names = list[tuple[str, str]]
_Premium = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class HedonicModel:
    """Log-price regression on attributes, with one premium a group.

    Parameters
    ----------
    attributes : pandas.DataFrame
        attribute, level, n_products, premium_share, premium_share_lower, premium_share_upper: price against the attribute's most common level,
        everything else equal (0.10 = ten per cent dearer).
    groups : pandas.DataFrame
        group, n_products, raw_share (mean price against the average, unadjusted), premium_share, premium_share_lower,
        premium_share_upper
        (adjusted for attributes, against the average group), is_dear, is_cheap (interval clear of zero, each group on
        its own: no correction for their number). Fewer than ten products, left over by pooling: no interval.
    r_squared : float
        Share of the variance of log prices that the model explains (0-1).
    n_products : int
        Products used.
    confidence_level : float
        Level of the intervals.
    terms : pandas.DataFrame
        column, level, coefficient on log price (the first is the constant), for the going rate of any bundle.
    covariance : pandas.DataFrame
        Of the coefficients, in the order of ``terms``.
    levels : dict of str to tuple of str
        Levels of each attribute that the model knows, rare ones pooled.
    """

    attributes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_ATTRIBUTES))
    groups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*_GROUPS, "is_dear", "is_cheap"]))
    r_squared: float = float("nan")
    n_products: int
    confidence_level: float
    terms: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["column", "level", "coefficient"]))
    covariance: pd.DataFrame = field(default_factory=pd.DataFrame)
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)


def attribute_columns(products: Table) -> list[str]:
    """Columns of products that are attributes: ``attr_`` and more.

    Examples
    --------
    >>> attribute_columns(pd.DataFrame(columns=["product_id", "attr_size"]))
    ['attr_size']
    """
    return [name for name in engine.as_table(products).columns if name.startswith("attr_")]


def hedonic_prices(products: Table, *, attributes: Sequence[str], confidence_level: float = 0.95) -> HedonicModel:
    """Hedonic regression: prices of attributes, and each group's premium over them.

    Parameters
    ----------
    products : table
        price, brand, and the attributes (text or few-valued).
    attributes : sequence of str
        Columns that a buyer pays for (``category``, ``attr_material``, ...).
    confidence_level : float
        Level of the intervals.

    Returns
    -------
    HedonicModel
        Fitted on cells of equal attributes, so the cost does not grow with the number of products. Intervals from
        heteroskedasticity-robust (HC3) standard errors.

        Without attributes and groups where fewer products than coefficients plus ten have a price.

    References
    ----------
    Rosen (1974), Hedonic prices and implicit markets; MacKinnon and White (1985) for the standard errors.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"brand": ["a", "b"] * 50, "attr_size": ["s", "s", "l", "l"] * 25})
    >>> table["price"] = 10.0 * np.where(table["attr_size"] == "l", 2, 1) * np.where(table["brand"] == "b", 1.2, 1)
    >>> model = hedonic_prices(table, attributes=["attr_size"])
    >>> model.attributes.query("level == 's'")["premium_share"].round(3).tolist()
    [-0.5]
    """
    cells = _cells(products, [*attributes, "brand"])
    n_products = int(cells["n"].sum())
    design, names = _design(cells, columns=[*attributes, "brand"])
    if not n_products or n_products < design.shape[1] + 10:
        return HedonicModel(n_products=n_products, confidence_level=confidence_level)
    coefficients, covariance, r_squared = _fit(cells, design)
    quantile = float(student.ppf(0.5 + confidence_level / 2, n_products - design.shape[1]))

    def premium(contrast: np.ndarray, n: int) -> np.ndarray:
        """Value and ends of a contrast of coefficients; no ends of a few products."""
        value = float(contrast @ coefficients)
        half = quantile * np.sqrt(max(contrast @ covariance @ contrast, 0.0)) if n >= MIN_PRODUCTS else np.nan
        return np.expm1([value, value - half, value + half])

    return HedonicModel(
        attributes=_attribute_table(cells, names, premium),
        groups=_group_table(cells, names, premium),
        r_squared=r_squared,
        n_products=n_products,
        confidence_level=confidence_level,
        terms=pd.DataFrame(names, columns=["column", "level"]).assign(coefficient=coefficients),
        covariance=pd.DataFrame(covariance),
        levels={name: tuple(sorted(cells[name].unique())) for name in attributes},
    )


def going_rate(model: HedonicModel, *, bundle: Mapping[str, object]) -> Estimate:
    """Predicted price of a bundle of attributes at the average group.

    Parameters
    ----------
    model : HedonicModel
        From :func:`hedonic_prices`.
    bundle : mapping of str to value
        A level of every attribute of the model; rare levels are read as pooled.

    Returns
    -------
    Estimate
        In the unit of prices; the interval is that of the rate, not of one product's price.

    Raises
    ------
    ParameterError
        An attribute is missing, or no product had its level.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"brand": ["a", "b"] * 50, "attr_size": ["s", "s", "l", "l"] * 25})
    >>> table["price"] = np.where(table["attr_size"] == "l", 20.0, 10.0) * np.exp(rng.normal(0, 0.05, 100))
    >>> rate = going_rate(hedonic_prices(table, attributes=["attr_size"]), bundle={"attr_size": "l"})
    >>> bool(rate.lower < 20 < rate.upper), round(rate.value)
    (True, 20)
    """
    place = np.zeros(len(model.terms))
    place[0] = 1.0
    shares = model.groups.set_index("group")["n_products"] / model.n_products
    of_group = ~model.terms["column"].isin(["", *model.levels])
    place[of_group] = shares.reindex(model.terms.loc[of_group, "level"]).to_numpy()
    for name, known in model.levels.items():
        level = _known_level(name, known, bundle)
        place[(model.terms["column"] == name) & (model.terms["level"] == level)] = 1.0
    value = float(place @ model.terms["coefficient"])
    error = float(np.sqrt(max(place @ model.covariance.to_numpy() @ place, 0.0)))
    half = error * float(student.ppf(0.5 + model.confidence_level / 2, model.n_products - len(place)))
    return Estimate(
        value=float(np.exp(value)), lower=float(np.exp(value - half)), upper=float(np.exp(value + half)),
        n=model.n_products, unit="money", confidence_level=model.confidence_level, method="hedonic price of an average group, HC3",
        std_error=float(np.exp(value)) * error,
    )  # fmt: skip


def _known_level(name: str, known: tuple[str, ...], bundle: Mapping[str, object]) -> str:
    if name not in bundle:
        raise ParameterError(f"going rate: the bundle lacks '{name}'; give one of {', '.join(known[:12])}")
    value = bundle[name]
    level = "(none)" if value is None or value != value else str(value)
    if level not in known and OTHER not in known:
        raise ParameterError(f"going rate: no product has {name} = '{level}'; seen: {', '.join(known[:12])}")
    return level if level in known else OTHER


def _cells(products: Table, columns: list[str]) -> pd.DataFrame:
    """Products of equal attributes together: their number, and sums of log prices; rare levels pooled."""
    table = engine.as_table(products)
    require_table_columns(table, "price", *columns, name="products")
    priced = table.filter(table["price"] > 0).select(
        log_price=table["price"].cast("float64").ln(),
        **{name: table[name].cast("string").fill_null("(none)") for name in columns},
    )
    log = priced["log_price"]
    cells = engine.grouped(priced, columns, n=priced.count(), total=log.sum(), squares=(log * log).sum())
    for name in columns:
        sizes = cells.groupby(name)["n"].sum()
        cells[name] = cells[name].where(cells[name].map(sizes) >= MIN_PRODUCTS, OTHER)
    return cells.groupby(columns, as_index=False)[["n", "total", "squares"]].sum()


def _design(cells: pd.DataFrame, *, columns: Sequence[str]) -> tuple[np.ndarray, _Names]:
    """Indicator columns: a constant, and each level but an attribute's most common one."""
    names = [("", "")]
    for name in columns:
        sizes = cells.groupby(name)["n"].sum()
        names += [(name, str(level)) for level in sizes.index if level != sizes.idxmax()]
    indicators = [(cells[name] == level).to_numpy(dtype=float) for name, level in names[1:]]
    return np.column_stack([np.ones(len(cells)), *indicators]), names


def _fit(cells: pd.DataFrame, design: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Least squares on cells; HC3 covariance from each cell's sum of squared residuals."""
    n = cells["n"].to_numpy(dtype=float)
    total, squares = cells["total"].to_numpy(), cells["squares"].to_numpy()
    inverse = np.linalg.pinv(design.T @ (design * n[:, None]))
    coefficients = inverse @ (design.T @ total)
    fitted = design @ coefficients
    residual_squares = np.maximum(squares - 2 * fitted * total + n * fitted**2, 0)
    # Products of a cell share their leverage. One that fixes its own coefficient has leverage 1 and no residual.
    free = 1 - np.einsum("ij,jk,ik->i", design, inverse, design)
    weight = np.divide(residual_squares, free**2, out=np.zeros(len(free)), where=free > FIXED)
    meat = design.T @ (design * weight[:, None])
    spread = squares.sum() - total.sum() ** 2 / n.sum()
    r_squared = max(1 - residual_squares.sum() / spread, 0.0) if spread > 0 else 0.0  # rounding goes below
    return coefficients, inverse @ meat @ inverse, float(r_squared)


def _attribute_table(cells: pd.DataFrame, names: _Names, premium: _Premium) -> pd.DataFrame:
    rows = []
    for (name, level), contrast in zip(names, np.eye(len(names)), strict=True):
        if name not in ("", "brand"):
            n = int(cells.loc[cells[name] == level, "n"].sum())
            rows.append((name, level, n, *premium(contrast, n)))
    return pd.DataFrame(rows, columns=_ATTRIBUTES)


def _group_table(cells: pd.DataFrame, names: _Names, premium: _Premium) -> pd.DataFrame:
    """Premium of every group against the average product's group: the base group gets one too."""
    sums = cells.groupby("brand")[["n", "total"]].sum()
    own = {level: np.array([float(name == ("brand", level)) for name in names]) for level in sums.index}
    average = np.sum([own[level] * (n / sums["n"].sum()) for level, n in sums["n"].items()], axis=0)
    raw = np.expm1(sums["total"] / sums["n"] - cells["total"].sum() / cells["n"].sum())
    rows = [(level, int(n), raw[level], *premium(own[level] - average, n)) for level, n in sums["n"].items()]
    out = pd.DataFrame(rows, columns=_GROUPS)
    out["is_dear"], out["is_cheap"] = out["premium_share_lower"] > 0, out["premium_share_upper"] < 0
    return out.sort_values(["premium_share", "group"], ascending=[False, True], ignore_index=True)
