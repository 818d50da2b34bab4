"""Proposals of a shop on disk: read, judge, decide, follow up, draft."""
