"""Quality-adjusted price: the going rate of attributes, and who is dear for what it offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from opslib import engine
from opslib.errors import ParameterError
from opslib.metrics.blocks import Table, require_columns
from opslib.stats.estimates import Estimate

#: Products that an attribute's level or a group needs before it gets a coefficient of its own; rarer ones are pooled.
MIN_PRODUCTS = 10
OTHER = "(other)"
FIXED = 1e-8
"""One less a leverage at or below which a product decides its own fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HedonicModel:
    """Log-price regression on attributes, with one premium a group.

    Parameters
    ----------
    attributes : pandas.DataFrame
        attribute, level, n_products, premium_share, lower, upper: price against the attribute's most common level,
        everything else equal (0.10 = ten per cent dearer).
    groups : pandas.DataFrame
        group, n_products, raw_share (mean price against the average, unadjusted), premium_share, lower, upper
        (adjusted for attributes, against the average group), is_dear, is_cheap (interval clear of zero, each group on
        its own: no correction for their number). Fewer than ten products, left over by pooling: no interval.
    r_squared : float
        Share of the variance of log prices that the model explains (0-1).
    n_products : int
        Products used.
    level : float
        Level of the intervals.
    terms : pandas.DataFrame
        column, level, coefficient on log price (the first is the constant), for the going rate of any bundle.
    covariance : pandas.DataFrame
        Of the coefficients, in the order of ``terms``.
    levels : dict of str to tuple of str
        Levels of each attribute that the model knows, rare ones pooled.
    """

    attributes: pd.DataFrame
    groups: pd.DataFrame
    r_squared: float
    n_products: int
    level: float
    terms: pd.DataFrame
    covariance: pd.DataFrame
    levels: dict[str, tuple[str, ...]]


def attribute_columns(products: Table) -> list[str]:
    """Columns of products that are attributes: ``attr_`` and more.

    Examples
    --------
    >>> attribute_columns(pd.DataFrame(columns=["product_id", "attr_size"]))
    ['attr_size']
    """
    return [name for name in engine.as_table(products).columns if name.startswith("attr_")]


