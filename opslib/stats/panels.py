"""A panel of units over periods as matrices: who was treated from when, and on which scale changes are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from opslib.errors import DesignError, ParameterError
from opslib.stats.named_columns import panel_frame

Scale = Literal["relative", "absolute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Units x periods, sorted, with cohorts of units that start together.

    Attributes
    ----------
    units : ndarray, shape (n_units,)
        Unit names, sorted.
    periods : ndarray, shape (n_periods,)
        Periods, sorted.
    values : ndarray, shape (n_units, n_periods)
        Values, NaN where there is no row.
    starts : ndarray of int, shape (n_cohorts,)
        Position of each cohort's first treated period.
    cohort : ndarray of int, shape (n_units,)
        Cohort of each unit, -1 = never treated.
    treated_from : ndarray, shape (n_units,)
        First treated period as given, missing = never.
    scale : {"relative", "absolute"}
        Whether changes are taken in logs.
    """

    units: np.ndarray
    periods: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    cohort: np.ndarray
    treated_from: np.ndarray
    scale: Scale

    @classmethod
    def of(cls, table: object, *, scale: Scale) -> Panel:
        """Read ``unit``, ``period``, ``value``, ``treated_from`` from a table.

        Examples
        --------
        >>> import pandas as pd
        >>> rows = {"unit": ["a", "a", "b", "b"], "period": [1, 2, 1, 2], "value": [1.0, 2.0, 3.0, 4.0],
        ...         "treated_from": [2, 2, None, None]}
        >>> panel = Panel.of(pd.DataFrame(rows), scale="absolute")
        >>> panel.values.tolist(), panel.starts.tolist(), panel.cohort.tolist()
        ([[1.0, 2.0], [3.0, 4.0]], [1], [0, -1])
        """
        if scale not in ("relative", "absolute"):
            raise ParameterError(f"scale: '{scale}'; allowed: relative, absolute")
        frame = panel_frame(table, columns=("value", "treated_from"))
        if not pd.api.types.is_numeric_dtype(frame["period"]):
            frame["period"] = pd.to_datetime(frame["period"])
            frame["treated_from"] = pd.to_datetime(frame["treated_from"])
        begun = frame[["unit", "treated_from"]].drop_duplicates()
        if begun["unit"].duplicated().any():
            unit = begun.loc[begun["unit"].duplicated(), "unit"].iloc[0]
            raise ParameterError(f"panel: unit {unit} has more than one treated_from; allowed: one, or null for never")
        wide = frame.pivot_table(index="unit", columns="period", values="value", dropna=False, sort=True)
        treated_from = begun.set_index("unit")["treated_from"].reindex(wide.index)
        periods = wide.columns.to_numpy()
        begins = np.full(len(wide), len(periods))
        ever = treated_from.notna().to_numpy()
        begins[ever] = np.searchsorted(periods, treated_from[ever].to_numpy(dtype=periods.dtype))
        starts = np.unique(begins[begins < len(periods)])
        if len(starts) == 0 or starts.min() == 0:
            raise DesignError(
                "units",
                "no unit has periods both before and under treatment; needed: treated_from "
                f"after {periods[0]} and not later than {periods[-1]}, null for never treated",
            )
        cohort = np.where(begins < len(periods), np.searchsorted(starts, begins), -1)
        return cls(
            units=wide.index.to_numpy(),
            periods=periods,
            values=wide.to_numpy(float),
            starts=starts,
            cohort=cohort,
            treated_from=treated_from.to_numpy(),
            scale=scale,
        )

    @property
    def exposure(self) -> np.ndarray:
        """1.0 where a unit is under treatment, else 0.0; shape (n_units, n_periods)."""
        begins = np.append(self.starts, len(self.periods))[self.cohort]
        return (np.arange(len(self.periods)) >= begins[:, None]).astype(float)

    @property
    def effect_unit(self) -> str:
        """Unit of an effect."""
        return "share" if self.scale == "relative" else "value"

    def on_scale(self, values: np.ndarray) -> np.ndarray:
        """Logs where relative (NaN where not positive), the values themselves otherwise."""
        if self.scale == "absolute":
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log(np.where(values > 0, values, 1.0)), np.nan)

    def to_effect(self, change: float) -> float:
        """A change on the fit's scale as an effect: a share where relative."""
        return float(np.expm1(change)) if self.scale == "relative" else float(change)
