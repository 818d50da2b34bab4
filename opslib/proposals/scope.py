"""Scope of a claim: typed conditions on columns of the contracts, as data and never as code."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from opslib.contracts import CONTRACTS
from opslib.errors import nearest
from opslib.metrics import Filter as Condition

ScopeOperator = Literal["eq", "ne", "ge", "gt", "le", "lt", "in", "not_in", "between"]
Scalar = bool | int | float | date | str

_ISO = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d)")
_LISTS = ("in", "not_in", "between")
#: Operators of a file, and those of the metrics; ``between`` is two of the latter.
_SYMBOLS = {"eq": "=", "ne": "!=", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "in": "in", "not_in": "not in"}
_KIND_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "date": (date,), "timestamp": (date,),
    "integer": (int,), "quantity": (int, float), "money": (int, float), "number": (int, float),
}  # fmt: skip


class Part(BaseModel):
    """Base of every part of a proposal: strict, frozen, no field beyond those declared."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ScopeFilter(Part):
    """One typed condition on a column of a contract; never evaluated as code.

    Examples
    --------
    >>> ScopeFilter(column="sessions.device", op="eq", value="phone").table
    'sessions'
    """

    column: Annotated[str, Field(description="table.column of a contract")]
    op: ScopeOperator = "eq"
    value: Scalar | tuple[Scalar, ...]

    @property
    def table(self) -> str:
        """Name of the filtered table."""
        return self.column.partition(".")[0]

    @property
    def name(self) -> str:
        """Name of the filtered column."""
        return self.column.partition(".")[2]

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The value or values."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The filter as the metrics read it; ``between`` becomes two."""
        if self.op == "between":
            return tuple(Condition(self.name, op, end) for op, end in zip((">=", "<="), self.values, strict=True))
        return (Condition(self.name, _SYMBOLS[self.op], self.value),)

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: Any) -> Any:
        """Lists become tuples; ISO text becomes a date where the column holds dates (JSON has none)."""
        if not isinstance(data, dict) or "value" not in data:
            return data
        value = data["value"]
        items = [
            _dated(str(data.get("column", "")), item)
            for item in (value if isinstance(value, (list, tuple)) else [value])
        ]
        return {**data, "value": tuple(items) if isinstance(value, (list, tuple)) else items[0]}

    @model_validator(mode="after")
    def _fits_contract(self) -> ScopeFilter:
        kind = column_kind(self.table, self.name)
        if isinstance(self.value, tuple) != (self.op in _LISTS):
            raise ValueError(f"op '{self.op}' needs {'a list' if self.op in _LISTS else 'one value'}")
        if self.op == "between" and len(self.values) != 2:
            raise ValueError("op 'between' needs a list of two values")
        if not self.values:
            raise ValueError(f"op '{self.op}' needs at least one value")
        allowed = _KIND_TYPES.get(kind, (str, int, float, bool))
        for value in self.values:
            if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
                raise ValueError(f"{self.column} holds {kind or 'text or numbers'}, not {value!r}")
        return self


def _dated(column: str, value: Any) -> Any:
    """ISO text as a date where a column holds dates; anything else as it is, for the type check to name."""
    table, _, name = column.partition(".")
    if not isinstance(value, str) or table not in CONTRACTS or name not in CONTRACTS[table].names:
        return value
    is_date = CONTRACTS[table].column(name).kind in ("date", "timestamp") and _ISO.fullmatch(value)
    return date.fromisoformat(value) if is_date else value


def column_kind(table: str, column: str) -> str:
    """Kind of a contract column, empty for a typed attribute; raises ValueError for an unknown name."""
    if table not in CONTRACTS:
        raise ValueError(f"no table '{table}'; write table.column; {nearest(table, CONTRACTS)}")
    contract = CONTRACTS[table]
    if column in contract.names:
        return contract.column(column).kind
    if any(column.startswith(prefix) for prefix in contract.prefixes):
        return ""
    raise ValueError(f"no column '{column}' in {table}; {nearest(column, contract.names)}")


Scope = Annotated[tuple[ScopeFilter, ...], Field(strict=False)]


def where_of(scope: Scope) -> tuple[Condition, ...]:
    """A claim's scope as the metrics read it.

    Examples
    --------
    >>> [(c.operator, c.value) for c in where_of((ScopeFilter(column="order_lines.quantity", op="between", value=(1, 5)),))]
    [('>=', 1), ('<=', 5)]
    """
    return tuple(condition for item in scope for condition in item.conditions)
