"""All roads, and what the told sentences of a page say otherwise than they."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.second_road import control, customers, figures, products, site
from tests.second_road.pieces import Raw, Road, faults

ROADS: dict[str, Mapping[str, Road]] = {
    **figures.ROADS,
    **customers.ROADS,
    **products.ROADS,
    **site.ROADS,
    **control.ROADS,
}
VIEWS = (customers.VIEWS, products.VIEWS, site.VIEWS, control.VIEWS)


def wrong(page: str, told: Mapping[str, str], raw: Raw) -> Iterator[str]:
    """What a page's sentences, by the key of the finding and ``answer``, say otherwise than the second road; one line each.

    A sentence without a road is wrong, too, and so is a road that no sentence asks for.
    """
    names = sorted(
        (name for (name,) in raw.rows("select name from products union select category from products")),
        key=len,
        reverse=True,
    )
    roads = ROADS[page]
    asked = {key: next((start for start in roads if key.startswith(start)), "") for key in told}
    for key, sentence in told.items():
        if not asked[key]:
            yield f"{key}: no second road: {sentence}"
            continue
        yield from (f"{key}: {fault}: {sentence}" for fault in _faults(roads[asked[key]], raw, sentence, names))
    yield from (f"{start}: no such sentence" for start in roads if start not in asked.values())


def _faults(road: Road, raw: Raw, sentence: str, names: list[str]) -> list[str]:
    try:
        expected: list[Any] = road(raw, sentence.replace("\xa0", " "))
    except (AssertionError, ValueError, IndexError, KeyError, TypeError) as error:
        return [f"the second road does not end ({type(error).__name__} {error})"]
    return faults(sentence, expected, names)
