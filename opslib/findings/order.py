"""Which findings stand on a page's first screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.finding import Finding

FIRST: Mapping[str, tuple[str, ...]] = {
    "positioning": ("price-dearer", "price-response-", "price-cheaper", "unmet-1", "gap-"),
    "segmentation": ("concentration", "lifetime-worth", "win-back", "segment-at-risk", "left-carts"),
}
"""What bears most on the month's decisions: beginnings of keys, by page."""


def strongest_first(found: Sequence[Finding], *, page: str) -> tuple[Finding, ...]:
    """Findings in the order in which a manager needs them: the page's `FIRST`, one of each, then all others as they came.

    Parameters
    ----------
    found : sequence of Finding
        Of the page.
    page : {"positioning", "segmentation"}
        Which page.

    Returns
    -------
    tuple of Finding

    Examples
    --------
    >>> found = [Finding(key=key, sentence="", kind="measured") for key in ("coverage", "gap-colour", "gap-size", "unmet-1")]
    >>> [finding.key for finding in strongest_first(found, page="positioning")]
    ['unmet-1', 'gap-colour', 'coverage', 'gap-size']
    """
    leading: list[Finding] = []
    for stem in FIRST[page]:
        leading += [finding for finding in found if finding.key.startswith(stem) and finding not in leading][:1]
    return (*leading, *(finding for finding in found if finding not in leading))
