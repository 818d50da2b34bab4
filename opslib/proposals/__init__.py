"""Proposals: claims written down before the result, evidence, verdicts, desirability, ledger."""
