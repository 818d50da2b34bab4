"""Proposals: claims written down before the result, evidence, verdicts, desirability, ledger."""

from opslib.proposals.drafting import ProposalDraft, draft

__all__ = ["ProposalDraft", "draft"]
