"""Names in two alphabets and with legal forms are compared as people would."""

from __future__ import annotations

import pytest

from services.grants.domain import likeness
from shared.names import folded, number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ООО «Ромашка»", "Romashka LLC"),
        ("Вардар Кабел ДООЕЛ Скопје", "VARDAR KABEL d.o.o.e.l. Skopje"),
        ("Живко Јовановски", "Zhivko Jovanovski"),
        ("Živko Jovanovski", "Živko Jovanovski"),
        ("Общество с ограниченной ответственностью Щит", "OOO Shchit"),
        ("Юлия Яковлева", "Yulia Yakovleva"),
        ("Müller & Söhne GmbH", "MULLER SOHNE"),
        ("Друштво со ограничена одговорност Пелагонија", "Pelagonija DOO"),
    ],
)
def test_one_name_in_two_spellings(one: str, other: str) -> None:
    """Alphabet, accents, quotes, dots and the legal form make no difference."""
    assert folded(one) == folded(other)


def test_different_names_stay_different() -> None:
    """Folding takes nothing of the name itself, and a name that is all form stays."""
    assert folded("Vardar Cable Works") != folded("Vardar Steel Works")
    assert folded("AD") == "ad"
    assert folded("Економика") == "ekonomika"


def test_numbers_are_compared_by_letters_and_digits() -> None:
    """A tax number with its country's letters, spaces and dashes is the number."""
    assert number("MK 4030-995.110024") == "MK4030995110024"


def test_capitals_of_turkish_words_are_the_same_words() -> None:
    """The dotless i is an i, where names are compared with lists and with other applications' names alike."""
    for compared in (folded, likeness.folded):
        assert compared("IŞIK VAKFI İSTANBUL") == compared("Işık Vakfı İstanbul")
