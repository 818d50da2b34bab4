"""Random draws without state: each is a function of seed, purpose and key, so blocks and switches cannot shift it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.floating[Any]]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_UNIT = 2.0**-53


@lru_cache(maxsize=4_096)
def _stream(seed: int, purpose: str) -> np.uint64:
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


@dataclass(frozen=True, slots=True)
class Draws:
    """Uniform, normal, exponential and tabled draws, keyed by purpose and entity.

    Parameters
    ----------
    seed : int
        Seed of the whole shop.

    Examples
    --------
    >>> draws = Draws(7)
    >>> one, two = draws.uniform("visit", np.arange(4)), draws.uniform("visit", np.arange(2, 4))
    >>> bool((one[2:] == two).all())
    True
    """

    seed: int

    def uniform(self, purpose: str, key: npt.ArrayLike) -> Floats:
        """Uniform draws in (0, 1), one a key (splitmix64 finaliser over the key's Weyl step)."""
        bits = np.array(key, dtype=np.int64).astype(np.uint64, copy=False)
        with np.errstate(over="ignore"):
            bits = bits * _GOLDEN
            bits ^= _stream(self.seed, purpose)
            for shift, factor in ((30, _FIRST), (27, _SECOND)):
                bits ^= bits >> np.uint64(shift)
                bits *= factor
            bits ^= bits >> np.uint64(31)
            bits >>= np.uint64(11)
        return (bits.astype(np.float64) + 0.5) * _UNIT

    def normal(self, purpose: str, key: npt.ArrayLike) -> Floats:
        """Standard normal draws (Box and Muller, 1958)."""
        radius = np.sqrt(-2.0 * np.log(self.uniform(purpose, key)))
        return radius * np.cos(2.0 * np.pi * self.uniform(purpose + "/angle", key))

    def exponential(self, purpose: str, key: npt.ArrayLike) -> Floats:
        """Exponential draws of mean one."""
        return -np.log(self.uniform(purpose, key))

    def geometric(self, purpose: str, key: npt.ArrayLike, mean: npt.ArrayLike) -> Ints:
        """Geometric counts from zero with the given mean(s)."""
        mean = np.maximum(np.asarray(mean, dtype=np.float64), 1e-9)
        return np.floor(np.log(self.uniform(purpose, key)) / np.log(mean / (1.0 + mean))).astype(np.int64)

    def choice(self, purpose: str, key: npt.ArrayLike, weights: npt.ArrayLike) -> Ints:
        """Index drawn with the given weights, which need not sum to one."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        return np.searchsorted(edges / edges[-1], self.uniform(purpose, key)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantile functions on a grid that is even in log-odds, one row a group: tabled inverse sampling."""

    values: Floats

    GRID_ENDS = 14.0

    @classmethod
    def gamma(cls, shapes: Floats, rates: Floats) -> Quantiles:
        """Gamma quantiles; one row a (shape, rate) pair."""
        from scipy.special import gammaincinv

        return cls(gammaincinv(shapes[:, None], cls._grid()[None, :]) / rates[:, None])

    @classmethod
    def beta(cls, a: Floats, b: Floats) -> Quantiles:
        """Beta quantiles; one row an (a, b) pair."""
        from scipy.special import betaincinv

        return cls(betaincinv(a[:, None], b[:, None], cls._grid()[None, :]))

    @classmethod
    def _grid(cls) -> Floats:
        return 1.0 / (1.0 + np.exp(-np.linspace(-cls.GRID_ENDS, cls.GRID_ENDS, 2049)))

    def at(self, group: Ints, u: Floats) -> Floats:
        """Quantile of ``u`` in each row's group, between grid points by a straight line."""
        last = self.values.shape[1] - 1
        place = (np.log(u / (1.0 - u)) / self.GRID_ENDS + 1.0) * (last / 2.0)
        place = np.clip(place, 0.0, last - 1e-9)
        low = place.astype(np.int64)
        share = place - low
        return self.values[group, low] * (1.0 - share) + self.values[group, low + 1] * share
