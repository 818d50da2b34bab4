"""How often a shop of one kind of customer is said to have segments: ``python -m tests.segmentation.one_type --seeds 100``."""

from __future__ import annotations

import argparse

from opslib.segmentation import segment_clusters
from tests.segmentation.shops import sold


def main() -> None:
    """Print each seed that found segments, the smallest adjusted p-value of every seed, and the count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--orders", type=int, default=10_000)
    chosen = parser.parse_args()
    n_found, least = 0, []
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        shop = sold(seed=seed, n_orders=chosen.orders, customer_types="single")
        found = segment_clusters(shop.features, as_of=shop.config.end, seed=1)
        least.append(float(found.trials["adjusted_p_value"].min()))
        n_found += found.has_segments
        if found.has_segments:
            print(f"seed {seed}: {found.n_groups} groups of {found.n_fitted} customers")
    print(f"{chosen.seeds - n_found} of {chosen.seeds} shops of one type: no segments; "
          f"smallest adjusted p-value {min(least):.2g}, below .05 in {sum(p < 0.05 for p in least)}")  # fmt: skip


if __name__ == "__main__":
    main()