def hedonic_prices(
    products: Table, *, attributes: Sequence[str], by: str = "brand", level: float = 0.95
) -> HedonicModel:
    """Fit the going rate of attributes and each group's premium over it.

    Parameters
    ----------
    products : table
        price, the column ``by``, and the attributes (text or few-valued).
    attributes : sequence of str
        Columns that a buyer pays for (``category``, ``attr_material``, ...).
    by : str
        Column whose premium is wanted (brand, supplier).
    level : float
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
    cells = _cells(products, [*attributes, by])
    n_products = int(cells["n"].sum())
    if not n_products:
        return _no_model(n_products=0, level=level)
    design, names = _design(cells, attributes=attributes, by=by)
    if n_products < design.shape[1] + 10:
        return _no_model(n_products=n_products, level=level)
    coefficients, covariance, r_squared = _fit(cells, design)
    freedom = n_products - design.shape[1]
    quantile = float(student.ppf(0.5 + level / 2, freedom))
    return HedonicModel(
        attributes=_attribute_table(cells, names, coefficients, covariance, quantile, attributes=attributes),
        groups=_group_table(cells, names, coefficients, covariance, quantile, by=by),
        r_squared=r_squared,
        n_products=n_products,
        level=level,
        terms=pd.DataFrame(names, columns=["column", "level"]).assign(coefficient=coefficients),
        covariance=pd.DataFrame(covariance),
        levels={name: tuple(sorted(cells[name].unique())) for name in attributes},
    )


def _no_model(*, n_products: int, level: float) -> HedonicModel:
    """What is said where too few products have a price."""
    groups = ["group", "n_products", "raw_share", "premium_share", "lower", "upper", "is_dear", "is_cheap"]
    attributes = ["attribute", "level", "n_products", "premium_share", "lower", "upper"]
    return HedonicModel(
        attributes=pd.DataFrame(columns=attributes), groups=pd.DataFrame(columns=groups), r_squared=float("nan"),
        n_products=n_products, level=level, terms=pd.DataFrame(columns=["column", "level", "coefficient"]),
        covariance=pd.DataFrame(), levels={},
    )  # fmt: skip


def going_rate(model: HedonicModel, *, bundle: Mapping[str, object]) -> Estimate:
    """Price that an average group asks for a bundle of attributes.

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
    half = error * float(student.ppf(0.5 + model.level / 2, model.n_products - len(place)))
    return Estimate(
        value=float(np.exp(value)), lower=float(np.exp(value - half)), upper=float(np.exp(value + half)),
        n=model.n_products, unit="money", level=model.level, method="hedonic price of an average group, HC3",
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
    require_columns(table, "price", *columns, name="products")
    priced = table.filter(table["price"] > 0).select(
        log_price=table["price"].cast("float64").ln(),
        **{name: table[name].cast("string").fill_null("(none)") for name in columns},
    )
    cells = engine.collect(
        priced.group_by(columns)
        .aggregate(
            n=lambda t: t.count(),
            total=lambda t: t["log_price"].sum(),
            squares=lambda t: (t["log_price"] * t["log_price"]).sum(),
        )
        .order_by(columns)
    )
    for name in columns:
        sizes = cells.groupby(name)["n"].sum()
        cells[name] = cells[name].where(cells[name].map(sizes) >= MIN_PRODUCTS, OTHER)
    return cells.groupby(columns, as_index=False)[["n", "total", "squares"]].sum()


def _design(cells: pd.DataFrame, *, attributes: Sequence[str], by: str) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Indicator columns: a constant, and each level but an attribute's most common one."""
    columns, names = [np.ones(len(cells))], [("", "")]
    for name in [*attributes, by]:
        sizes = cells.groupby(name)["n"].sum()
        base = sizes.sort_index().idxmax()
        for level in sizes.index:
            if level != base:
                columns.append((cells[name] == level).to_numpy(dtype=float))
                names.append((name, str(level)))
    return np.column_stack(columns), names


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
    r_squared = 1 - residual_squares.sum() / spread if spread > 0 else 0.0
    return coefficients, inverse @ meat @ inverse, float(r_squared)


def _attribute_table(
    cells: pd.DataFrame,
    names: list[tuple[str, str]],
    coefficients: np.ndarray,
    covariance: np.ndarray,
    quantile: float,
    *,
    attributes: Sequence[str],
) -> pd.DataFrame:
    rows = []
    for place, (name, level) in enumerate(names):
        if name in attributes:
            n = int(cells.loc[cells[name] == level, "n"].sum())
            half = quantile * np.sqrt(covariance[place, place]) if n >= MIN_PRODUCTS else np.nan
            ends = np.expm1([coefficients[place], coefficients[place] - half, coefficients[place] + half])
            rows.append((name, level, n, *ends))
    return pd.DataFrame(rows, columns=["attribute", "level", "n_products", "premium_share", "lower", "upper"])


def _group_table(
    cells: pd.DataFrame,
    names: list[tuple[str, str]],
    coefficients: np.ndarray,
    covariance: np.ndarray,
    quantile: float,
    *,
    by: str,
) -> pd.DataFrame:
    """Premium of every group against the average product's group: the base group gets one too."""
    sizes = cells.groupby(by)["n"].sum()
    places = {level: place for place, (name, level) in enumerate(names) if name == by}
    average = np.zeros(len(names))
    for level, place in places.items():
        average[place] = sizes[level] / sizes.sum()
    mean_log = cells["total"].sum() / cells["n"].sum()
    rows = []
    for level, n in sizes.items():
        contrast = -average
        if level in places:
            contrast = contrast + np.eye(len(names))[places[level]]
        value = float(contrast @ coefficients)
        half = quantile * float(np.sqrt(max(contrast @ covariance @ contrast, 0))) if n >= MIN_PRODUCTS else np.nan
        raw = cells.loc[cells[by] == level, "total"].sum() / n - mean_log
        rows.append((level, int(n), np.expm1(raw), np.expm1(value), np.expm1(value - half), np.expm1(value + half)))
    out = pd.DataFrame(rows, columns=["group", "n_products", "raw_share", "premium_share", "lower", "upper"])
    out["is_dear"], out["is_cheap"] = out["lower"] > 0, out["upper"] < 0
    return out.sort_values(["premium_share", "group"], ascending=[False, True], ignore_index=True)
