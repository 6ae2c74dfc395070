"""Who is writing a draft right now; applications that look alike, and what was decided about them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "editing",
        sa.Column("application", sa.String(length=80), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("application", "person", name=op.f("editing_pk")),
    )
    op.create_table(
        "likeness",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("one", sa.String(length=80), nullable=False),
        sa.Column("other", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("likeness_pk")),
    )
    op.add_column("organisation", sa.Column("registration_number", sa.String(length=80), nullable=True))
    op.create_index("organisation_number", "organisation", ["registration_number"])
    op.create_index("likeness_one", "likeness", ["one"])
    op.create_index("likeness_other", "likeness", ["other"])


def downgrade() -> None:
    op.drop_index("organisation_number", "organisation")
    op.drop_column("organisation", "registration_number")
    op.drop_table("likeness")
    op.drop_table("editing")
