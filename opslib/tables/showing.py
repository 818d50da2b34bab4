"""A small table as a value: what is shown, what is folded away, which row matters."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from html import escape
from typing import Any

import pandas as pd

from opslib.errors import ParameterError
from opslib.privacy import IDENTITY_COLUMNS, SUPPRESSED
from opslib.suppression import UNSAID, Said, suppressed
from opslib.tables.cell_text import NUMERIC, WITHHELD_TEXT, CellText, Head, ends_of, format_column, format_of, head_of

LONGEST_WHOLE = 25
"""Rows up to which a table stands whole."""
LONG_TEXT = 24
"""A text of more letters is given room: in a table wider than its page it would stand in a column of single words."""
MAX_PAGE_ROWS, MAX_TABLE_ROWS = 500, 10_000
"""Rows that a page carries, and the file beside it; a longer table should have been aggregated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table ready to show.

    Parameters
    ----------
    title : str
        Caption; empty for none.
    heads : tuple of Head
        One a column.
    rows : tuple of tuple of CellText
        Formatted cells, not yet escaped.
    marked : tuple of bool
        Which rows are the interesting ones.
    notes : tuple of str
        Sentences below.
    max_rows : int
        Rows that stand whole; a longer table shows its first ten, and all when asked. 0 folds the table.
    has_total : bool
        Whether the last row holds the sums of the others.
    """

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[CellText, ...], ...]
    marked: tuple[bool, ...]
    notes: tuple[str, ...]
    max_rows: int
    has_total: bool = False

    def __repr__(self) -> str:
        return to_text(self)


def show(
    frame: pd.DataFrame | Sequence[Any],
    *,
    title: str,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    currency: str | None = None,
    highlight: str | None = None,
    notes: Sequence[str] = (),
    max_rows: int = LONGEST_WHOLE,
    total: Sequence[str] = (),
    people: Said = UNSAID,
) -> Table:
    """A frame as a table for people: names become heads with units, numbers get equal decimals.

    The kind of a column follows from its name: ``n_`` count, ``_share`` and ``_rate`` per cent, ``_change`` signed per
    cent, ``_amount`` and ``_price`` money, ``_days``, ``is_`` yes or no. Columns ``x_lower`` and ``x_upper`` become the
    interval behind ``x``; with a column ``unit``, each row's numbers are written in its own unit.

    Parameters
    ----------
    frame : DataFrame or sequence of dataclasses
        One row a line of the table, or findings.
    title : str
        Caption: what the table says.
    columns : mapping, sequence or None
        Columns to show in order, as name -> head, or names alone; all unless given.
    currency : str or None
        ISO code for money columns.
    highlight : str or None
        Column that says which rows are interesting, not shown itself.
    notes : sequence of str
        Sentences below the table.
    max_rows : int
        Rows that stand whole; of a longer table the first ten, with a search over the first 500 and all as CSV beside
        the page. 0 folds all.
    total : sequence of str
        Columns whose parts add up: a last row holds their sums, of what is withheld too.
    people : People, None or UNSAID
        Counts by group; None: rows are not people; not said: what the frame carries (`suppression.counted`).

    Returns
    -------
    Table
        Groups of too few people are withheld. Shows itself as nothing where the frame has no rows.

    Raises
    ------
    ParameterError
        If a column is not there, or names a person or an order; in a batch, if nobody says whether rows are people.

    Examples
    --------
    >>> sizes = pd.DataFrame({"segment": ["Loyal", "New"], "n_customers": [1200, 90], "revenue_share": [0.62, 0.05]})
    >>> print(show(sizes, title="Loyal customers bring most of the revenue"))
    Loyal customers bring most of the revenue
    Segment  Customers  Revenue share (%)
    Loyal        1,200               62.0
    New             90                5.0
    """
    if backend := sys.modules.get("matplotlib_inline.backend_inline"):
        backend.flush_figures()  # a notebook shows figures at the end of a cell: one drawn before a table stands before it
    whole = _as_frame(frame)
    frame = suppressed(whole, people, of=f"tables.show '{title}'")
    if total and len(frame) > 1:
        frame = _with_total(frame, whole[list(total)].sum())
    labels, refused = _labels(frame, columns, highlight)
    notes = [*notes, *(f"The column {name} is not shown: it names people or their orders." for name in refused)]
    if len(frame) > MAX_PAGE_ROWS:
        notes.append(f"The first {MAX_PAGE_ROWS:,} of {len(frame):,} rows.")
        frame = frame.head(MAX_TABLE_ROWS)
    heads, cells = [], []
    for name, label in labels.items():
        kind = format_of(name, frame[name], has_unit="unit" in frame.columns)
        heads.append(head_of(name, kind, label=label, currency=currency))
        column = format_column(frame, name, kind, currency=currency)
        if total and len(frame) > 1 and heads[1:] and name not in total:
            column[-1] = CellText("")
        cells.append(_suppressed(column, frame, name) if kind in NUMERIC else column)
    marks = frame[highlight] if highlight else [False] * len(frame)
    if SUPPRESSED in frame.columns and frame[SUPPRESSED].any():
        notes.append("Withheld: fewer than ten people, or needed to keep such a group from being worked out.")
    return Table(
        title=title,
        heads=tuple(heads),
        rows=tuple(zip(*cells, strict=True)) if cells else (),
        marked=tuple(bool(value) and not pd.isna(value) for value in marks),
        notes=tuple(notes),
        max_rows=max_rows,
        has_total=bool(total) and len(frame) > 1,
    )


def filled_heads(heads: Mapping[str, str], frame: pd.DataFrame) -> dict[str, str]:
    """Heads of the columns in which something stands: a column of missing values or empty texts has none.

    Parameters
    ----------
    heads : mapping of str to str
        As name -> head.
    frame : pandas.DataFrame
        With every column of the heads.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> rows = pd.DataFrame({"group": ["lamps"], "growth_change": [float("nan")], "why": [""], "n_left": [0]})
    >>> filled_heads({"group": "category", "growth_change": "growth", "why": "why", "n_left": "left"}, rows)
    {'group': 'category', 'n_left': 'left'}
    """
    return {name: head for name, head in heads.items() if (frame[name].notna() & (frame[name] != "")).any()}


def _with_total(frame: pd.DataFrame, sums: pd.Series) -> pd.DataFrame:
    """The frame with a last row of sums, called "all" in its first column."""
    words = {name: "" for name in frame.columns if pd.api.types.is_string_dtype(frame[name])}
    last = pd.DataFrame([{**words, frame.columns[0]: "all", **sums}]).astype({
        name: frame[name].dtype for name in sums.index if pd.api.types.is_integer_dtype(frame[name])
    })  # fmt: skip
    extra = last.assign(**{SUPPRESSED: False}) if SUPPRESSED in frame.columns else last
    return pd.concat([frame, extra], ignore_index=True)


def _as_frame(rows: pd.DataFrame | Sequence[Any]) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        frame = rows.reset_index() if any(rows.index.names) else rows.reset_index(drop=True)
        return _without_example_ids(frame.rename(columns=str))
    if all(is_dataclass(row) and not isinstance(row, type) for row in rows):
        return _without_example_ids(pd.DataFrame([asdict(row) for row in rows]))
    raise ParameterError(f"table: a DataFrame or a list of findings is needed, not {type(rows).__name__}")


def _without_example_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """Findings quote an example; of a column that names people it is not repeated."""
    if not {"column", "example"} <= set(frame.columns):
        return frame
    columns = frame["column"].astype("string").fillna("").str.split(",")
    is_identity = [any(name.strip() in IDENTITY_COLUMNS for name in names) for names in columns]
    return frame.assign(example=frame["example"].mask(pd.Series(is_identity, index=frame.index), WITHHELD_TEXT))


def _labels(
    frame: pd.DataFrame, columns: Mapping[str, str] | Sequence[str] | None, highlight: str | None
) -> tuple[dict[str, str | None], list[str]]:
    """Columns to show with their own heads, and identity columns left out."""
    if columns is not None:
        labels: dict[str, str | None] = dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns)
        for name in labels:
            if name not in frame.columns:
                raise ParameterError(f"table: no column '{name}'; the frame has {', '.join(frame.columns)}")
            if name in IDENTITY_COLUMNS:
                raise ParameterError(f"table: '{name}' names people or their orders, never shown; aggregate first")
        return labels, []
    names = list(frame.columns)
    ends = {end for pair in ends_of(frame).values() for end in pair} | {SUPPRESSED}
    ends |= {"unit"} if "value" in names else set()
    ends |= {highlight} if highlight else set()
    refused = [name for name in names if name in IDENTITY_COLUMNS]
    return {name: None for name in names if name not in ends and name not in refused}, refused


def _suppressed(column: list[CellText], frame: pd.DataFrame, name: str) -> list[CellText]:
    if SUPPRESSED not in frame.columns:
        return column
    gone = frame[SUPPRESSED].astype(bool) & frame[name].isna()  # what names the group stays
    return [CellText(WITHHELD_TEXT) if hidden else cell for cell, hidden in zip(column, gone, strict=True)]


def to_html(table: Table) -> str:
    """Semantic HTML, class names only, everything escaped; no ids, so nothing can clash; '' of a table without rows."""
    if not table.rows:
        return ""
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    if table.max_rows:
        return f'<div class="table">{_grid(table)}{notes}</div>'
    fold = f"<details><summary>{escape(table.title) or 'table'}</summary>{_grid(table)}</details>"
    return f'<div class="table">{fold}{notes}</div>'


def is_long(table: Table) -> bool:
    """Whether a table shows its first rows, and the rest when asked."""
    return len(table.rows) > (table.max_rows or LONGEST_WHOLE)


def _grid(table: Table) -> str:
    heads = "".join(_head_html(head) for head in table.heads)
    rows = zip(table.rows[:MAX_PAGE_ROWS], table.marked, strict=False)
    last = len(table.rows) - 1 if table.has_total else None
    body = "".join(
        _row_html(row, table.heads, kind="total" if place == last else "marked" if marked else "")
        for place, (row, marked) in enumerate(rows)
    )
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    kind = "sortable lengthy" if is_long(table) else "sortable"
    return f'<table class="{kind}">{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _head_html(head: Head) -> str:
    unit = f' <span class="unit">({escape(head.unit)})</span>' if head.unit else ""
    return f'<th scope="col"{_class(head)}>{escape(head.label)}{unit}</th>'


def _row_html(row: tuple[CellText, ...], heads: tuple[Head, ...], *, kind: str) -> str:
    cells = []
    for position, (cell, head) in enumerate(zip(row, heads, strict=False)):
        sort = f' data-sort="{escape(cell.sort)}"' if cell.sort else ""
        tag = "th" if position == 0 and not head.is_number else "td"
        scope = ' scope="row"' if tag == "th" else ""
        words = ' class="long"' if not head.is_number and len(cell.text) > LONG_TEXT else _class(head)
        cells.append(f"<{tag}{scope}{words}{sort}>{escape(cell.text)}</{tag}>")
    named = f' class="{kind}"' if kind else ""
    return f"<tr{named}>{''.join(cells)}</tr>"


def _class(head: Head) -> str:
    return ' class="number"' if head.is_number else ""


def to_text(table: Table) -> str:
    """The table for a terminal: aligned columns, as many rows as a page carries; '' of a table without any."""
    if not table.rows:
        return ""
    heads = [f"{head.label} ({head.unit})" if head.unit else head.label for head in table.heads]
    lines = [heads, *([cell.text for cell in row] for row in table.rows[:MAX_PAGE_ROWS])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    aligned = [
        "  ".join(
            text.rjust(width) if head.is_number else text.ljust(width)
            for text, width, head in zip(line, widths, table.heads, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*([table.title] if table.title else []), *aligned, *table.notes])


def to_csv(table: Table) -> str:
    """The whole table for a spreadsheet: numbers plain, and no text that a spreadsheet would run as a formula."""
    heads = [f"{head.label} ({head.unit})" if head.unit else head.label for head in table.heads]
    rows = [
        [
            cell.sort if head.is_number and cell.sort else _harmless(cell.text)
            for cell, head in zip(row, table.heads, strict=True)
        ]
        for row in table.rows
    ]
    return pd.DataFrame(rows, columns=[_harmless(head) for head in heads]).to_csv(index=False)


def _harmless(text: str) -> str:
    """A text that starts as a formula does, with an apostrophe before it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
