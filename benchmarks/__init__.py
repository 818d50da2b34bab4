"""Benchmarks: verdicts where the truth is known, launch rules, and speed against hand-written SQL."""
