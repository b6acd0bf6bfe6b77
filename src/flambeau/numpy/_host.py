"""What NumPy computes on the host: results whose shape the data decide, and rarer functions.

Arrays go in by their values, and arrays of ours come out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from flambeau.numpy._ndarray import array_of, from_host, host_value, ndarray
from flambeau.numpy._shaping import moveaxis

_NAMES = """
    unique unique_all unique_counts unique_inverse unique_values union1d intersect1d setdiff1d
    setxor1d isin
    bincount digitize histogram histogram2d histogramdd histogram_bin_edges interp lexsort
    gcd lcm bitwise_count spacing frexp sort_complex packbits unpackbits
    ravel_multi_index unravel_index tril_indices tril_indices_from triu_indices triu_indices_from
    diag_indices diag_indices_from mask_indices ix_ trim_zeros unwrap
    bartlett blackman hamming hanning kaiser i0 geomspace logspace
    poly polyadd polyder polydiv polyfit polyint polymul polysub polyval roots
    array2string array_repr array_str
    load loadtxt genfromtxt fromfile fromstring save savetxt savez savez_compressed"""


def _on_host(name: str) -> Callable[..., Any]:
    """NumPy's function with arrays of ours for its arguments and results."""
    theirs = getattr(np, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        named = {key: host_value(value) for key, value in kwargs.items()}
        return from_host(theirs(*map(host_value, args), **named))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"NumPy's `{name}`, on the host."
    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {name: _on_host(name) for name in _NAMES.split()}


class _Indexed:
    """`r_`, `c_`, `mgrid`, `ogrid`: NumPy's objects that make arrays of slices."""

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs

    def __getitem__(self, key: Any) -> Any:
        return from_host(self._theirs[host_value(key)])


r_, c_, mgrid, ogrid = _Indexed(np.r_), _Indexed(np.c_), _Indexed(np.mgrid), _Indexed(np.ogrid)


class vectorize:  # noqa: N801 - NumPy's spelling
    """A Python function of numbers, called for each element.

    >>> import flambeau.numpy as np
    >>> np.vectorize(lambda a, b: max(a, b))([1, 5], 3)
    array([3, 5])
    """

    def __init__(self, pyfunc: Callable[..., Any], *args: Any, **options: Any) -> None:
        self._theirs = np.vectorize(pyfunc, *args, **options)
        functools.update_wrapper(self, pyfunc)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        named = {key: host_value(value) for key, value in kwargs.items()}
        return from_host(self._theirs(*map(host_value, args), **named))


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **named: Any
) -> Any:
    """A function of vectors, for each vector along `axis`."""

    def ours(vector: np.ndarray) -> Any:
        return host_value(func1d(from_host(vector), *args, **named))

    return from_host(np.apply_along_axis(ours, axis, host_value(arr)))


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> ndarray:
    """A reduction over each of `axes` in turn, the dimensions kept."""
    found = array_of(a)
    for axis in (axes,) if isinstance(axes, int) else axes:
        reduced = array_of(func(found, axis))
        found = reduced if reduced.ndim == found.ndim else moveaxis(reduced[None], 0, axis)
    return found


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **named: Any) -> Any:
    """A function put together of several, each where its condition holds."""

    def on_host(function: Any) -> Any:
        if not callable(function):
            return host_value(function)
        return lambda value, *rest, **more: host_value(function(from_host(value), *rest, **more))

    functions = [on_host(one) for one in funclist]
    return from_host(np.piecewise(host_value(x), host_value(condlist), functions, *args, **named))


def place(arr: ndarray, mask: Any, vals: Any) -> None:
    """Write the elements of `vals`, again and again, where the mask holds."""
    value = np.array(host_value(arr))
    np.place(value, host_value(mask), host_value(vals))
    arr[...] = value


def ndenumerate(arr: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Coordinates and elements, in row-major order."""
    for where, value in np.ndenumerate(host_value(arr)):
        yield where, from_host(value)
