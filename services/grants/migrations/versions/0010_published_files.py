"""Files that were published, and what a programme states of itself for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _entity(name: str, *columns: "sa.Column[str] | sa.Column[int]") -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", JSONB(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_pk")),
    )


def upgrade() -> None:
    _entity(
        "publication",
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
    )
    op.create_index("publication_number", "publication", ["programme", "format", "number"], unique=True)
    _entity("publisher")


def downgrade() -> None:
    op.drop_table("publisher")
    op.drop_table("publication")
