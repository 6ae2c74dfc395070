"""The scenarios of the reliability suite: each is one test of this name, numbered by its place here."""

from __future__ import annotations

PRODUCER = (
    "test_crash_after_commit_before_publish",
    "test_crash_after_publish_before_mark",
    "test_rollback_publishes_nothing",
    "test_broker_down_while_committing",
    "test_broker_restart_during_batch",
    "test_network_cut_mid_batch",
    "test_network_black_hole",
    "test_memory_alarm_blocks_then_resumes",
    "test_disk_alarm_blocks_then_resumes",
    "test_unroutable_event_is_held_not_lost",
    "test_nacked_by_full_queue",
    "test_two_relays_one_leader",
    "test_leader_killed_failover_under_s",
    "test_long_transaction_does_not_hide_rows",
    "test_order_per_aggregate_under_concurrency",
)
CONSUMER = (
    "test_duplicate_delivery_sequential",
    "test_duplicate_delivery_concurrent",
    "test_crash_after_effect_before_ack",
    "test_connection_cut_mid_handler",
    "test_sigterm_mid_handler_acks",
    "test_sigterm_deadline_exceeded_redelivers",
    "test_out_of_order_is_parked_then_applied",
    "test_missing_event_raises_gap_alarm",
    "test_transient_error_backs_off",
    "test_poison_goes_to_quarantine_once",
    "test_poison_does_not_block_others",
    "test_undecodable_body_is_quarantined",
    "test_unknown_event_version_is_quarantined",
    "test_replay_after_fix",
    "test_replay_twice_is_harmless",
    "test_bulk_replay_by_fingerprint",
    "test_slow_consumer_bounded_memory",
    "test_database_down_pauses_not_crashes",
    "test_deadlock_is_retried",
    "test_delivery_limit_never_reached",
    "test_queue_deleted_under_us",
    "test_wrong_queue_type_fails_fast",
)
SYSTEM = (
    "test_saga_timeout_fires_once",
    "test_rebuild_projection_equals_live",
    "test_rolling_deploy_v1_v2",
    "test_conservation_law",
    "test_clock_skew",
    "test_random_chaos_seeded",
)
SCENARIOS = PRODUCER + CONSUMER + SYSTEM


def number_of(test: str) -> int:
    """Return a scenario's number; 0 for a test that is none."""
    name = test.partition("[")[0]
    return SCENARIOS.index(name) + 1 if name in SCENARIOS else 0
