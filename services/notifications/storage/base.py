"""What all tables of notifications stand on."""

from __future__ import annotations

from shared.checkpoints import checkpoint_table
from shared.database import service_metadata

metadata = service_metadata()
checkpoint_table(metadata)
