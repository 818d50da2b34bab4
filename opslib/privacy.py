"""Small-cell suppression, identities kept off the page, redaction of personal data in free text.

Suppression is complementary: a small cell could be worked out from its row's or column's total, so more cells go with
it until no suppressed cell can be computed from what is shown. It protects one table; comparing runs or overlapping
filters can still reveal a cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from opslib.errors import ParameterError, require_columns

MINIMUM = 10
"""Fewest distinct people that a shown cell may stand for."""
IDENTITY_COLUMNS = frozenset(
    {
        "customer_id",
        "visitor_id",
        "session_id",
        "order_id",
        "ticket_id",
        "review_id",
        "return_id",
        "search_id",
        "customer",
        "email",
        "phone",
        "address",
        "ip",
        "user_id",
        "user_pseudo_id",
    }
)
"""Columns that name a person or a person's doing; a page never shows their values."""
FREE_TEXT_COLUMNS = frozenset({"text", "query", "note", "comment", "example", "message"})
"""Columns that people typed into; their values pass :func:`redact` before they are shown."""
SUPPRESSED = "is_suppressed"
_TOLERANCE = 1e-9

Group = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Which cells of a page's tables are suppressed: decided once on counts of people, used for every metric.

    Parameters
    ----------
    dimensions : tuple of str
        Columns that name a cell.
    cells : frozenset of tuple
        Suppressed cells: values of ``dimensions``, in their order.
    """

    dimensions: tuple[str, ...]
    cells: frozenset[Group]

    def apply(self, frame: pd.DataFrame, *, kept: Sequence[str] = ()) -> pd.DataFrame:
        """The frame with all measures of suppressed cells missing and a column ``is_suppressed``.

        Parameters
        ----------
        frame : DataFrame
            One row a cell, with the columns ``dimensions``; every other column that is not text is a measure.
        kept : sequence of str
            Columns that are no measures, since they follow from ``dimensions``.

        Returns
        -------
        DataFrame
            The same rows; measures as float where one was suppressed.
        """
        require_columns(frame.columns, self.dimensions, "suppression")
        hidden = np.array([cell in self.cells for cell in cells_of(frame, self.dimensions)], dtype=bool)
        measures = [
            name for name in frame.columns if hidden.any() and name not in (*self.dimensions, *kept, SUPPRESSED)
        ]
        return frame.assign(**{name: _without(frame[name], hidden) for name in measures}, **{SUPPRESSED: hidden})


def _without(column: pd.Series, hidden: np.ndarray) -> pd.Series:
    if pd.api.types.is_bool_dtype(column):
        return column.astype("boolean").mask(hidden)
    if pd.api.types.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return column
    return (column.astype("float64") if pd.api.types.is_integer_dtype(column) else column).mask(hidden)


def plan_suppression(
    frame: pd.DataFrame,
    *,
    people: str,
    dimensions: Sequence[str],
    minimum: int = MINIMUM,
    also: frozenset[Group] = frozenset(),
) -> Suppression:
    """Decide which cells are suppressed, given how many distinct people each stands for.

    A cell with 1 to ``minimum - 1`` people is suppressed; then the next smallest of its row and column until the suppressed
    ones together hold ``minimum`` people and are at least two; then more where one could still be computed
    from the totals. Where a whole row or column cannot reach the minimum all its cells go, empty ones too.

    Parameters
    ----------
    frame : DataFrame
        One row a cell: ``dimensions`` and ``people``; no totals among the rows. Absent cells count as empty.
    people : str
        Column with the number of distinct people of a cell.
    dimensions : sequence of str
        One column (a list of groups) or two (a table); three work too.
    minimum : int
        Fewest people of a shown cell.
    also : frozenset of tuple
        Cells that are suppressed whatever their size.

    Returns
    -------
    Suppression

    Raises
    ------
    ParameterError
        If a column is missing, a cell appears twice, or a count is missing or negative.

    Examples
    --------
    >>> sizes = pd.DataFrame({"segment": ["a", "b", "c"], "n_customers": [4, 300, 40]})
    >>> sorted(plan_suppression(sizes, people="n_customers", dimensions=["segment"]).cells)
    [('a',), ('c',)]
    """
    dimensions = tuple(dimensions)
    require_columns(frame.columns, (*dimensions, people), "suppression")
    cells = cells_of(frame, dimensions)
    counts = frame[people].astype("float64").to_numpy()
    if len(set(cells)) < len(cells):
        raise ParameterError(f"suppression: {dimensions}: a cell appears twice; aggregate to one row a cell first")
    if np.isnan(counts).any() or (counts < 0).any():
        raise ParameterError(f"suppression: '{people}' has missing or negative counts; count the people of every cell")
    lines = _lines(cells, len(dimensions))
    hidden = ((counts > 0) & (counts < minimum)) | np.array([cell in also for cell in cells], dtype=bool)
    changed = bool(hidden.any())
    while changed:
        changed = sum(_close(line, counts, hidden, minimum) for line in lines) > 0
        if not changed:
            changed = _protect(lines, counts, hidden)
    gone = frozenset(cell for cell, is_gone in zip(cells, hidden, strict=True) if is_gone)
    return Suppression(dimensions=dimensions, cells=gone)


def merge_small(frame: pd.DataFrame, *, people: str, name: str, minimum: int = MINIMUM) -> pd.DataFrame:
    """Ordered groups in which a small one joins the group before it, so that no other has to be suppressed for it.

    Parameters
    ----------
    frame : DataFrame
        One row a group, in an order in which neighbours can stand together; numbers must be sums or shares of one whole.
    people : str
        Column with the distinct people of a group.
    name : str
        Column with the group's name.
    minimum : int
        Fewest people of a group of its own; empty groups stay.

    Returns
    -------
    DataFrame
        The same columns; a joined group is called "light or zero".

    Examples
    --------
    >>> tiers = pd.DataFrame({"tier": ["heavy", "light", "zero"], "n_customers": [20, 70, 3]})
    >>> merge_small(tiers, people="n_customers", name="tier").to_numpy().tolist()
    [['heavy', 20], ['light or zero', 73]]
    """
    require_columns(frame.columns, (people, name), "suppression")
    small = ((frame[people] > 0) & (frame[people] < minimum)).to_numpy(copy=True)
    small[:1] = False  # nothing stands before the first
    groups = np.cumsum(~small)
    sums = {column: "sum" for column in frame.columns if column != name}
    merged = frame.groupby(groups, sort=False).agg({name: " or ".join, **sums})
    merged = merged[list(frame.columns)].reset_index(drop=True)
    merged.attrs = dict(frame.attrs)  # whom its rows stand for
    return merged


def cells_of(frame: pd.DataFrame, dimensions: Sequence[str]) -> list[Group]:
    """The cell that each row stands in: its values of the dimensions, in the order of the rows.

    Examples
    --------
    >>> cells_of(pd.DataFrame({"country": ["DE", "FR"], "n": [3, 4]}), ["country"])
    [('DE',), ('FR',)]
    """
    return list(frame[list(dimensions)].itertuples(index=False, name=None))


def _lines(cells: list[Group], n_dimensions: int) -> list[np.ndarray]:
    """Positions of the cells that add up to one shown total: all that share every dimension but one."""
    lines: dict[tuple[int, Group], list[int]] = defaultdict(list)
    for position, cell in enumerate(cells):
        for free in range(n_dimensions):
            lines[free, cell[:free] + cell[free + 1 :]].append(position)
    return [np.array(members) for members in lines.values()]


def _close(line: np.ndarray, counts: np.ndarray, hidden: np.ndarray, minimum: int) -> bool:
    """Suppress more of a line until its suppressed cells are two and hold the minimum; True if any was added."""
    gone = line[hidden[line]]
    if len(gone) == 0 or (len(gone) > 1 and counts[gone].sum() >= minimum):
        return False
    rest = line[~hidden[line]]
    others = rest[counts[rest] > 0]
    hidden[min(others, key=lambda i: (counts[i], i)) if len(others) else rest] = True
    return len(rest) > 0


def _protect(lines: list[np.ndarray], counts: np.ndarray, hidden: np.ndarray) -> bool:
    """Suppress one more cell beside each suppressed cell that the totals still give away; True if any was added."""
    added = False
    for cell in recoverable(lines, hidden):
        beside = [int(i) for line in lines if cell in line for i in line if not hidden[i]]
        if beside:
            hidden[min(beside, key=lambda i: (counts[i] == 0, counts[i], i))] = True
            added = True
    return added


def recoverable(lines: list[np.ndarray], hidden: np.ndarray) -> list[int]:
    """Suppressed cells whose value follows from the line totals and the shown cells, by linear algebra.

    A cell is safe where the totals leave it free: some way of changing suppressed cells keeps every total and moves it.

    Parameters
    ----------
    lines : list of ndarray of int
        Positions of the cells that add up to one total each.
    hidden : ndarray of bool, shape (n_cells,)
        Suppressed cells.

    Returns
    -------
    list of int
        Positions, in order. A cell that is all of its table (one line of one cell) counts as recoverable.
    """
    gone = np.flatnonzero(hidden)
    if len(gone) == 0:
        return []
    rows = [np.isin(gone, line) for line in lines if hidden[line].any()]
    _, singular, right = np.linalg.svd(np.array(rows, dtype="float64"), full_matrices=True)
    null = right[int((singular > _TOLERANCE * max(1.0, singular.max(initial=0.0))).sum()) :]
    free = np.abs(null).max(axis=0, initial=0.0) > _TOLERANCE**0.5
    return [int(i) for i in gone[~free]]


_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_DATE = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|(?:19|20)\d\d-(?:19|20)\d\d)(?!\d)")
_AT = r"\s{0,2}(?:@|[\[({]\s?at\s?[\])}]|\bat\b(?=\s+[\w-]{1,63}\s+dot\s))\s{0,2}"
_DOT = r"(?:\.|\s{0,2}[\[({]\s?dot\s?[\])}]\s{0,2}|\s+dot\s+)"
_STREETS = (
    r"street|st|road|rd|avenue|ave|lane|ln|drive|close|court|crescent|terrace|square|way|boulevard|blvd|place|gardens|"
    r"strasse|straße|platz|weg|gasse|allee|laan|straat"
)
_WORD = r"[^\W\d][\w'’-]{0,30}"
_THINGS = (
    r"order|customer|client|account|invoice|ticket|parcel|tracking|ref(?:erence)?|bestellung|kunde|rechnung|commande"
)
_PATTERNS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("e-mail", rf"[\w.+'-]{{1,64}}{_AT}[\w-]{{1,63}}(?:{_DOT}[\w-]{{2,63}}){{1,4}}"),
        ("link", r"\b(?:https?://|www\.)\S{1,2000}"),
        ("account", r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b"),
        ("address", rf"\b\d{{1,5}}[a-z]?,?(?:\s{_WORD}){{0,2}}\s{_WORD}?\s?(?:{_STREETS})\b\.?"),
        (
            "address",
            r"\b[^\W\d][\w-]{1,40}?\s?(?:strasse|straße|str\.|platz|weg|gasse|allee|laan|straat)\s\d{1,5}[a-z]?\b",
        ),
        ("address", rf"\b\d{{1,5}},?\s(?:rue|calle|via|piazza|avenida)(?:\s{_WORD}){{1,3}}"),
        ("address", rf"\b(?:rue|calle|via|piazza|avenida)\s(?:{_WORD}\s){{1,4}}\d{{1,5}}\b"),
        ("postcode", r"\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b"),
        (
            "number",
            rf"\b(?:{_THINGS})(?:\s?(?:id|no|nr|number|nummer))?[\s.:#-]{{0,4}}(?=[\w-]{{0,20}}\d)[\w-]{{3,40}}",
        ),
        ("number", r"(?<!\w)[A-Z]{1,5}[-_#]?\d{4,}(?:[-_/]\d+)*\b|#\d{3,}\b"),
    )
)
#: The same in forms that every engine reads: e-mail (also written out), links, long numbers with their separators.
_NAMING = (
    "[^ @]+ ?(@|[(][aA][tT][)]) ?[^ @]+([(. ]+[dD][oO][tT][). ]+[a-zA-Z]+)?",
    "([hH][tT][tT][pP][sS]?://|[wW][wW][wW][.])[^ ]*",
    "[a-zA-Z]{0,5}[-_#+(]?[0-9][0-9 ()./_-]{4,30}[0-9]",
)
_DIGITS = re.compile(r"(?<![\w.,])\+?\(?\d[\d ()./-]{4,28}\d(?![\w])")


def redact(text: str) -> str:
    """Free text without e-mail addresses, links, phone, card, account and order numbers, and postal addresses.

    Look-alike and invisible characters are normalised first. Names of people cannot be told from other words and stay.

    Parameters
    ----------
    text : str
        What somebody typed.

    Returns
    -------
    str
        The text with each find replaced by its kind in brackets.

    Examples
    --------
    >>> redact("Mail jo@example.org about order #10442, or call +44 20 7946 0958. Paid £12.50 on 2026-10-31.")
    'Mail [e-mail] about [number], or call [phone]. Paid £12.50 on 2026-10-31.'
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Cs", "Co") or c in "\n\t")
    text = text.translate(_HYPHENS)
    for kind, pattern in _PATTERNS:
        text = pattern.sub(f"[{kind}]", text)
    return _DIGITS.sub(_digits_kind, text)


