"""Identifiers sort by the time they were made."""

from shared.clock import new_id


def test_ids_are_version_7_and_never_twice_the_same() -> None:
    """Version and variant are those of RFC 9562, and ten thousand ids differ."""
    made = [new_id() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}


def test_ids_sort_in_the_order_they_were_made() -> None:
    """Ids made one after the other sort so, also within one millisecond (the clock may tick equally once)."""
    made = [new_id().int >> 64 for _ in range(2_000)]
    assert made == sorted(made)
