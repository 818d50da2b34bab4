"""What a ``shop.yml`` may say, checked before anything is read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from opslib.contracts import CONTRACTS, TableContract
from opslib.errors import ShopFileError, SourceError, nearest

_VARIABLE = re.compile(r"\$\{(\w+)(?::-(.*?))?\}")
_HIDDEN = ("engine",)
#: Product of an order whose lines an export does not tell.
NOT_KNOWN = "not known"


def _require_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("is not a time zone; write an IANA name such as Europe/London") from None
    return name


Zone = Annotated[str, AfterValidator(_require_zone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ColumnSource(_Strict):
    """Where one of our columns comes from: a column of the file, a fixed value, or the row's number."""

    source: str | None = Field(
        default=None, validation_alias=AliasChoices("from", "source"), description="name of the column in the file"
    )
    value: str | None = Field(default=None, description="the same text in every row")
    row: bool = Field(default=False, description="the row's number within all files, for files without an id")
    date_format: str | None = Field(default=None, description="strptime format of this column")
    values: dict[str, str] = Field(default_factory=dict, description="theirs: ours, for coded values")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A text alone is the name of a column."""
        return {"from": value} if isinstance(value, str) else value


class TableSource(_Strict):
    """Where one table comes from, and which of its columns is which of ours."""

    files: str | list[str] | None = Field(default=None, description="file names; * and ** stand for many")
    table: str | None = Field(default=None, description="schema.name in the engine's database")
    columns: dict[str, ColumnSource] = Field(default_factory=dict, description="ours: theirs")
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    date_format: str | None = Field(default=None, description="strptime format of every time in the file")
    time_zone: Zone | None = Field(default=None, description="zone of the file's times, if not the shop's")
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = Field(default=None, description="sheet of an xlsx file; the first unless named")
    keep: dict[str, list[str]] = Field(default_factory=dict, description="rows to keep: column: allowed values")
    first_of: str | None = Field(default=None, description="keep only the first row of each value of this column")
    unpivot: list[str] = Field(default_factory=list, description="columns that become rows of metric and value")

    def mapped(
        self, contract: TableContract, found: Sequence[str], *, where: str, has_derived: bool = False
    ) -> dict[str, ColumnSource]:
        """The column map, checked against the columns that were found; without a map those that carry our names.

        Parameters
        ----------
        contract : TableContract
            Of the table.
        found : sequence of str
            Columns of the source.
        where : str
            What the source is, for errors: "the file orders.csv".
        has_derived : bool
            Whether derived columns that are there are taken as they are.

        Returns
        -------
        dict of str to ColumnSource

        Raises
        ------
        SourceError
            A column is not there, is required and not in the map, or comes from nowhere.
        """
        names = {*contract.schema} if has_derived else set()
        columns = self.columns or {
            name: ColumnSource(source=name) for name in found if contract.allows(name) or name in names
        }
        if contract.name == "order_lines" and self.columns and not {"product_id", "quantity", "line_id"} & set(columns):
            # A list of orders without their lines: one line an order, of goods that are not known.
            columns = {
                **columns,
                "product_id": ColumnSource(value=NOT_KNOWN),
                "quantity": ColumnSource(value="1"),
                "line_id": ColumnSource(value="1"),
            }
        for ours, theirs in columns.items():
            if theirs.source is not None and theirs.source not in found:
                raise SourceError(
                    f"{contract.name}.{ours}: {where} has no column '{theirs.source}'; {nearest(theirs.source, found)}"
                )
            if theirs.source is None and theirs.value is None and not theirs.row:
                raise SourceError(
                    f"{contract.name}.{ours}: say where it comes from: 'from: COLUMN', 'value: TEXT' or 'row: true'"
                )
        missing = next((name for name in contract.required if name not in columns), None)
        if missing:
            raise SourceError(
                f"{contract.name}: column '{missing}' is required ({contract.column(missing).meaning}) and not in the map of "
                f"{where}; map it to one of: {', '.join(found)}"
            )
        return columns


class Simulation(_Strict):
    """Which simulated shop to make."""

    preset: str = "demo"
    seed: int = 1


class BaseRate(_Strict):
    """Spread of relative effects that a shop expects before it looks: of the whole shop, and of one step, page or place."""

    shop_wide_sd: float = Field(gt=0, le=1)
    local_sd: float = Field(gt=0, le=1)


class ShopFile(_Strict):
    """Everything that a ``shop.yml`` may say."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    time_zone: Zone = "UTC"
    simulated: bool = False
    prices_include_tax: bool | None = Field(
        default=None, description="whether prices carry tax; as without it unless said"
    )
    tax_rate: float | dict[Literal["country", "product_id"], dict[str, float]] | None = Field(
        default=None, description="0.19, or by country or product: {country: {DE: 0.19, other: 0.2}}"
    )
    week_start: Literal["monday", "sunday"] = "monday"
    engine: str = "duckdb://"
    memory_limit: str = Field(default="4GB", pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB)$")
    adapter: str | None = None
    files: str | list[str] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    tables: dict[str, TableSource] = Field(default_factory=dict)
    closed: list[str | date] = Field(default_factory=list)
    watermark: str | None = None
    metrics: dict[str, Any] = Field(default_factory=dict)
    departments: list[str] = Field(default_factory=list)
    simulate: Simulation | None = None
    base_rate: BaseRate | None = None

    @property
    def rules(self) -> dict[str, Any]:
        """What decides the derived columns: ``time_zone``, ``prices_include_tax`` and ``tax_rate``."""
        return {name: getattr(self, name) for name in ("time_zone", "prices_include_tax", "tax_rate")}

    @field_validator("tax_rate")
    @classmethod
    def _tax_rate(cls, value: Any) -> Any:
        rates = [rate for each in value.values() for rate in each.values()] if isinstance(value, dict) else [value]
        if isinstance(value, dict) and len(value) != 1:
            raise ValueError("takes rates by one column: country or product_id")
        if any(rate is not None and not 0 <= rate < 1 for rate in rates):
            raise ValueError("is a share: write 0.19 for 19 %")
        return value

    @field_validator("tables")
    @classmethod
    def _tables(cls, value: dict[str, TableSource]) -> dict[str, TableSource]:
        for name, source in value.items():
            if name not in CONTRACTS:
                raise ValueError(f"there is no table '{name}'; {nearest(name, CONTRACTS)}")
            contract = CONTRACTS[name]
            for column in source.columns:
                if not contract.allows(column):
                    raise ValueError(f"table {name} has no column '{column}'; {nearest(column, contract.names)}")
            if (source.files is None) == (source.table is None):
                raise ValueError(f"table {name} needs either files: or table:")
        return value

    @field_validator("closed")
    @classmethod
    def _closed(cls, value: list[str | date]) -> list[str | date]:
        closed_days(value)
        return value


