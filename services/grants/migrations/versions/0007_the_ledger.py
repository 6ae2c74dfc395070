"""The ledger: lines that are added and never changed; the lines of an entry add up to nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# At commit, when all lines of the entry are there.
BALANCED = """
CREATE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM ledger_line WHERE entry = NEW.entry
             GROUP BY entry HAVING sum(amount) <> 0 OR count(DISTINCT currency) <> 1) THEN
    RAISE EXCEPTION 'entry % of the ledger does not balance', NEW.entry USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_line_balanced AFTER INSERT ON ledger_line
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced();
"""


def upgrade() -> None:
    op.create_table(
        "ledger_line",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("entry", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("call", sa.String(length=80), nullable=False),
        sa.Column("case", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.Numeric(precision=22, scale=3), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_name", sa.String(length=200), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ledger_line_some_ck")),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_line_pk")),
        sa.UniqueConstraint("entry", "line", name=op.f("ledger_line_entry_line_uq")),
    )
    op.create_index("ledger_line_case", "ledger_line", ["case", "id"], unique=False)
    op.create_index("ledger_line_order", "ledger_line", ["programme", "id"], unique=False)
    fund = ["programme", "call", "account", "currency"]
    op.create_index("ledger_line_fund", "ledger_line", fund, unique=False, postgresql_include=["amount"])
    op.execute(BALANCED)


def downgrade() -> None:
    op.drop_table("ledger_line")
    op.execute("DROP FUNCTION ledger_balanced()")
