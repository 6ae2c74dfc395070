"""What organisations are looked for by: type, country, numbers, and whether something waits to be confirmed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (
        ("kind", sa.String(length=40)),
        ("country", sa.String(length=2)),
        ("registration", sa.String(length=60)),
        ("tax", sa.String(length=60)),
        ("standing", sa.String(length=20)),
        ("waits", sa.Boolean()),
    ):
        op.add_column("organisation", sa.Column(name, kind, nullable=True))
    # Their numbers count from now on for those that are there already.
    op.execute(
        r"""
        UPDATE organisation SET kind = state->>'kind', country = state->>'country', standing = 'known', waits = false,
        registration = left(upper(regexp_replace(state->>'registration_number', '[\W_]+', '', 'g')), 60)
        """
    )
    op.create_index("organisation_name_order", "organisation", ["name", "id"])
    op.create_index("organisation_registration", "organisation", ["country", "registration"])
    op.create_index("organisation_tax", "organisation", ["country", "tax"])
    op.create_index("organisation_waiting", "organisation", ["id"], postgresql_where=sa.text("waits"))


def downgrade() -> None:
    for name in ("waiting", "tax", "registration", "name_order"):
        op.drop_index(f"organisation_{name}", "organisation")
    for name in ("waits", "standing", "tax", "registration", "country", "kind"):
        op.drop_column("organisation", name)
