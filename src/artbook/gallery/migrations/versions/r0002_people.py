"""The people: what they did with works, shares, licences and payments."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "interactions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_interactions"),
        sa.ForeignKeyConstraint(["work_id"], ["works.id"], name="fk_interactions_work_id"),
        sa.CheckConstraint("kind IN ('seen', 'heard', 'read', 'liked')", name="ck_interactions_kind"),
        sa.CheckConstraint("position >= 0", name="ck_interactions_position"),
        sa.CheckConstraint("person <> ''", name="ck_interactions_person"),
        **_MYSQL,
    )
    op.create_index("ix_interactions_work_id", "interactions", ["work_id"])
    op.create_index("ix_interactions_person", "interactions", ["person"])
    op.create_table(
        "shares",
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(255), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("work_id", "holder", name="pk_shares"),
        sa.ForeignKeyConstraint(["work_id"], ["works.id"], name="fk_shares_work_id"),
        sa.CheckConstraint("part BETWEEN 1 AND 10000", name="ck_shares_part"),
        sa.CheckConstraint("holder <> ''", name="ck_shares_holder"),
        **_MYSQL,
    )
    op.create_table(
        "licences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.Column("buyer", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("sold", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_licences"),
        sa.ForeignKeyConstraint(["work_id"], ["works.id"], name="fk_licences_work_id"),
        sa.UniqueConstraint("reference", name="uq_licences_reference"),
        sa.CheckConstraint("kind IN ('personal', 'commercial')", name="ck_licences_kind"),
        sa.CheckConstraint("cents >= 0", name="ck_licences_cents"),
        sa.CheckConstraint("length(currency) = 3 AND currency = upper(currency)", name="ck_licences_currency"),
        sa.CheckConstraint("buyer <> '' AND reference <> ''", name="ck_licences_named"),
        **_MYSQL,
    )
    op.create_index("ix_licences_work_id", "licences", ["work_id"])
    op.create_table(
        "payments",
        sa.Column("licence_id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(255), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("licence_id", "holder", name="pk_payments"),
        sa.ForeignKeyConstraint(["licence_id"], ["licences.id"], name="fk_payments_licence_id"),
        sa.CheckConstraint("cents >= 0", name="ck_payments_cents"),
        **_MYSQL,
    )


def downgrade() -> None:
    """Drop the tables, with all sales."""
    for table in ("payments", "licences", "shares", "interactions"):
        op.drop_table(table)
