"""What differs, in the parts that are ours: no more, no less, and readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.drift import changed_names, drift, filled

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@given(OBJECTS, OBJECTS)
def test_what_the_other_side_adds_is_no_difference(wanted, added):
    assert drift(wanted, added | wanted, "x") == ""


@given(OBJECTS, st.data())
def test_any_value_of_ours_that_differs_is_named(wanted, data):
    if not wanted:
        return
    name = data.draw(st.sampled_from(sorted(wanted)))
    found = wanted | {name: {"somebody": "changed it"}}
    if wanted[name] == {}:
        return
    assert changed_names(wanted, found) == (name,)
    assert drift(wanted, found, "x")


def test_a_long_text_differs_by_its_line():
    told = drift({"note": "one\ntwo\nthree"}, {"note": "one\n2\nthree"}, "rule")
    assert [line for line in told.splitlines() if line.startswith(("-  ", "+  "))] == ['-    "2",', '+    "two",']


def test_what_is_not_there_is_added_whole():
    told = drift({"name": "rule"}, None, "rule")
    assert [line[0] for line in told.splitlines()[3:]] == ["+", "+", "+"]


def test_a_value_fills_a_place_and_never_a_text():
    values = {"url": '","x":"', "indices": ["a-*", "b-*"]}
    assert filled({"u": "$url", "i": ["$indices", "b-*"], "t": "is $url"}, values) == {
        "u": '","x":"', "i": ["a-*", "b-*"], "t": "is $url"
    }  # fmt: skip


def test_a_place_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        filled({"u": "$url"}, {})
