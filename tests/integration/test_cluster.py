"""The cluster's story on processes of this machine, in the two scenes that matter most."""

from __future__ import annotations

import pytest

from shared.testing.cluster import native_cluster
from shared.testing.cluster_chaos import leader_killed, primary_killed, row_of, run


@pytest.mark.slow
def test_neither_the_leader_of_the_queues_nor_the_primary_takes_anything_with_it() -> None:
    """Three brokers and two databases under load: each is killed where it hurts, and every event is accounted for."""
    with native_cluster() as cluster:
        outcomes = run(cluster, (leader_killed, primary_killed))
    for outcome in outcomes:
        assert outcome.passed, row_of(outcome)
        assert outcome.events > 100
    assert outcomes[1].unanswered > 0, "the primary was killed and no commit noticed"
