"""Keyset pages and form models."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from shared.errors import InvalidError
from shared.web.forms import FormModel, field_errors, invalid
from shared.web.paging import decode_cursor, encode_cursor, page_of


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    """The next page starts after exactly the last row shown."""
    assert decode_cursor(encode_cursor(["Žarko", 7, None]), 3) == ["Žarko", 7, None]
    assert decode_cursor("", 2) is None


@pytest.mark.parametrize(
    "cursor",
    ["rubbish", "%%%", "e30", "WzFd", base64.urlsafe_b64encode(b'["a\\u0000", "b"]').decode(), "A" * 9, "ÿ"],
)
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    """Whatever was not made by a list is bad input that names the field."""
    with pytest.raises(InvalidError) as refused:
        decode_cursor(cursor, 2)
    assert "cursor" in refused.value.fields


def test_the_last_page_has_no_cursor() -> None:
    """One row more than the page shows that there is a next page; without it there is none."""
    rows = [(name,) for name in "abc"]
    assert page_of(rows, 2, lambda row: row).items == rows[:2]
    assert page_of(rows, 2, lambda row: row).next is not None
    assert page_of(rows[:2], 2, lambda row: row).next is None


class _Form(FormModel):
    amount: int
    note: str = ""


def test_unknown_fields_and_wrong_types_are_named_with_their_rule() -> None:
    """Each wrong field is named, each with the rule it breaks."""
    with pytest.raises(ValidationError) as refused:
        _Form.model_validate({"amount": "many", "approved_by": "me"})
    assert invalid(refused.value).fields == {
        "amount": "is not a whole number",
        "approved_by": "is not a field of this form",
    }


def test_a_field_inside_another_is_named_by_its_way() -> None:
    """Errors deep inside a body name the way to the field, without the words of the framework."""
    errors = [{"loc": ("body", "lines", 2, "amount"), "msg": "Value error, is not an amount", "type": "value_error"}]
    assert field_errors(errors) == {"lines.2.amount": "is not an amount"}