def closed_days(entries: list[str | date]) -> frozenset[date]:
    """Days that the shop says it was closed on.

    Examples
    --------
    >>> len(closed_days(["2010-12-24..2011-01-03", "2011-04-22"]))
    12
    """
    days: set[date] = set()
    for entry in entries:
        first, _, last = str(entry).partition("..")
        try:
            start, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
        except ValueError:
            raise ValueError(f"'{entry}' is no day; write 2010-12-25 or 2010-12-24..2011-01-03") from None
        days |= {start + timedelta(days=n) for n in range((end - start).days + 1)}
    return frozenset(days)


def read_shop_file(path: Path) -> ShopFile:
    """Read and check a ``shop.yml``.

    Parameters
    ----------
    path : Path
        The file; ``${NAME}`` and ``${NAME:-default}`` in it are taken from the environment.

    Returns
    -------
    ShopFile

    Raises
    ------
    ShopFileError
        Naming file, key, value and what is allowed. The engine's address is never repeated.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ShopFileError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ShopFileError(f"{path}: {where}is not YAML; check indentation and quotes near there") from None
    if not isinstance(raw, dict):
        raise ShopFileError(f"{path}: is empty or no list of key: value pairs; it needs name, title and currency")
    expanded = _expand(raw, path=path, key="")
    try:
        return ShopFile.model_validate(expanded)
    except ValidationError as error:
        raise ShopFileError("\n".join(_explain(item, path=path, raw=raw) for item in error.errors())) from None


def _expand(value: Any, *, path: Path, key: str) -> Any:
    """Put environment variables in."""
    if isinstance(value, dict):
        return {k: _expand(v, path=path, key=f"{key}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, path=path, key=key) for v in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name, default = match.groups()
        found = os.environ.get(name, default)
        if found is None:
            raise ShopFileError(
                f"{path}: {key}: the environment variable {name} is not set; export it, or write ${{{name}:-default}}"
            )
        return found

    return _VARIABLE.sub(fill, value)


def _explain(item: Any, *, path: Path, raw: dict[str, Any]) -> str:
    """One sentence for one thing that is wrong."""
    location = [str(part) for part in item["loc"] if str(part) not in ("str", "ColumnSource", "list[str]", "date")]
    key = ".".join(location)
    value: Any = raw
    for part in location:
        value = value.get(part) if isinstance(value, dict) else value
    shown = "" if location[0] in _HIDDEN or isinstance(value, (dict, list)) else f"'{value}' "
    if item["type"] == "extra_forbidden":
        model: type[BaseModel] = ShopFile
        if location[0] == "tables":
            model = TableSource if len(location) < 5 else ColumnSource
        elif location[0] in ("simulate", "base_rate"):
            model = Simulation if location[0] == "simulate" else BaseRate
        return f"{path}: {key}: no such key; {nearest(location[-1], ['from' if n == 'source' else n for n in model.model_fields])}"
    if item["type"] == "missing":
        return f"{path}: {key}: is missing; add a line '{location[-1]}: ...'"
    if key == "currency":
        return f"{path}: currency: {shown}is not allowed; write three capital letters such as EUR, GBP or USD"
    if key == "name":
        return f"{path}: name: {shown}is not allowed; use lower-case letters, digits, _ and -"
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{path}: {key}: {shown}{message}"
