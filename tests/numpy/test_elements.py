"""Functions of elements: values and dtypes for every kind of operand."""

from __future__ import annotations

import pytest

from both_numpys import check_same

UNARY = """
negative positive absolute fabs sign square reciprocal sqrt cbrt
exp exp2 expm1 log log2 log10 log1p sin cos
tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh
arctanh degrees radians floor ceil trunc rint isnan isinf
isfinite signbit logical_not invert conjugate
"""
BINARY = """
add subtract multiply divide floor_divide remainder fmod
power float_power maximum minimum fmax fmin heaviside
copysign hypot logaddexp logaddexp2 arctan2 equal not_equal
less less_equal greater greater_equal logical_and logical_or logical_xor
bitwise_and bitwise_or bitwise_xor left_shift right_shift nextafter
"""
OPERANDS = ("a", "f", "h", "i", "t", "u", "m", "n")
PAIRS = (
    "a, v", "f, 2", "f, 2.5", "i, j", "i, 2", "i, 1.5", "u, t", "s, f[0, 0]", "m, m", "m, i",
    "h, f[0]", "h, s", "2, a", "n, n", "u, 3", "i, 0", "z, z", "v, w", "k, True",
)  # fmt: skip
# float16 has no neighbours here, and NumPy's 1 / 0 of integers is whatever the machine gives.
EXCEPT = {("nextafter", pair) for pair in ("u, t", "m, m", "h, s", "u, 3", "k, True")} | {
    ("reciprocal", "i")
}


def cases(functions: str, operands: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (name, given)
        for name in functions.split()
        for given in operands
        if (name, given) not in EXCEPT
    ]


@pytest.mark.parametrize(("name", "given"), cases(UNARY, OPERANDS) + cases(BINARY, PAIRS))
def test_as_numpy(name: str, given: str) -> None:
    check_same(f"np.{name}({given})")
