"""Runs one piece of source with NumPy and with flambeau.numpy, and compares what comes out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy  # noqa: ICN001 - `np` is flambeau.numpy

import flambeau.numpy

# Values that sources may name; each run gets arrays of its own.
VALUES: dict[str, Any] = {
    "a": numpy.array([[1.5, -2.0, 3.25], [0.0, 4.0, -0.5]]),
    "b": numpy.array([[2.0, 0.5, -1.0], [3.0, -4.0, 0.25]]),
    "v": numpy.array([3.0, -1.0, 2.0]),
    "w": numpy.array([0.5, 2.0, 1.0, -3.0]),
    "f": numpy.array([[0.5, 1.25], [2.0, 0.75]], numpy.float32),
    "h": numpy.array([0.5, 2.0, 3.0], numpy.float16),
    "i": numpy.array([[5, -3, 2], [7, 0, 1]]),
    "j": numpy.array([[2, 3, -4], [1, 5, 3]]),
    "s": numpy.array([1, 2, 3], numpy.int32),
    "t": numpy.array([100, -100, 7], numpy.int8),
    "u": numpy.array([200, 5, 0], numpy.uint8),
    "m": numpy.array([[True, False, True], [False, False, True]]),
    "k": numpy.array([True, False, True]),
    "n": numpy.array([1.0, numpy.nan, -numpy.inf, numpy.inf, 0.0, -0.0]),
    "c": numpy.arange(24.0).reshape(2, 3, 4),
    "p": numpy.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]]),
    "e": numpy.zeros((0, 3)),
    "z": numpy.array(2.5),
}


class Same:
    """An outcome that compares equal to another one as strictly as it should."""

    def __init__(self, rtol: float = 1e-13) -> None:
        self.rtol = rtol

    def check(self, ours: Any, theirs: Any, path: str = "result") -> None:
        if isinstance(theirs, (tuple, list)):
            assert isinstance(ours, (tuple, list)), path
            assert len(ours) == len(theirs), path
            for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                self.check(one, other, f"{path}[{place}]")
        elif isinstance(theirs, numpy.ndarray):
            assert type(ours) is flambeau.numpy.ndarray, f"{path}: {type(ours)}"
            self.elements(ours, theirs, path)
        elif isinstance(theirs, numpy.generic):
            assert type(ours) is flambeau.numpy.generic, f"{path}: {type(ours)}"
            self.elements(ours, theirs, path)
        elif isinstance(theirs, float) and theirs != theirs:
            assert ours != ours, path
        else:
            assert type(ours) is type(theirs), f"{path}: {type(ours)} for {type(theirs)}"
            assert ours == theirs, f"{path}: {ours!r} for {theirs!r}"

    def elements(self, ours: Any, theirs: Any, path: str) -> None:
        expected = theirs.dtype
        if expected == numpy.uint64:  # sums of unsigned numbers: there is no uint64
            expected = numpy.dtype(numpy.int64)
        assert ours.dtype == expected, f"{path}: {ours.dtype} for {expected}"
        assert ours.shape == theirs.shape, f"{path}: {ours.shape} for {theirs.shape}"
        tolerance = {2: 2e-3, 4: 1e-6}.get(expected.itemsize, self.rtol)
        if expected.kind == "f":
            numpy.testing.assert_allclose(
                numpy.asarray(ours), theirs, rtol=tolerance, atol=tolerance, err_msg=path
            )
        else:
            numpy.testing.assert_array_equal(numpy.asarray(ours), theirs, err_msg=path)


def environment(package: Any) -> dict[str, Any]:
    """The names that sources may use, with this package as `np`."""
    return {"np": package, **{name: package.array(value) for name, value in VALUES.items()}}


def outcome(source: str, package: Any) -> Any:
    """The value of the source's last line, or the exception it raises."""
    names = environment(package)
    *lines, last = source.strip().split("\n")
    try:
        # NumPy's warnings of what is odd but defined are not repeated here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec("\n".join(lines), names)
            return eval(last, names)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return error


def check_same(source: str, rtol: float = 1e-13) -> None:
    """The source gives the same with both packages: values, dtypes, kinds, or the exception."""
    theirs, ours = outcome(source, numpy), outcome(source, flambeau.numpy)
    if isinstance(ours, Exception) and not isinstance(theirs, Exception):
        raise ours
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"expected {theirs!r}, got {ours!r}"
        kinds = [one for one in type(theirs).__mro__ if one.__module__ == "builtins"]
        assert isinstance(ours, kinds[0]), f"{ours!r} for {theirs!r}"
        return
    Same(rtol).check(ours, theirs)
