"""Who earns what of a licence: parts that sum to one, and payments that sum to the price, to the cent."""

import math
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from artbook.gallery import schema
from artbook.gallery.schema import WHOLE, Licence, Share


def split(cents: int, parts: Mapping[str, int]) -> dict[str, int]:
    """Divide an amount by the method of the largest remainder.

    Everyone gets their part rounded down; the cents that are left go, one each, to those whose part lost
    most by that, and among equals to who comes first in the alphabet.

    Args:
        cents: the amount, a whole number from 0.
        parts: in basis points by holder; they sum to ``schema.WHOLE``.

    Returns:
        Whole cents by holder. They sum to ``cents``, and each is less than one cent from its exact part.

    Raises:
        ValueError: an argument is not as above.
    """
    if type(cents) is not int or cents < 0:
        raise ValueError(f"an amount in whole cents, from 0, was wanted; {cents!r} was given")
    _refuse_unsound(parts)
    paid = {holder: cents * part // WHOLE for holder, part in parts.items()}
    left = cents - sum(paid.values())
    for holder in sorted(parts, key=lambda each: (-(cents * parts[each] % WHOLE), each))[:left]:
        paid[holder] += 1
    return paid


def basis_points(weights: Mapping[str, float]) -> dict[str, int]:
    """Parts in the proportion of some weights, by the method of the largest remainder, as ``split`` divides cents.

    Args:
        weights: by holder, at least one, each finite and large enough for a part of one basis point.

    Returns:
        Whole basis points by holder, which sum to ``schema.WHOLE``.

    Raises:
        ValueError: the weights are not as above.
    """
    total = math.fsum(weights.values())
    if not weights or not math.isfinite(total) or min(weights.values()) * WHOLE < total or total <= 0:
        raise ValueError(f"weights of at least one part in {WHOLE} each were wanted; {dict(weights)} were given")
    exact = {holder: WHOLE * weight / total for holder, weight in weights.items()}
    parts = {holder: math.floor(part) for holder, part in exact.items()}
    left = WHOLE - sum(parts.values())
    for holder in sorted(parts, key=lambda each: (parts[each] - exact[each], each))[:left]:
        parts[holder] += 1
    return parts


def _refuse_unsound(parts: Mapping[str, int]) -> None:
    if any(type(part) is not int or part < 1 for part in parts.values()) or sum(parts.values()) != WHOLE:
        raise ValueError(
            f"parts in whole basis points, from 1, that sum to {WHOLE} were wanted; {dict(parts)} were given"
        )


def agree(session: Session, work_id: int, parts: Mapping[str, int]) -> None:
    """Set who gets which part of what a work earns from now on; what was paid before stays paid.

    Args:
        session: of a transaction that writes (``catalogue.transact``).
        work_id: of a registered work.
        parts: in basis points by holder; they sum to ``schema.WHOLE``.

    Raises:
        ValueError: there is no such work, or the parts are not as above.
    """
    _refuse_unsound(parts)
    _lock(session, work_id)
    session.execute(delete(Share).where(Share.work_id == work_id))
    session.add_all(Share(work_id=work_id, holder=holder, part=part) for holder, part in parts.items())
    session.flush()


def sell(
    session: Session,
    work_id: int,
    *,
    reference: str,
    buyer: str,
    kind: str,
    cents: int,
    currency: str,
    sold: datetime,
) -> Licence:
    """Sell a licence and divide its price among the holders of the work's shares.

    A sale whose answer was lost on its way can be made again: the same reference sells nothing a second time.

    Args:
        session: of a transaction that writes (``catalogue.transact``).
        work_id: of a registered work whose shares are agreed.
        reference: the seller's own for this sale, for example the number of the order.
        buyer: who may use the work.
        kind: ``personal`` or ``commercial``.
        cents: the price, a whole number from 0.
        currency: of the price, three capital letters as in ISO 4217.
        sold: when, with its zone.

    Returns:
        The licence with its payments.

    Raises:
        ValueError: there is no such work, nobody has shares in it, the price is not as above, or the reference is
            that of another sale.
        sqlalchemy.exc.IntegrityError: the kind or the currency is not as above, or a text is empty.
    """
    _lock(session, work_id)
    facts = {"work_id": work_id, "buyer": buyer, "kind": kind, "cents": cents, "currency": currency, "sold": sold}
    known = session.scalar(select(Licence).where(Licence.reference == reference))
    if known is not None:
        if {name: getattr(known, name) for name in facts} != facts:
            raise ValueError(f"{reference!r} is the reference of another sale")
        return known
    shares = session.scalars(select(Share).where(Share.work_id == work_id))
    paid = split(cents, {share.holder: share.part for share in shares})
    payments = [schema.Payment(holder=holder, cents=amount) for holder, amount in sorted(paid.items())]
    licence = Licence(reference=reference, payments=payments, **facts)
    session.add(licence)
    session.flush()
    return licence


def _lock(session: Session, work_id: int) -> None:
    """Let nobody else sell a work or set its shares until this transaction ends; SQLite has one writer anyway."""
    if session.scalar(select(schema.Work.id).where(schema.Work.id == work_id).with_for_update()) is None:
        raise ValueError(f"the catalogue has no work {work_id}")
