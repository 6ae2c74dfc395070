"""The messaging guarantees: outbox, relay, inbox, quarantine, consumer, topology."""
