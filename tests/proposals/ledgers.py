"""What several tests ask of a ledger."""

from __future__ import annotations

from opslib.proposals.ledger import GENESIS, read_ledger


def head(text: str) -> str:
    """Hash of a ledger's last line."""
    records = read_ledger(text)
    return records[-1].hash if records else GENESIS
