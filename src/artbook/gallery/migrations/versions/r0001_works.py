"""The works: sources, makers, works with their editions, provenance and exhibitions."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
_CONTENT = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("digest", name="uq_sources_digest"),
        **_MYSQL,
    )
    op.create_table(
        "makers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("chapter", sa.String(255), nullable=False),
        sa.Column("weights", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_makers"),
        sa.UniqueConstraint("digest", name="uq_makers_digest"),
        **_MYSQL,
    )
    op.create_table(
        "works",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("alt", sa.Text(), nullable=False),
        sa.Column("media", sa.String(255), nullable=False),
        sa.Column("content", _CONTENT, nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("maker_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_works"),
        sa.ForeignKeyConstraint(["maker_id"], ["makers.id"], name="fk_works_maker_id"),
        sa.UniqueConstraint("digest", name="uq_works_digest"),
        sa.UniqueConstraint("name", "edition", name="uq_works_name_edition"),
        sa.CheckConstraint("edition >= 1", name="ck_works_edition"),
        **_MYSQL,
    )
    op.create_index("ix_works_maker_id", "works", ["maker_id"])
    op.create_table(
        "work_sources",
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("work_id", "source_id", name="pk_work_sources"),
        sa.ForeignKeyConstraint(["work_id"], ["works.id"], name="fk_work_sources_work_id"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_work_sources_source_id"),
        sa.CheckConstraint("place >= 0", name="ck_work_sources_place"),
        **_MYSQL,
    )
    op.create_index("ix_work_sources_source_id", "work_sources", ["source_id"])
    op.create_table(
        "provenance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("origin_id", sa.Integer(), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provenance"),
        sa.ForeignKeyConstraint(["work_id"], ["works.id"], name="fk_provenance_work_id"),
        sa.ForeignKeyConstraint(["origin_id"], ["works.id"], name="fk_provenance_origin_id"),
        sa.CheckConstraint("kind IN ('made', 'edition', 'derived')", name="ck_provenance_kind"),
        sa.CheckConstraint("(origin_id IS NULL) = (kind = 'made')", name="ck_provenance_origin"),
        sa.CheckConstraint("origin_id < work_id", name="ck_provenance_order"),
        **_MYSQL,
    )
    op.create_index("ix_provenance_work_id", "provenance", ["work_id"])
    op.create_index("ix_provenance_origin_id", "provenance", ["origin_id"])
    op.create_table(
        "exhibits",
        sa.Column("exhibition", sa.String(255), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("work_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("exhibition", "place", name="pk_exhibits"),
        sa.ForeignKeyConstraint(["work_id"], ["works.id"], name="fk_exhibits_work_id"),
        sa.UniqueConstraint("exhibition", "work_id", name="uq_exhibits_exhibition_work_id"),
        sa.CheckConstraint("place >= 0", name="ck_exhibits_place"),
        **_MYSQL,
    )
    op.create_index("ix_exhibits_work_id", "exhibits", ["work_id"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("exhibits", "provenance", "work_sources", "works", "makers", "sources"):
        op.drop_table(table)
