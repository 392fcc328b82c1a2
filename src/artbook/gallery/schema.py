"""The tables of the catalogue, for SQLite and for MySQL or MariaDB.

Sources, makers and works are never changed: each has a digest of all that is known of it, and what
differs is another row. Money is in whole cents, a share in whole basis points, a time in UTC. What the
database can refuse, it refuses itself.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator, TypeEngine

# The parts of a work sum to this many basis points.
WHOLE = 10_000

# A comparison of texts is one of their characters, as in SQLite: "Zoë" is neither "zoë" nor "Zoe".
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Utc(TypeDecorator[datetime]):
    """A time with its zone, stored in UTC to the microsecond; MySQL's own type has whole seconds."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """The column's type in a database."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name == "mysql" else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time as it is stored.

        Raises:
            ValueError: it has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time with its zone was wanted; {value.isoformat()} was given")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time that was stored."""
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """The tables, with one way to name what is in them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


Digest = String(64)
Name = String(255)
# MySQL's BLOB ends at 64 kB.
Content = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


class Source(Base):
    """Data that works were made from, with their licence (``entries.Source``)."""

    __tablename__ = "sources"
    __table_args__ = (_MYSQL,)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    name: Mapped[str] = mapped_column(Name)
    version: Mapped[str] = mapped_column(Name)
    sha256: Mapped[str] = mapped_column(Digest)
    licence: Mapped[str] = mapped_column(Text)
    authors: Mapped[str] = mapped_column(Text)


class Maker(Base):
    """What made works: a chapter's run with its settings, and the model that it had trained, by its weights."""

    __tablename__ = "makers"
    __table_args__ = (_MYSQL,)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    chapter: Mapped[str] = mapped_column(Name)
    weights: Mapped[str] = mapped_column(Digest)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)


class Work(Base):
    """A work (``works.Work``) in one of its editions.

    A chapter that is run again may make another work under the same name. That is a new edition; the
    earlier one stays, because licences of it may have been sold.
    """

    __tablename__ = "works"
    __table_args__ = (UniqueConstraint("name", "edition"), CheckConstraint("edition >= 1", name="edition"), _MYSQL)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    name: Mapped[str] = mapped_column(Name)
    edition: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    alt: Mapped[str] = mapped_column(Text)
    media: Mapped[str] = mapped_column(Name)
    content: Mapped[bytes] = mapped_column(Content, deferred=True)
    # Pairs of name and value: MySQL sorts the names of a JSON object.
    parameters: Mapped[list[list[Any]]] = mapped_column(JSON)
    maker_id: Mapped[int] = mapped_column(ForeignKey("makers.id"), index=True)

    maker: Mapped[Maker] = relationship()
    made_from: Mapped[list["WorkSource"]] = relationship(order_by="WorkSource.place")
    provenance: Mapped[list["Provenance"]] = relationship(foreign_keys="Provenance.work_id")


class WorkSource(Base):
    """That a work was made from a source, which stands at a place in its list."""

    __tablename__ = "work_sources"
    __table_args__ = (CheckConstraint("place >= 0", name="place"), _MYSQL)

    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True, index=True)
    place: Mapped[int]

    source: Mapped[Source] = relationship()


class Provenance(Base):
    """How a work came to be: ``made`` from nothing but its sources, as a new ``edition``, or ``derived`` from a work.

    What it comes from was registered before it, so no work is among its own origins.
    """

    __tablename__ = "provenance"
    __table_args__ = (
        _one_of("kind", "made", "edition", "derived"),
        CheckConstraint("(origin_id IS NULL) = (kind = 'made')", name="origin"),
        CheckConstraint("origin_id < work_id", name="order"),
        _MYSQL,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    origin_id: Mapped[int | None] = mapped_column(ForeignKey("works.id"), index=True)
    at: Mapped[datetime] = mapped_column(Utc)

    origin: Mapped[Work | None] = relationship(foreign_keys=[origin_id])


class Exhibit(Base):
    """That a work hangs at a place of an exhibition; the pages of each profile are one."""

    __tablename__ = "exhibits"
    __table_args__ = (
        UniqueConstraint("exhibition", "work_id"),
        CheckConstraint("place >= 0", name="place"),
        _MYSQL,
    )

    exhibition: Mapped[str] = mapped_column(Name, primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), index=True)

    work: Mapped[Work] = relationship()


class Interaction(Base):
    """What a person did with a work; ``position`` is where it stood in what the person was shown, from 0.

    A person is a pseudonym: never a name, an address or anything else that tells who it is.
    """

    __tablename__ = "interactions"
    __table_args__ = (
        _one_of("kind", "seen", "heard", "read", "liked"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("person <> ''", name="person"),
        _MYSQL,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), index=True)
    person: Mapped[str] = mapped_column(Name, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    position: Mapped[int]
    at: Mapped[datetime] = mapped_column(Utc)


class Share(Base):
    """A holder's part of what a work earns, in basis points; ``royalties.agree`` sees that they sum to ``WHOLE``."""

    __tablename__ = "shares"
    __table_args__ = (
        CheckConstraint(f"part BETWEEN 1 AND {WHOLE}", name="part"),
        CheckConstraint("holder <> ''", name="holder"),
        _MYSQL,
    )

    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(Name, primary_key=True)
    part: Mapped[int]


class Licence(Base):
    """A licence of a work that was sold; its reference is the seller's, and is sold once."""

    __tablename__ = "licences"
    __table_args__ = (
        _one_of("kind", "personal", "commercial"),
        CheckConstraint("cents >= 0", name="cents"),
        CheckConstraint("length(currency) = 3 AND currency = upper(currency)", name="currency"),
        CheckConstraint("buyer <> '' AND reference <> ''", name="named"),
        _MYSQL,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(Name, unique=True)
    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), index=True)
    buyer: Mapped[str] = mapped_column(Name)
    kind: Mapped[str] = mapped_column(String(16))
    cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    sold: Mapped[datetime] = mapped_column(Utc)

    payments: Mapped[list["Payment"]] = relationship(order_by="Payment.holder", lazy="selectin")


class Payment(Base):
    """What a holder gets of a licence's price, in the licence's currency; the payments sum to the price."""

    __tablename__ = "payments"
    __table_args__ = (CheckConstraint("cents >= 0", name="cents"), _MYSQL)

    licence_id: Mapped[int] = mapped_column(ForeignKey("licences.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(Name, primary_key=True)
    cents: Mapped[int] = mapped_column(BigInteger)
