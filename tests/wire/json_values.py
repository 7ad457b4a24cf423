"""Strategies for JSON: values that any strict reader takes, and texts around a spot where something is planted."""

from __future__ import annotations

from hypothesis import strategies as st

# Not a lone surrogate and not NUL: what a text on the wire may hold.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
integers = st.integers(-(2**63), 2**63 - 1)
values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=25,
)

_SURROUNDINGS = ("[%s]", '{"a":%s}', "[1,%s,null]", '{"x":"y","z":%s,"w":[]}', ' [ "a" , %s ] ')


@st.composite
def around(draw: st.DrawFn, spot: str) -> str:
    """Draw a JSON text that has `spot` somewhere inside, at the top or down to eight levels deep."""
    text = spot
    for shape in draw(st.lists(st.sampled_from(_SURROUNDINGS), max_size=8)):
        text = shape.replace("%s", text)
    return text
