"""einsum means what NumPy's means, and says what is wrong with an equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flambeau
from flambeau.tensor.equation import parse


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[tuple[int, ...]]]:
    """One to three operands with labels from 'abcd', repeated or not, and a result of some."""
    sizes = {label: draw(st.integers(1, 3)) for label in "abcd"}
    label = st.sampled_from("abcd")
    terms = draw(st.lists(st.lists(label, max_size=4), min_size=1, max_size=3))
    known = sorted({label for term in terms for label in term})
    output = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    equation = ",".join("".join(term) for term in terms) + "->" + "".join(output)
    return equation, [tuple(sizes[label] for label in term) for term in terms]


@given(equations())
def test_random_equations(case: tuple[str, list[tuple[int, ...]]]) -> None:
    equation, shapes = case
    values = np.random.default_rng(len(equation))
    arrays = [values.standard_normal(shape) for shape in shapes]
    found = flambeau.einsum(equation, *[flambeau.tensor(one) for one in arrays])
    np.testing.assert_allclose(found.numpy(), np.einsum(equation, *arrays), atol=1e-12)


def test_upper_case_comes_first_in_an_implicit_result() -> None:
    assert parse("aB", [(2, 3)])[1] == ("B", "a")
    first = flambeau.einsum(flambeau.ones(2, 3), [51, 2])
    assert first.shape == (3, 2)


def test_a_dimension_of_size_one_broadcasts() -> None:
    x = flambeau.einsum("ij,kj->ik", flambeau.ones(2, 1), flambeau.ones(3, 4))
    assert x.tolist() == [[4.0] * 3] * 2


def test_the_result_is_a_tensor_of_its_own() -> None:
    x = flambeau.ones(2, 2)
    flambeau.einsum("ij->ij", x).zero_()
    assert x.sum().item() == 4


ones = flambeau.ones
REFUSED: list[tuple[tuple[Any, ...], type[Exception], str]] = [
    (("",), ValueError, "at least one operand"),
    (("ij,jk", ones(2, 2)), RuntimeError, "fewer operands were provided"),
    (("ij", ones(2, 2), ones(2, 2)), RuntimeError, "more operands were provided"),
    (("ij->k", ones(2, 2)), RuntimeError, "output subscript k does not appear"),
    (("ij->ii", ones(2, 2)), RuntimeError, "output subscript i appears more than once"),
    (("i j->i1", ones(2, 2)), RuntimeError, "invalid subscript given at index 6"),
    (("ij->->", ones(2, 2)), RuntimeError, "invalid subscript given at index 4"),
    (("i", ones(2, 2)), RuntimeError, r"\(1\) does not match .* \(2\) for operand 0 and no"),
    (("ijk...", ones(2, 2)), RuntimeError, r"\(3\) is more than .* \(2\) for operand 0"),
    (("i..j", ones(2, 2)), RuntimeError, "found '.' for operand 0 that is not part"),
    (("i...j...", ones(2, 2)), RuntimeError, "for which an ellipsis was already found"),
    (("ij->i...j...", ones(2, 2)), RuntimeError, "found '.' for output but an ellipsis"),
    (("ii", ones(2, 3)), RuntimeError, "the sizes don't match, 3 != 2"),
    (("ij,jk", ones(2, 3), ones(2, 2)), RuntimeError, "has size 2 for operand 1"),
    (("ij,jk", ones(2, 2), ones(2, 2).double()), RuntimeError, "expected scalar type Float"),
    ((ones(2, 2), [0, 60], [1]), ValueError, r"not within the valid range \[0, 52\)"),
    ((["ij"], ones(2, 2)), TypeError, "must be str, not list"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals(number: int) -> None:
    arguments, kind, message = REFUSED[number]
    with pytest.raises(kind, match=message):
        flambeau.einsum(*arguments)
