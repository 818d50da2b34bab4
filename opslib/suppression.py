"""Small-cell suppression where results leave for a page: one plan a set of groups, obeyed by all that is shown after it.

A result whose rows are groups of people says so with `counted`, where the groups are made. `tables.show` and the
``draw_`` functions ask every result; one that says nothing is refused in a batch, so that nothing is shown by oversight.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from numbers import Real
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from opslib.errors import ParameterError
from opslib.privacy import MINIMUM, SUPPRESSED, Group, Suppression, cells_of, plan_suppression, redact

Result = TypeVar("Result")
_Given = ParamSpec("_Given")
_KEY = "people"


class Unsaid(Enum):
    """Nobody said whether the rows of a result are groups of people."""

    UNSAID = "unsaid"


UNSAID = Unsaid.UNSAID


@dataclass(frozen=True, slots=True)
class People:
    """Whom the rows of a result stand for.

    Parameters
    ----------
    count : str or tuple of str
        Column with the number of distinct people of each row; several where a row speaks of several sides (before and
        after), of which none may be few.
    by : tuple of str
        Columns that name a row.
    adds_up : bool
        Whether rows add up to a total, from which a single withheld one could be worked out.
    follows : tuple of str
        Columns that follow from those of ``by`` and stay as they are.
    """

    count: str | tuple[str, ...]
    by: tuple[str, ...]
    adds_up: bool = True
    follows: tuple[str, ...] = ()


#: Counts by group, None where rows are not people, or not said.
Said = People | None | Unsaid


@dataclass(slots=True)
class _Page:
    """What the page that is being made has withheld so far, by set of groups."""

    minimum: int = MINIMUM
    is_strict: bool = False
    suppressed: dict[tuple[str, ...], frozenset[Group]] = field(default_factory=dict)


_page = _Page()


def begin(*, minimum: int = MINIMUM, is_strict: bool = False) -> None:
    """Start a page without any plan.

    Parameters
    ----------
    minimum : int
        Fewest people that a shown group may stand for.
    is_strict : bool
        Whether a result that does not say who its rows are is refused.
    """
    _page.minimum, _page.is_strict = minimum, is_strict
    _page.suppressed.clear()


def counted(
    frame: pd.DataFrame,
    count: str | tuple[str, ...] | None,
    *,
    by: Iterable[str] = (),
    adds_up: bool = True,
    follows: Iterable[str] = (),
) -> pd.DataFrame:
    """The frame, which now carries whom its rows stand for; filters, sorting and chosen columns keep it.

    Parameters
    ----------
    frame : DataFrame
        One row a group of people.
    count : str, tuple of str or None
        Column with the number of distinct people of each row, or of each side of it; None: rows are not people.
    by : iterable of str
        Columns that name a row.
    adds_up : bool
        Whether rows add up to a total; not, where each holds the one before.
    follows : iterable of str
        Columns that follow from those of ``by`` and stay as they are.

    Returns
    -------
    DataFrame
        The same object.

    Examples
    --------
    >>> sizes = counted(pd.DataFrame({"segment": ["a"], "n_customers": [4]}), "n_customers", by=["segment"])
    >>> sizes[sizes["n_customers"] > 1].attrs["people"]
    People(count='n_customers', by=('segment',), adds_up=True, follows=())
    """
    frame.attrs[_KEY] = None if count is None else People(count, tuple(by), adds_up, tuple(follows))
    return frame


def of_people(
    count: str | tuple[str, ...], *, by: tuple[str, ...], **more: Any
) -> Callable[[Callable[_Given, pd.DataFrame]], Callable[_Given, pd.DataFrame]]:
    """Have a function's frame carry whom its rows stand for: see `counted`.

    Parameters
    ----------
    count : str or tuple of str
        Column with the number of distinct people of each row, or of each side of it.
    by : tuple of str
        Columns that name a row.
    **more
        As for `counted`.
    """

    def carrying(make: Callable[_Given, pd.DataFrame]) -> Callable[_Given, pd.DataFrame]:
        @functools.wraps(make)
        def made(*given: _Given.args, **chosen: _Given.kwargs) -> pd.DataFrame:
            return counted(make(*given, **chosen), count, by=by, **more)

        return made

    return carrying


def suppressed(result: Result, people: Said = UNSAID, *, of: str = "this result") -> Result:
    """The result as it may be shown: measures of groups of too few people, and of those that would reveal them, missing.

    Parameters
    ----------
    result : DataFrame, dataclass with DataFrames, or anything else
        What is about to be shown.
    people : People, None or UNSAID
        Counts by group; None: rows are not people; not said: what the result carries.
    of : str
        What shows it, for the error.

    Returns
    -------
    same type as ``result``
        With a column ``is_suppressed`` where rows are groups of people.

    Raises
    ------
    ParameterError
        In a batch, if neither the result nor ``people`` says who its rows are; with the line to write.

    Examples
    --------
    >>> begin()
    >>> sizes = pd.DataFrame({"segment": ["a", "b", "c"], "n_customers": [4, 300, 40]})
    >>> suppressed(sizes, People("n_customers", ("segment",)))["n_customers"].tolist()
    [nan, 300.0, nan]
    >>> money = pd.DataFrame({"segment": ["c", "b"], "revenue_amount": [1.0, 2.0]})
    >>> suppressed(money, People("n_customers", ("segment",)))["revenue_amount"].tolist()
    [nan, 2.0]
    >>> begin()
    """
    if people is None:
        return result
    if isinstance(result, pd.DataFrame):
        if result.empty:
            return result
        said = people if isinstance(people, People) else result.attrs.get(_KEY, UNSAID)
        if said is not UNSAID:
            return _cut(result, said) if said else result  # type: ignore[return-value]
    elif is_dataclass(result) and not isinstance(result, type):
        values = {part.name: getattr(result, part.name) for part in fields(result)}
        frames = [value for value in values.values() if isinstance(value, pd.DataFrame)]
        known = {name: suppressed(value) for name, value in values.items() if _says(value)}
        if known or (frames and all(frame.empty for frame in frames)):
            return replace(result, **known)
    if _page.is_strict:
        raise ParameterError(
            f"{of}: say whether its rows are groups of people: people=None where they are not, else "
            "people=People('n_customers', ('segment',)) with the column of their number and those that name a row"
        )
    return result


def _says(frame: Any) -> bool:
    return isinstance(frame, pd.DataFrame) and isinstance(frame.attrs.get(_KEY), People)


def _cut(frame: pd.DataFrame, people: People) -> pd.DataFrame:
    """The frame by the page's plan, which grows by what is small here."""
    missing = [name for name in people.by if name not in frame.columns]
    if missing:
        raise ParameterError(f"people: rows are named by {', '.join(people.by)}, and the table has no '{missing[0]}'")
    earlier, sides = _earlier(frame, people.by), [people.count] if isinstance(people.count, str) else [*people.count]
    if SUPPRESSED in frame.columns:
        gone = frozenset(cells_of(frame[frame[SUPPRESSED].astype(bool)], people.by))
    elif set(sides) <= set(frame.columns):
        sizes = frame[[*people.by, *sides]].fillna(dict.fromkeys(sides, 0))
        is_small = ((sizes[sides] > 0) & (sizes[sides] < _page.minimum)).any(axis=1)
        gone, more = frozenset(), frozenset(cells_of(frame[earlier | is_small], people.by))
        while people.adds_up and more != gone:  # what one side takes along, another may have to close again
            gone = more
            plans = [
                plan_suppression(sizes, people=side, dimensions=people.by, minimum=_page.minimum, also=gone)
                for side in sides
            ]
            more = gone.union(*(plan.cells for plan in plans))
        gone = more
    elif people.by in _page.suppressed:
        gone = frozenset()
    else:
        raise ParameterError(
            f"people: the table has no column '{sides[0]}', and no table before it had the sizes of these groups; "
            "show their sizes first"
        )
    gone |= frozenset(cells_of(frame[earlier], people.by))
    _page.suppressed[people.by] = _page.suppressed.get(people.by, frozenset()) | gone
    shown = Suppression(dimensions=people.by, cells=gone).apply(frame, kept=people.follows)
    for name in (name for name in people.by if shown[SUPPRESSED].any() and pd.api.types.is_string_dtype(shown[name])):
        shown[name] = shown[name].mask(
            shown[SUPPRESSED], shown[name].map(redact, na_action="ignore")
        )  # may name one person
    return shown


