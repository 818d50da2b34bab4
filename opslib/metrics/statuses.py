"""Words that shop systems use for the state of an order, and which of ours each is."""

from __future__ import annotations

import re
from collections.abc import Iterable

import ibis
import ibis.expr.types as ir

from opslib import engine
from opslib.contracts import STATUSES
from opslib.errors import ContractError, nearest
from opslib.privacy import redact

#: Ours -> theirs, small letters. Sources: WooCommerce's enum OrderStatus and its German translation; Shopify's financial
#: statuses; PrestaShop's OrderStateLang and its French one; Magento's default order statuses; BigCommerce's list of order
#: statuses; Amazon's order report; Shopware's states of orders and payments. What went back whole (refunded, closed) is in
#: none: whether its money is counted again as a return, only the shop knows.
WORDS: dict[str, tuple[str, ...]] = {
    "paid": (
        "complete", "completed", "processing", "shipped", "delivered", "partially shipped", "awaiting shipment", "awaiting fulfillment",
        "awaiting pickup", "payment accepted", "remote payment accepted", "processing in progress", "on backorder (paid)", "unshipped",
        "partially refunded", "paid in full", "bezahlt", "abgeschlossen", "in bearbeitung", "versendet", "versandt", "geliefert",
        "fertiggestellt", "komplett bezahlt", "paiement accepté", "payée", "terminée", "expédiée", "livrée", "pagado", "pagato", "betaald",
    ),
    "pending": (
        "pending payment", "on hold", "holded", "unpaid", "open", "awaiting payment", "awaiting check payment", "awaiting bank wire payment",
        "payment review", "partially paid", "on backorder (not paid)", "checkout draft", "draft", "offen", "zahlung ausstehend",
        "in wartestellung", "en attente", "pendiente", "in attesa",
    ),
    "authorised": ("authorized", "autorisiert", "reserviert"),
    "cancelled": ("canceled", "storniert", "abgebrochen", "annulée", "annulé", "cancelado", "annullato", "geannuleerd"),
    "voided": ("void", "failed", "expired", "declined", "payment error", "incomplete", "trash", "fehlgeschlagen"),
    "test": (),
}  # fmt: skip
_OURS = {word: ours for ours, words in WORDS.items() for word in (ours, *words)}


def status_of(text: str) -> str:
    """Our word for a status, whatever its case and its blanks; one that is not known stays as it is.

    Examples
    --------
    >>> [status_of(text) for text in ("paid", "wc-On_Hold", "Bezahlt", "payd")]
    ['paid', 'pending', 'paid', 'payd']
    """
    return _OURS.get(_plain(str(text)), text)


def known_status(column: ir.StringValue) -> ir.StringValue:
    """`status_of` of a column.

    Examples
    --------
    >>> import pandas as pd
    >>> from opslib import engine
    >>> t = engine.as_table(pd.DataFrame({"status": ["paid", "wc-On_Hold", "payd"]}))
    >>> engine.collect(t.select(s=known_status(t["status"])))["s"].tolist()
    ['paid', 'pending', 'payd']
    """
    plain = engine.trimmed(column).lower().replace("_", " ").replace("-", " ").re_replace("^wc ", "")
    theirs: dict[str, list[str]] = {}
    for word, ours in _OURS.items():
        theirs.setdefault(ours, []).append(word)
    # Most are ours already: the engine looks at the words of the others only.
    return ibis.cases(
        (column.isin(STATUSES), column), *[(plain.isin(words), ours) for ours, words in theirs.items()], else_=column
    )


def require_known(found: Iterable[tuple[str, int]], *, where: str = "order_lines.status") -> None:
    """Refuse statuses that are none of ours: what they mean decides what is revenue.

    Parameters
    ----------
    found : iterable of (str, int)
        Status and number of rows.
    where : str
        Table and column, for the error.

    Raises
    ------
    ContractError
        Naming each with the nearest of ours, and the line to write.

    Examples
    --------
    >>> require_known([("paid", 3), ("payd", 1)])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    opslib.errors.ContractError: order_lines.status: 'payd' (1 row) is no known status; did you mean 'paid'? Say what it means...
    """
    strange = [(text, n) for text, n in found if text not in STATUSES]
    if not strange:
        return
    shown = ", ".join(f"'{redact(text)}' ({n:,} {'row' if n == 1 else 'rows'})" for text, n in strange[:6])
    first = strange[0][0]
    near = nearest(_plain(first), _OURS, otherwise="")
    meant = re.search("'(.+)'", near)
    hint = f"did you mean '{_OURS[meant[1]]}'?" if meant else f"known: {', '.join(STATUSES)}."
    raise ContractError(
        f"{where}: {shown} {'is' if len(strange) == 1 else 'are'} no known status; {hint} Say what it means, e.g. "
        f"statuses: {{{redact(first)}: {_OURS[meant[1]] if meant else 'paid'}}} in shop.yml; only paid lines are revenue, and an order "
        "whose money went back whole is 'cancelled', or 'paid' if it also stands in returns"
    )


def _plain(text: str) -> str:
    return re.sub("^wc ", "", text.strip().lower().replace("_", " ").replace("-", " "))
