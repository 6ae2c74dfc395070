"""Names made comparable: one alphabet, no accents, no legal forms, so that two spellings of one name meet."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Cyrillic as it is most often written in Latin letters; one letter may become several. Russian, Macedonian,
# Serbian, Ukrainian, Bulgarian, Kazakh and Kyrgyz letters; what Russian and South Slavic write differently is levelled
# below, in `_LEVEL`.
_LATIN = {
    **dict(zip("абвгдезийклмнопрстуф", "abvgdeziiklmnoprstuf", strict=True)),
    "ё": "e",
    "ж": "zh",
    "х": "h",
    "ц": "c",
    "ч": "ch",
    "ш": "sh",
    "щ": "sh",
    "ъ": "",
    "ы": "i",
    "ь": "",
    "э": "e",
    "ю": "iu",
    "я": "ia",
    "ѓ": "g",
    "ѕ": "dz",
    "ј": "i",
    "љ": "l",
    "њ": "n",
    "ќ": "k",
    "џ": "dzh",
    "ђ": "g",
    "ћ": "ch",
    "і": "i",
    "ї": "i",
    "є": "e",
    "ґ": "g",
    "ә": "a",
    "ғ": "g",
    "қ": "k",
    "ң": "n",
    "ө": "o",
    "ұ": "u",
    "ү": "u",
    "һ": "h",
    "đ": "g",
    "ł": "l",
    "ø": "o",
    "ß": "ss",
    "æ": "e",
    "œ": "e",
    "ð": "d",
    "þ": "t",
    "ı": "i",
}
_TABLE = str.maketrans(_LATIN)
# Latin spellings of one sound: "Zhivko", "Živko" and "Jivko" are one man's passports.
_LEVEL = tuple(
    pair.split(">")
    for pair in [
        "tch>ch",
        "tsch>ch",
        "sch>sh",
        "shch>sh",
        "kh>h",
        "ts>c",
        "tz>c",
        "yu>iu",
        "ju>iu",
        "ya>ia",
        "ja>ia",
        "yo>e",
        "ye>e",
        "ph>f",
        "ck>k",
        "x>ks",
        "w>v",
        "y>i",
        "j>i",
        "ii>i",
    ]
)
_HACEK = {"č": "ch", "ć": "ch", "š": "sh", "ž": "zh", "ş": "sh", "ç": "ch"}

_FORMS = frozenset(
    [
        "llc",
        "ltd",
        "limited",
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "co",
        "company",
        "plc",
        "llp",
        "lp",
        "gmbh",
        "ag",
        "kg",
        "ohg",
        "mbh",
        "sa",
        "sarl",
        "sas",
        "srl",
        "spa",
        "bv",
        "nv",
        "oy",
        "ab",
        "as",
        "aps",
        "doo",
        "dooel",
        "ad",
        "eood",
        "ood",
        "tp",
        "jsc",
        "pjsc",
        "ojsc",
        "cjsc",
        "ooo",
        "oao",
        "zao",
        "pao",
        "ao",
        "ip",
        "tov",
        "too",
        "chp",
        "sro",
        "ik",
        "ks",
        "kd",
        "sh",
        "shpk",
        "foundation",
        "fond",
        "ngo",
        "the",
        "and",
        "of",
        "i",
    ]
)
_LONG_FORMS = (
    "drushtvo so ogranichena odgovornost",
    "drustvo so ogranicena odgovornost",
    "drushtvo s ogranichenom odgovornoshcu",
    "obshestvo s ogranichennoi otvetstvennostiu",
    "akcionernoe obshestvo",
    "publichnoe akcionernoe obshestvo",
    "zakritoe akcionernoe obshestvo",
    "individualnii predprinimatel",
    "akcionersko drushtvo",
    "limited liability company",
    "joint stock company",
)
_NOT_WORDS = re.compile(r"[^a-z0-9]+")
_DOTTED = re.compile(r"\b(?:\w\.){2,}\w?")


@lru_cache(maxsize=4096)  # a list of cases compares the same few names again and again
def latin(text: str) -> str:
    """Return text in small Latin letters without accents; ДООЕЛ, d.o.o.e.l. and DOOEL are one."""
    small = _DOTTED.sub(lambda found: found[0].replace(".", ""), text.casefold())
    for letters, sound in _HACEK.items():
        small = small.replace(letters, sound)
    small = small.translate(_TABLE)
    bare = "".join(c for c in unicodedata.normalize("NFKD", small) if not unicodedata.combining(c))
    bare = bare.translate(_TABLE)  # letters whose accent was a sign of its own
    for written, sound in _LEVEL:
        bare = bare.replace(written, sound)
    return " ".join(_NOT_WORDS.sub(" ", bare).split())


_LEVELLED_FORMS = tuple(latin(form) for form in _LONG_FORMS)


def folded(name: str) -> str:
    """Return a name as it is compared: in Latin letters, without its legal form."""
    plain = latin(name)
    cut = f" {plain} "
    for form in _LEVELLED_FORMS:
        cut = cut.replace(f" {form} ", " ")
    words = [word for word in cut.split() if word not in _FORMS]
    return " ".join(words) or plain


def number(text: str) -> str:
    """Return a registration or tax number as it is compared: letters and digits alone."""
    return "".join(c for c in text.upper() if c.isalnum())
