"""What a ``shop.yml`` may say, checked before anything is read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
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
#: What a draft writes where a column must still be named.
TO_ANSWER = ("WHICH_COLUMN", "UNIT_PRICE_OR_LINE_AMOUNT")
#: Parts of pydantic's locations that are kinds of values, not keys.
_KINDS = ("str", "ColumnSource", "list[str]", "date", "dict[str,union[str,list[str]]]")


def _require_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("is not a time zone; write an IANA name such as Europe/London") from None
    return name


def _require_monday(day: str) -> str:
    if day != "monday":
        raise ValueError("is not built: weeks begin on Monday on every page; leave the line out")
    return day


Zone = Annotated[str, AfterValidator(_require_zone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


_EPOCHS = ("iso", "epoch", "epoch_ms", "epoch_us")


def _require_year(form: str) -> str:
    if form not in _EPOCHS and not re.search(r"%[YyGcx]", form):
        raise ValueError('names no year; write %Y (2026) or %y (26), e.g. "%d.%m.%Y"')
    return form


DateFormat = Annotated[str, AfterValidator(_require_year)]


class ColumnSource(_Strict):
    """Where one of our columns comes from: columns of the file, a fixed value, or the row's number."""

    source: str | list[str] | None = Field(
        default=None,
        validation_alias=AliasChoices("from", "source"),
        description="column of the file; several are joined",
    )
    value: str | None = Field(default=None, description="the same text in every row")
    row: bool = Field(default=False, description="the row's number within all files, for files without an id")
    date_format: DateFormat | None = Field(default=None, description="strptime format of this column")
    values: dict[str, str] = Field(default_factory=dict, description="theirs: ours, for coded values in any case")
    rate: Literal["percent", "share"] | None = Field(
        default=None, description="of discount_amount: the column holds a part of the line's value, not money"
    )
    after_discount: bool | None = Field(default=None, description="of line_amount: whether the discount is off already")

    @property
    def sources(self) -> list[str]:
        """Names of the columns in the file."""
        return [self.source] if isinstance(self.source, str) else list(self.source or ())

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A text alone is the name of a column, a list of texts the names of several."""
        return {"from": value} if isinstance(value, str | list) else value


class Dialect(_Strict):
    """How files are written: at the top of ``shop.yml`` of all of them, under a table of its own."""

    encoding: str | None = None
    delimiter: str | None = None
    quoting: Literal["double", "none"] | None = Field(default=None, description="none: quotes are text like any other")
    skip_rows: int = Field(default=0, ge=0, description="lines above the header")
    sheet: str | None = Field(
        default=None, description="sheet of an xlsx file; the first that is not hidden unless named"
    )
    hive: bool = Field(default=False, description="folder names key=value are columns")
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    date_format: DateFormat | None = Field(default=None, description="strptime format of every time in the files")
    not_missing: list[str] = Field(default_factory=list, description="words such as NULL that are values here")
    statuses: dict[str, str] = Field(
        default_factory=dict, description="theirs: ours, of an order's status, in any case"
    )

    def over(self, below: Dialect) -> Dialect:
        """What is said here, and where nothing is said what is said below."""
        said = {
            name: getattr(of, name)
            for of in (below, self)
            for name in Dialect.model_fields
            if name in of.model_fields_set
        }
        return Dialect.model_construct(_fields_set=set(said), **{**Dialect().__dict__, **said})


class Reconcile(_Strict):
    """One number of the raw files that must come back in the table."""

    source: str = Field(description="SELECT of one number from the raw files")
    table: str = Field(description="rows, orders, units, revenue, or a column whose sum it is")


class TableSource(Dialect):
    """Where one table comes from, and which of its columns is which of ours."""

    files: str | list[str] | dict[str, str | list[str]] | None = Field(
        default=None, description="file names; * and ** stand for many; with sql: the name of each raw table"
    )
    sql: str | None = Field(default=None, description="file with one SELECT that makes the table from the raw files")
    reconcile: list[Reconcile] = Field(default_factory=list, description="what must agree with the raw files")
    table: str | None = Field(default=None, description="schema.name in the engine's database")
    columns: dict[str, ColumnSource] = Field(default_factory=dict, description="ours: theirs")
    time_zone: Zone | None = Field(default=None, description="zone of the file's times, if not the shop's")
    currency: str | None = Field(default=None, description="column that names the currency of each row")
    rates: dict[str, Decimal] = Field(
        default_factory=dict, description="currency: what one unit of it is worth in the shop's"
    )
    where: str | None = Field(default=None, description="rows that belong here: COLUMN < VALUE, several with 'and'")
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
            lost = next((name for name in theirs.sources if name not in found), None)
            if lost in TO_ANSWER:
                raise SourceError(f"{contract.name}.{ours}: '{lost}' waits for an answer; {nearest('', found)}")
            if lost is not None:
                raise SourceError(f"{contract.name}.{ours}: {where} has no column '{lost}'; {nearest(lost, found)}")
            if theirs.source is None and theirs.value is None and not theirs.row:
                raise SourceError(
                    f"{contract.name}.{ours}: say where it comes from: 'from: COLUMN', 'value: TEXT' or 'row: true'"
                )
        given = {*columns, *({"unit_price"} if "line_amount" in columns else ())}
        missing = next((name for name in contract.required if name not in given), None)
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


class ShopFile(Dialect):
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
    week_start: Annotated[str, AfterValidator(_require_monday)] = "monday"
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
                if not contract.allows(column) and not (name == "order_lines" and column == "line_amount"):
                    raise ValueError(f"table {name} has no column '{column}'; {nearest(column, contract.names)}")
            if (source.files is None) == (source.table is None):
                raise ValueError(f"table {name} needs either files: or table:")
            _require_sense(name, source)
        return value

    @field_validator("closed")
    @classmethod
    def _closed(cls, value: list[str | date]) -> list[str | date]:
        closed_days(value)
        return value


#: Keys that say how a column map reads; a table made by SQL, or one of a database, has no use for them.
_MAP_KEYS = ("columns", "keep", "first_of", "unpivot", "where", "currency", "rates")


def _require_sense(name: str, source: TableSource) -> None:
    """Refuse what contradicts itself, and keys that would have no effect."""
    said, columns = source.model_fields_set, source.columns
    if (source.sql is not None) != isinstance(source.files, dict):
        raise ValueError(
            f"table {name}: sql: reads named files; write both, e.g. 'sql: {name}.sql' and 'files: {{orders: orders.csv}}'"
        )
    if source.reconcile and source.sql is None:
        raise ValueError(f"table {name}: reconcile: has an effect only with sql:")
    idle = [key for key in _MAP_KEYS if key in said] if source.sql else []
    if source.table is not None:
        idle = [key for key in (*_MAP_KEYS[1:], *Dialect.model_fields) if key in said]
    if idle:
        way = "the SELECT" if source.sql else "a view of the database"
        raise ValueError(f"table {name}: {', '.join(idle)}: no effect here; say it in {way}, and leave the key out")
    for ours, column in columns.items():
        if column.rate and ours != "discount_amount":
            raise ValueError(f"table {name}.{ours}: rate: is for discount_amount only")
        if column.after_discount is not None and ours != "line_amount":
            raise ValueError(f"table {name}.{ours}: after_discount: is for line_amount only")
    if "line_amount" in columns:
        if "unit_price" in columns:
            raise ValueError(f"table {name}: map either unit_price or line_amount (the total of the line), not both")
        if "discount_amount" in columns and columns["line_amount"].after_discount is None:
            raise ValueError(
                f"table {name}.line_amount: is the discount off already? write line_amount: {{from: ..., after_discount: true}}, or false"
            )
    if source.rates and not source.currency:
        raise ValueError(f"table {name}: rates: needs currency: (the column that names each row's currency)")


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
    location = [str(part) for part in item["loc"] if str(part) not in _KINDS]
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
