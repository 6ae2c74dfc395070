"""People are found by their organisation: every judging act asks who acts for the applicant."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("person_organisation", "person", ["organisation"])


def downgrade() -> None:
    op.drop_index("person_organisation", table_name="person")
