"""Statistics without a shop word: estimates, comparisons, roll-outs, series, control, multiplicity, shrinkage."""
