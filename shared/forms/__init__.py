"""Forms as data: a JSON Schema with our words on top, read strictly, and answers checked against it.

A form is written by a programme, checked when the programme is loaded, and asked by the service whose it is.
"""

from shared.forms.checking import answer_problems, rows_of, shown, sum_problems, tidy, words
from shared.forms.eligibility import FACTS, Criterion, Judged, judge
from shared.forms.model import Choice, Form, Names, Question, Section, Sum, When
from shared.forms.programmes import call_problems, judging_problems
from shared.forms.reading import read

__all__ = [
    "FACTS",
    "Choice",
    "Criterion",
    "Form",
    "Judged",
    "Names",
    "Question",
    "Section",
    "Sum",
    "When",
    "answer_problems",
    "call_problems",
    "judge",
    "judging_problems",
    "read",
    "rows_of",
    "shown",
    "sum_problems",
    "tidy",
    "words",
]
