"""NumPy's random numbers: its own generators draw on the host, and the arrays are ours.

So the same seed gives NumPy's numbers, to the bit. The functions of this module draw from NumPy's
one global generator, which `numpy.random.seed` seeds too.

>>> import flambeau.numpy as np
>>> np.random.seed(0)
>>> np.random.randn(2)
array([1.76405235, 0.40015721])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flambeau.numpy._ndarray import from_host, host_value, ndarray

BitGenerator = np.random.BitGenerator
MT19937 = np.random.MT19937
PCG64 = np.random.PCG64
PCG64DXSM = np.random.PCG64DXSM
Philox = np.random.Philox
SFC64 = np.random.SFC64
SeedSequence = np.random.SeedSequence

_SHARED = """
    beta binomial bytes chisquare choice dirichlet exponential f gamma geometric gumbel
    hypergeometric laplace logistic lognormal logseries multinomial multivariate_normal
    negative_binomial noncentral_chisquare noncentral_f normal pareto permutation poisson power
    random rayleigh standard_cauchy standard_exponential standard_gamma standard_normal standard_t
    triangular uniform vonmises wald weibull zipf"""
_LEGACY = "rand randint randn random_sample tomaxint"
_MODERN = "integers multivariate_hypergeometric permuted"


class _Drawing:
    """What the two kinds of generators share: NumPy's own, and `shuffle` for our arrays."""

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy

    def __repr__(self) -> str:
        return repr(self._numpy)

    def shuffle(self, x: Any, *axis: int) -> None:
        """Put the elements (or slices along the first dimension) in a random order, in place."""
        if not isinstance(x, ndarray):
            self._numpy.shuffle(x, *axis)
            return
        value = np.array(host_value(x))
        self._numpy.shuffle(value, *axis)
        x[...] = value


class RandomState(_Drawing):
    """NumPy's legacy generator: MT19937 and its stream of numbers, frozen for good."""

    def __init__(self, seed: Any = None) -> None:
        super().__init__(np.random.RandomState(host_value(seed)))

    def seed(self, seed: Any = None) -> None:
        """Start anew from this seed."""
        self._numpy.seed(host_value(seed))

    def get_state(self, legacy: bool = True) -> Any:
        """The generator's state, as NumPy gives it."""
        return self._numpy.get_state(legacy)

    def set_state(self, state: Any) -> None:
        """Go on from a state that `get_state` gave."""
        self._numpy.set_state(state)


class Generator(_Drawing):
    """NumPy's newer generator, on a bit generator of its own.

    >>> import flambeau.numpy as np
    >>> np.random.default_rng(0).integers(10, size=3)
    array([8, 6, 5])
    """

    def __init__(self, bit_generator: Any) -> None:
        super().__init__(np.random.Generator(bit_generator))

    @property
    def bit_generator(self) -> Any:
        """NumPy's source of the random bits."""
        return self._numpy.bit_generator

    def spawn(self, n_children: int) -> list[Generator]:
        """Generators that are independent of this one and each other."""
        return [Generator(one.bit_generator) for one in self._numpy.spawn(n_children)]


def default_rng(seed: Any = None) -> Generator:
    """A new `Generator` from this seed."""
    if isinstance(seed, Generator):
        return seed
    return Generator(np.random.default_rng(host_value(seed)).bit_generator)


def _drawn(name: str) -> Callable[..., Any]:
    """NumPy's method, which takes and gives arrays of ours."""

    def method(self: _Drawing, *args: Any, **named: Any) -> Any:
        values = {key: host_value(value) for key, value in named.items()}
        return from_host(getattr(self._numpy, name)(*map(host_value, args), **values))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"NumPy's `{name}`."
    return method


for _name in (_SHARED + " " + _LEGACY).split():
    setattr(RandomState, _name, _drawn(_name))
for _name in (_SHARED + " " + _MODERN).split():
    setattr(Generator, _name, _drawn(_name))

# The module's functions are the methods of NumPy's global generator.
_global = RandomState()
_global._numpy = np.random.mtrand._rand

seed, get_state, set_state = _global.seed, _global.get_state, _global.set_state
shuffle = _global.shuffle
for _name in (_SHARED + " " + _LEGACY).split():
    if _name != "tomaxint":
        globals()[_name] = getattr(_global, _name)
ranf = sample = _global.random_sample  # type: ignore[attr-defined]
