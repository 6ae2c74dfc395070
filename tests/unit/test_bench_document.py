"""The document of the benchmarks: each writes its own part."""

from __future__ import annotations

from tests.bench.document import HEAD, Part, Section, together


def part(name: str, figure: str) -> Part:
    """Return a part with one table."""
    return Part(name, f"About {name}", ["2 cores"], [Section("Goals", ("what", "measured"), [("speed", figure)])])


def test_a_part_is_replaced_and_the_others_stay() -> None:
    """A second run of one benchmark changes its own figures alone, in their place; words of before are dropped."""
    document = together("# Of another make\n", part("queue", "12 ms"))
    document = together(document, part("moves", r"3 \1 ms"))
    assert together(document, part("queue", "12 ms")) == document
    changed = together(document, part("queue", "9 ms"))
    assert changed == document.replace("12 ms", "9 ms")
    assert changed.startswith(HEAD)
    assert changed.index("About queue") < changed.index("About moves")
    assert r"| speed | 3 \1 ms |" in changed
