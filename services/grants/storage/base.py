"""The metadata to which every table of this service belongs."""

from __future__ import annotations

from shared.checkpoints import checkpoint_table
from shared.database import service_metadata

metadata = service_metadata()
checkpoint_table(metadata)
