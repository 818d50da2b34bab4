"""From an open shop and its proposals folder to what proposals are judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from opslib.data.checks import check_shop
from opslib.data.proposal_files import frozen_records, load_proposals, read_records
from opslib.data.sources import Shop, last_day, project_root
from opslib.errors import ProposalError, nearest
from opslib.metrics import shop_metrics
from opslib.proposals.evaluate import ShopData, evaluate_proposals
from opslib.proposals.model import Proposal
from opslib.proposals.results import ProposalResult


def proposals_folder(shop: Shop, *, root: Path | None = None) -> Path:
    """Folder of a shop's proposals and of their ledger."""
    return (root or project_root()) / "data" / "proposals" / shop.name


def shop_data(shop: Shop, *, proposals: Mapping[str, Proposal]) -> ShopData:
    """What the proposals of a shop are judged on.

    Parameters
    ----------
    shop : Shop
        An open shop.
    proposals : mapping of str to Proposal
        All of the shop's, so that prerequisites can be looked up.

    Returns
    -------
    ShopData
        With the checks' findings; ``replay`` is allowed for a simulated shop and where ``shop.yml`` says
        ``options: {historical: true}``.
    """
    decided = {record.proposal for record in read_records(proposals_folder(shop)) if record.kind == "decision"}
    return ShopData(
        tables=shop.tables, as_of=last_day(shop), time_zone=shop.time_zone, coverage=shop.coverage,
        own_metrics=shop_metrics(shop.settings.get("metrics", {})),
        findings=check_shop(shop),
        allows_replay=shop.is_simulated or bool(shop.settings.get("options", {}).get("historical")),
        proposals={name: "running" if name in decided else "open" for name in proposals},
    )  # fmt: skip


def judge(shop: Shop, ids: Sequence[str] = ()) -> tuple[tuple[Proposal, ...], tuple[ProposalResult, ...]]:
    """Judge a shop's proposals, or some of them.

    Parameters
    ----------
    shop : Shop
        An open shop.
    ids : sequence of str
        Which; all unless given.

    Returns
    -------
    (tuple of Proposal, tuple of ProposalResult)
        In the order of ids.

    Raises
    ------
    ProposalError
        If an id is unknown, or a file breaks the schema.
    """
    folder = proposals_folder(shop)
    known = load_proposals(folder)
    for name in ids:
        if name not in known:
            raise ProposalError(
                f"no proposal '{name}' for {shop.name}; {nearest(name, known) if known else 'none yet'}"
            )
    chosen = tuple(known[name] for name in (ids or known))
    data = shop_data(shop, proposals=known)
    return chosen, evaluate_proposals(chosen, shop=data, frozen=frozen_records(folder))
