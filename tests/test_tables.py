from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.tables import difference, merged, nested, values_of

names = st.sampled_from("abc")
tables = st.recursive(
    st.dictionaries(names, st.integers(0, 2) | st.booleans() | st.lists(st.integers(0, 1), max_size=1), max_size=3),
    lambda inner: st.dictionaries(names, inner | st.integers(0, 2), max_size=3),
    max_leaves=6,
)


def test_values_have_dotted_keys():
    assert dict(values_of({"a": {"b": 1, "c": {}}, "d": [2]})) == {"a.b": 1, "a.c": {}, "d": [2]}
    assert nested("a.b.c", 1) == {"a": {"b": {"c": 1}}}


def test_the_upper_table_wins_and_leaves_what_it_does_not_have():
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert merged({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_true_and_1_differ():
    assert difference({"a": True}, {"a": 1}) == {"a": True}
    assert difference({"a": 1.0}, {"a": 1}) == {}


@given(tables, tables)
def test_a_difference_merged_gives_all_of_the_upper_table(above, below):
    both = merged(below, difference(above, below))
    assert difference(above, both) == {}
    assert difference(above, above) == {}
