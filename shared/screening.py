"""How alike two names are that `shared.names.folded` made comparable: 0 to 100, order and extra words forgiven."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, process

# A name that holds all words of another is not the same name yet.
PART_OF = 0.95
MOST = 25
_SHORT = 4  # names of so few letters are alike by chance: they must be the same


def alike(key: str, keys: Sequence[str], least: int) -> list[tuple[int, int]]:
    """Return (place in `keys`, score) of the names that score at least `least`, the best first, at most 25."""
    if len(key) <= _SHORT:
        return [(place, 100) for place, other in enumerate(keys) if other == key][:MOST]
    sorted_words = process.extract(key, keys, scorer=fuzz.token_sort_ratio, score_cutoff=least, limit=MOST)
    found: dict[int, float] = {place: score for _, score, place in sorted_words}
    if " " in key:
        parts = process.extract(key, keys, scorer=fuzz.token_set_ratio, score_cutoff=least / PART_OF, limit=MOST)
        for other, score, place in parts:
            if len(set(key.split()) & set(other.split())) > 1:
                found[place] = max(found.get(place, 0), score * PART_OF)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(place, int(score)) for place, score in ranked[:MOST] if len(keys[place]) > _SHORT]
