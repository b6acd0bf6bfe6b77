"""Layout and coefficients that the kernels for random numbers share with their NumPy meaning."""

from __future__ import annotations

import struct

# An int32 array: the words of MT19937 and what follows them.
# At position WORDS no word is left; SEEDED says nothing was drawn.
WORDS = 624
POSITION, HAS_NORMAL, NORMAL, STATE_WORDS = WORDS, WORDS + 1, WORDS + 2, WORDS + 4
SEEDED = WORDS + 1

# Normal numbers are made in blocks of 16, with the polynomials of Cephes.
BLOCK, HALF = 16, 8


def as_float32(value: float) -> float:
    """The nearest float32."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
LN2_HIGH, LN2_LOW = 0.693359375, as_float32(-2.12194440e-4)
SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
MINUS_QUARTER_PI = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
