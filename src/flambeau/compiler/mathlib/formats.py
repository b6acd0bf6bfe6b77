"""What the functions need to know of float32 and float64, and the tricks with their bits."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from flambeau.compiler.mathlib import avx512
from flambeau.compiler.mathlib.lanes import F32, I32, I64, Lanes, fma, select

LN2 = 0.6931471805599453
PI = (3.141592653589793, 1.2246467991473532e-16)  # the nearest number and what it leaves


@dataclass(frozen=True)
class Format:
    """A floating-point format."""

    integer: ir.Type
    mantissa_bits: int
    bias: int
    log2_e: float
    ln2: float  # nearest to ln 2
    ln2_error: float  # ln 2 minus that
    ln2_short: float  # with enough zeros at its end that k * ln2_short is exact
    ln2_rest: float  # ln 2 minus that

    @property
    def magic(self) -> float:
        """1.5 2^mantissa_bits: adding it rounds to an integer, which sits in the low bits."""
        return 1.5 * 2.0**self.mantissa_bits

    @property
    def magic_bits(self) -> int:
        """`magic` as an integer."""
        return ((self.bias + self.mantissa_bits) << self.mantissa_bits) + (
            1 << (self.mantissa_bits - 1)
        )

    @property
    def epsilon(self) -> float:
        """The relative spacing of numbers."""
        return 2.0**-self.mantissa_bits

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with a full mantissa."""
        return 2.0 ** (1 - self.bias)

    @property
    def one_bits(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.mantissa_bits


SINGLE = Format(
    integer=I32,
    mantissa_bits=23,
    bias=127,
    log2_e=float.fromhex("0x1.715476p+0"),
    ln2=float.fromhex("0x1.62e430p-1"),
    ln2_error=float.fromhex("-0x1.05c610p-29"),
    ln2_short=float.fromhex("0x1.62e4p-1"),
    ln2_rest=float.fromhex("0x1.7f7d1cp-20"),
)
DOUBLE = Format(
    integer=I64,
    mantissa_bits=52,
    bias=1023,
    log2_e=float.fromhex("0x1.71547652b82fep+0"),
    ln2=float.fromhex("0x1.62e42fefa39efp-1"),
    ln2_error=float.fromhex("0x1.abc9e3b39803fp-56"),
    ln2_short=float.fromhex("0x1.62e42fefa38p-1"),
    ln2_rest=float.fromhex("0x1.ef35793c7673p-45"),
)


def format_of(x: Lanes) -> Format:
    """The format of numbers, or of integers holding the bits of numbers."""
    return SINGLE if x.scalar in (F32, I32) else DOUBLE


def round_to_integer(x: Lanes, factor: float = 1.0) -> tuple[Lanes, Lanes]:
    """`x * factor` rounded to an integer, as a number and as an integer.

    No conversion instruction, which would be undefined for NaN and slow in 64 bits.
    """
    form = format_of(x)
    shifted = fma(x, factor, form.magic)
    return shifted - form.magic, shifted.to_bits() - form.magic_bits


def to_number(integer: Lanes) -> Lanes:
    """A small signed integer as a number of the same width."""
    form = format_of(integer)
    return (integer + form.magic_bits).to_float() - form.magic


def power_of_two(exponent: Lanes) -> Lanes:
    """2^exponent for an integer in the normal range."""
    form = format_of(exponent)
    return ((exponent + form.bias) << form.mantissa_bits).to_float()


def scale(x: Lanes, exponent: Lanes) -> Lanes:
    """x 2^exponent: two steps reach denormals and infinity with a single rounding."""
    if avx512.serves(x):
        return avx512.scale(x, to_number(exponent))
    half = exponent >> 1
    return x * power_of_two(half) * power_of_two(exponent - half)


def scale_normal(x: Lanes, exponent: Lanes) -> Lanes:
    """x 2^exponent for x in [0.5, 2): as `scale` with less work, but nonsense for a NaN."""
    if avx512.serves(x):
        return avx512.scale(x, to_number(exponent))
    form = format_of(x)
    whole, half = exponent << form.mantissa_bits, (exponent >> 1) << form.mantissa_bits
    rest = (whole - half + form.one_bits).to_float()
    return (x.to_bits() + half).to_float() * rest


def split(x: Lanes, lowest: float) -> tuple[Lanes, Lanes]:
    """Positive finite x as (m, k): x = m 2^k, m in [lowest, 2 lowest)."""
    form = format_of(x)
    shift = form.mantissa_bits + 1
    denormal = x < form.smallest_normal
    bits = select(denormal, x * 2.0**shift, x).to_bits()
    offset = bits - (x.lift(lowest).to_bits())
    exponent = offset >> form.mantissa_bits
    mantissa = (bits - (exponent << form.mantissa_bits)).to_float()
    return mantissa, exponent - select(denormal, exponent.lift(shift), 0)
