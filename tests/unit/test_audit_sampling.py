"""Drawing samples: the same again, never more than there is, every unit of money with the same chance."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.sampling import Item, SamplingError, by_amount, by_chance, number, shares

ROOTS = st.binary(min_size=32, max_size=32)
SIZES = st.integers(1, 60)
COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 500))
AMOUNTS = st.lists(st.integers(1, 10**9), min_size=1, max_size=50)


def cases(strata: list[str]) -> list[Item]:
    """Return a case for each of these programmes."""
    return [Item(f"BSO-2026-{at:04d}", stratum, at) for at, stratum in enumerate(strata)]


def payments(cents: list[int]) -> list[Item]:
    """Return a payment for each of these sums."""
    return [Item(f"payment-{at}", "bai-alai", at, Decimal(sum_) / 100) for at, sum_ in enumerate(cents)]


def test_a_number_is_what_sha256sum_says_of_three_lines() -> None:
    """Whoever distrusts the program recomputes a number from the documented line."""
    root = bytes(range(32))
    # printf 'tamga-sample/1\n%s\n%s\n' 000102…1f BSO-2026-0001 | sha256sum
    known = "847772835bd6750dd2973fe48cc7dcbb6981c870f50fc2fb0de2eede7e49f6bc"
    assert number(root, "BSO-2026-0001").hex() == known


@given(COUNTS, st.integers(0, 3000))
def test_shares_make_the_size_and_are_within_one_of_the_part(counts: dict[str, int], size: int) -> None:
    """Every programme gives its part rounded down or up, never more than it has, together exactly the size."""
    whole, found = sum(counts.values()), shares(counts, size)
    drawn = min(size, whole)
    assert sum(found.values()) == drawn
    for name, count in counts.items():
        assert found[name] <= count
        assert abs(found[name] * whole - count * drawn) < max(whole, 1)


@given(st.lists(st.sampled_from("abc"), max_size=60), ROOTS, SIZES, st.randoms(use_true_random=False))
def test_the_order_of_items_decides_nothing(strata: list[str], root: bytes, size: int, chance: Random) -> None:
    """The same items under the same root give the same sample, in whatever order they are read, each once."""
    items = cases(strata)
    shuffled = chance.sample(items, len(items))
    drawn = by_chance(items, root, size)
    assert by_chance(shuffled, root, size) == drawn
    assert len({one.item.name for one in drawn}) == len(drawn) == min(size, len(items))


@given(st.integers(1, 60), ROOTS, st.integers(1, 59))
def test_a_larger_sample_of_one_programme_holds_the_smaller(count: int, root: bytes, size: int) -> None:
    """Asking for more adds to what was drawn and takes nothing back."""
    items = cases(["a"] * count)
    assert by_chance(items, root, size + 1)[: min(size, count)] == by_chance(items, root, size)


@given(AMOUNTS, ROOTS, SIZES)
def test_by_amount_there_are_exactly_as_many_hits_as_asked_for(cents: list[int], root: bytes, size: int) -> None:
    """Every hit falls on something, and an item is hit as often as its part of the money says, to within one."""
    items, whole = payments(cents), sum(cents)
    hits = {one.item.name: one.hits for one in by_amount(items, root, size)}
    assert sum(hits.values()) == size
    for item, sum_ in zip(items, cents, strict=True):
        assert abs(hits.get(item.name, 0) * whole - sum_ * size) < whole
        if sum_ * size >= whole:
            assert item.name in hits  # larger than the step: always drawn


@given(AMOUNTS, ROOTS, SIZES)
def test_the_hits_are_where_the_documented_rule_puts_them(cents: list[int], root: bytes, size: int) -> None:
    """Recomputed hit by hit from the rule's words, the same items are drawn."""
    items, whole = payments(cents), sum(cents) * 10
    start = int.from_bytes(number(root, "start")) * whole // 2**256
    expected: dict[str, int] = {}
    for hit in range(size):
        place = (start + hit * whole) // size
        at, end = 0, cents[0] * 10
        while place >= end:
            at += 1
            end += cents[at] * 10
        expected[items[at].name] = expected.get(items[at].name, 0) + 1
    assert {one.item.name: one.hits for one in by_amount(items, root, size)} == expected


def test_another_root_draws_others() -> None:
    """The sample hangs on the checkpoint: over two hundred cases two roots do not give the same ten."""
    items = cases(["a"] * 200)
    assert by_chance(items, bytes(32), 10) != by_chance(items, b"\x01" * 32, 10)


def test_what_has_no_amount_is_never_hit() -> None:
    """An event without money, or of nothing, is no monetary unit; with nothing else nothing is drawn."""
    empty = [Item("a", "", 0), Item("b", "", 1, Decimal(0))]
    assert by_amount(empty, bytes(32), 5) == []
    assert [one.item.name for one in by_amount([*empty, Item("c", "", 2, Decimal("0.01"))], bytes(32), 5)] == ["c"]


@pytest.mark.parametrize("size", [0, -1])
def test_a_sample_of_nothing_is_refused(size: int) -> None:
    """A sample has at least one item, by either method."""
    for draw in (by_chance, by_amount):
        with pytest.raises(SamplingError, match="at least one"):
            draw([], bytes(32), size)


def test_a_seed_that_is_no_root_is_refused() -> None:
    """Only 32 bytes are a root; a shortened one would be a seed that somebody chose."""
    with pytest.raises(SamplingError, match="32 bytes"):
        number(b"short", "a")
