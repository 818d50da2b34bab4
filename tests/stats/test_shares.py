"""Shares: published intervals, edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ParameterError
from opslib.stats.shares import share, share_difference

#: Published to four decimals.
PUBLISHED = 5e-5


def test_wilson():
    """Newcombe (1998), Statistics in Medicine 17:857-872, table I: 81 of 263, .2553 to .3662."""
    e = share(81, 263)
    assert (e.lower, e.upper) == pytest.approx((0.2553, 0.3662), abs=PUBLISHED)


def test_newcombe():
    """Newcombe (1998), Statistics in Medicine 17:873-890, table II (a): 56 of 70 against 48 of 80, .0524 to .3339."""
    e = share_difference((48, 80), (56, 70))
    assert (e.value, e.lower, e.upper) == pytest.approx((0.2, 0.0524, 0.3339), abs=PUBLISHED)


@pytest.mark.parametrize(("successes", "edge"), [(0, 0.0), (10, 1.0)])
def test_none_and_all_keep_an_interval(successes, edge):
    e = share(successes, 10)
    assert edge in (e.lower, e.upper)
    assert e.width > 0.2


@given(st.integers(1, 500), st.data())
def test_the_complement_mirrors(n, data):
    k = data.draw(st.integers(0, n))
    e, rest = share(k, n), share(n - k, n)
    assert (e.lower, e.upper) == pytest.approx((1 - rest.upper, 1 - rest.lower))


def test_impossible_counts_are_refused():
    with pytest.raises(ParameterError, match="5 of 4"):
        share(5, 4)
    with pytest.raises(ParameterError, match="0 of 0"):
        share_difference((0, 0), (1, 2))