def _earlier(frame: pd.DataFrame, by: tuple[str, ...]) -> pd.Series:
    """Rows that belong to a group which the page has withheld, by the same columns or by some of them."""
    hidden = pd.Series(False, index=frame.index)
    for columns, cells in _page.suppressed.items():
        if set(columns) <= set(by):
            hidden |= pd.Series([cell in cells for cell in cells_of(frame, columns)], index=frame.index, dtype=bool)
    return hidden


def is_few(people: int | Mapping[str, int] | Unsaid | None, *, scope: Iterable[tuple[str, str]] = ()) -> bool:
    """Whether a sentence must not be said: it is about too few people, or about a group that the page withholds.

    Parameters
    ----------
    people : int, mapping of str to int, None or UNSAID
        People that its numbers stand for, by group where there are several; None: not about people.
    scope : iterable of (str, str)
        Column and value of the groups that it names.

    Returns
    -------
    bool
    """
    counts = people.values() if isinstance(people, Mapping) else [people] if isinstance(people, Real) else []
    named = dict(scope)
    hidden = any(
        set(columns) <= set(named) and tuple(named[column] for column in columns) in {tuple(map(str, c)) for c in cells}
        for columns, cells in _page.suppressed.items()
    )
    return hidden or any(0 < n < _page.minimum for n in counts)


def require_said(people: object, *, of: str) -> None:
    """Refuse, in a batch, what does not say how many people it is about."""
    if people is UNSAID and _page.is_strict:
        raise ParameterError(
            f"{of}: say how many people its numbers stand for: about=About(people=412), or people=None where they are not people"
        )
