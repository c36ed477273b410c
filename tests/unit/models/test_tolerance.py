"""What every edge takes for an id or a code, and what it does not."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.codes import read_code
from models.errors import BadCode
from models.identifiers import is_uuid, read_uuid


@given(
    uuid=st.uuids(),
    form=st.sampled_from(["{}", "{{{}}}", "({})", "urn:uuid:{}", "URN:UUID:{}", "  {}\u200b", "\ufeff{}\n"]),
)
def test_an_id_in_any_form_is_one_id(uuid: UUID, form: str) -> None:
    """Case, hyphens and what stands around it do not make another of it."""
    for text in (str(uuid), str(uuid).upper(), uuid.hex):
        expected = None if uuid.int in {0, 2**128 - 1} else str(uuid)
        assert read_uuid(form.format(text)) == expected


@given(text=st.text(alphabet="0123456789abcdef-_+ {}()x\uff11", min_size=30, max_size=40))
def test_what_python_takes_is_not_enough(text: str) -> None:
    """Whatever is taken is a UUID by its form, and has the digits of the text and no others."""
    found = read_uuid(text)
    if found is not None:
        assert is_uuid(found)
        assert found.replace("-", "") == "".join(each for each in text.lower() if each in "0123456789abcdef")
        assert not set(text) & set("_+x\uff11")


@pytest.mark.parametrize("value", [None, 17, True, 1.5, [], {}, b"0c000000-0000-4000-8000-000000000001"])
def test_what_is_no_text_is_none(value: object) -> None:
    """A number has lost its zeros by now."""
    assert read_uuid(value) is None
    with pytest.raises(BadCode):
        read_code(value)


def test_a_code_with_what_nobody_sees_around_it() -> None:
    """A space inside is no such thing."""
    assert read_code("\u00a0anna-oooool \u200b") == "ANNA000001"
    with pytest.raises(BadCode):
        read_code("ANNA 000001")
