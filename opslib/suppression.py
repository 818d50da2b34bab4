"""Small-cell suppression where results leave for a page: one plan a set of groups, obeyed by all that is shown after it.

A result whose rows are groups of people says so with `counted`, where the groups are made. `tables.show` and the
``draw_`` functions ask every result; one that says nothing is refused in a batch, so that nothing is shown by oversight.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from opslib.errors import ParameterError
from opslib.privacy import MINIMUM, WITHHELD, Group, Suppression, plan_suppression

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
    count : str
        Column with the number of distinct people of each row.
    by : tuple of str
        Columns that name a row.
    adds_up : bool
        Whether rows add up to a total, from which a single withheld one could be worked out.
    """

    count: str
    by: tuple[str, ...]
    adds_up: bool = True


#: Counts by group, None where rows are not people, or not said.
Said = People | None | Unsaid


@dataclass(slots=True)
class _Page:
    """What the page that is being made has withheld so far, by set of groups."""

    minimum: int = MINIMUM
    is_strict: bool = False
    withheld: dict[tuple[str, ...], frozenset[Group]] = field(default_factory=dict)


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
    _page.withheld.clear()


def counted(frame: pd.DataFrame, count: str | None, *, by: Iterable[str] = (), adds_up: bool = True) -> pd.DataFrame:
    """The frame, which now carries whom its rows stand for; filters, sorting and chosen columns keep it.

    Parameters
    ----------
    frame : DataFrame
        One row a group of people.
    count : str or None
        Column with the number of distinct people of each row; None: rows are not people.
    by : iterable of str
        Columns that name a row.
    adds_up : bool
        Whether rows add up to a total; not, where each holds the one before.

    Returns
    -------
    DataFrame
        The same object.

    Examples
    --------
    >>> sizes = counted(pd.DataFrame({"segment": ["a"], "n_customers": [4]}), "n_customers", by=["segment"])
    >>> sizes[sizes["n_customers"] > 1].attrs["people"]
    People(count='n_customers', by=('segment',), adds_up=True)
    """
    frame.attrs[_KEY] = None if count is None else People(count, tuple(by), adds_up)
    return frame


def of_people(
    count: str, *, by: tuple[str, ...]
) -> Callable[[Callable[_Given, pd.DataFrame]], Callable[_Given, pd.DataFrame]]:
    """Have a function's frame carry whom its rows stand for: see `counted`.

    Parameters
    ----------
    count : str
        Column with the number of distinct people of each row.
    by : tuple of str
        Columns that name a row.
    """

    def carrying(make: Callable[_Given, pd.DataFrame]) -> Callable[_Given, pd.DataFrame]:
        @functools.wraps(make)
        def made(*given: _Given.args, **chosen: _Given.kwargs) -> pd.DataFrame:
            return counted(make(*given, **chosen), count, by=by)

        return made

    return carrying


def smallest_side(sizes: pd.DataFrame) -> pd.Series:
    """Fewest people that each row speaks of: its smallest number that is not 0, 0 where all are.

    Examples
    --------
    >>> smallest_side(pd.DataFrame({"before": [5, 0, 0], "after": [9, 4, 0]})).tolist()
    [5.0, 4.0, 0.0]
    """
    return sizes.astype("float64").where(sizes > 0).min(axis=1).fillna(0.0)


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
        With a column ``is_withheld`` where rows are groups of people.

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
        frames = {part.name: getattr(result, part.name) for part in fields(result)}
        known = {name: _cut(frame, frame.attrs[_KEY]) for name, frame in frames.items() if _says(frame)}
        if known or all(frame.empty for frame in frames.values() if isinstance(frame, pd.DataFrame)):
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
    earlier = _earlier(frame, people.by)
    if WITHHELD in frame.columns:
        gone = frozenset(_cells(frame[frame[WITHHELD].astype(bool)], people.by))
    elif people.count in frame.columns:
        sizes = frame[[*people.by, people.count]].fillna({people.count: 0})
        also = frozenset(_cells(frame[earlier], people.by))
        if people.adds_up:
            gone = plan_suppression(
                sizes, people=people.count, dimensions=people.by, minimum=_page.minimum, also=also
            ).cells
        else:
            gone = frozenset(
                _cells(sizes[(sizes[people.count] > 0) & (sizes[people.count] < _page.minimum)], people.by)
            )
    elif people.by in _page.withheld:
        gone = frozenset()
    else:
        raise ParameterError(
            f"people: the table has no column '{people.count}', and no table before it had the sizes of these groups; "
            "show their sizes first"
        )
    gone |= frozenset(_cells(frame[earlier], people.by))
    _page.withheld[people.by] = _page.withheld.get(people.by, frozenset()) | gone
    return Suppression(dimensions=people.by, cells=gone).apply(frame)


def _earlier(frame: pd.DataFrame, by: tuple[str, ...]) -> pd.Series:
    """Rows that belong to a group which the page has withheld, by the same columns or by some of them."""
    hidden = pd.Series(False, index=frame.index)
    for columns, cells in _page.withheld.items():
        if set(columns) <= set(by):
            hidden |= pd.Series([cell in cells for cell in _cells(frame, columns)], index=frame.index, dtype=bool)
    return hidden


def _cells(frame: pd.DataFrame, by: tuple[str, ...]) -> list[Group]:
    return list(frame[list(by)].itertuples(index=False, name=None))


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
    counts = people.values() if isinstance(people, Mapping) else [people] if isinstance(people, int) else []
    named = dict(scope)
    hidden = any(
        set(columns) <= set(named) and tuple(named[column] for column in columns) in {tuple(map(str, c)) for c in cells}
        for columns, cells in _page.withheld.items()
    )
    return hidden or any(0 < n < _page.minimum for n in counts)


def require_said(people: object, *, of: str) -> None:
    """Refuse, in a batch, what does not say how many people it is about."""
    if people is UNSAID and _page.is_strict:
        raise ParameterError(
            f"{of}: say how many people its numbers stand for: about=About(people=412), or people=None where they are not people"
        )