def redacted(text: ir.StringValue) -> ir.StringValue:
    """Free text in the engine without what names a person, before it is split into words: see `redact` for one text.

    Parameters
    ----------
    text : ibis string column
        As typed; missing stays missing.

    Returns
    -------
    ibis string column
        E-mail addresses, links, and numbers of six digits and more (phone, card, account, order) replaced by a blank.

    Examples
    --------
    >>> from opslib import engine
    >>> typed = engine.as_table(pd.DataFrame({"query": ["mug jo@example.org", "call 020 7946 0958", "air fryer 4.1 l"]}))
    >>> engine.collect(typed.select(x=redacted(typed["query"]).strip()))["x"].tolist()
    ['mug', 'call', 'air fryer 4.1 l']
    """
    for pattern in _NAMING:
        text = text.re_replace(pattern, " ")
    return text


def _digits_kind(match: re.Match[str]) -> str:
    found = match[0]
    day = _DATE.match(found)
    if day:
        rest = found[day.end() :]
        return day[0] + (_DIGITS.sub(_digits_kind, rest) if sum(c.isdigit() for c in rest) >= 6 else rest)
    n_digits = sum(c.isdigit() for c in found)
    if found.startswith("+"):
        return "[phone]"
    if n_digits >= 13:
        return "[card]"
    if found.isdigit() and not found.startswith("0"):
        return "[number]" if n_digits >= 6 else found
    return "[phone]" if n_digits >= 7 else found
