"""How much of the Python array API standard holds: functions that agree with array-api-strict.

Every function of the standard's categories is called with random arguments (hypothesis), with
`flambeau.array_api` on tensors and with `flambeau.numpy` on arrays. It passes if dtypes, shapes and
values are those of array-api-strict, the standard's reference, in all examples.

python benchmarks/array_api.py [--examples 30] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import operator
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import array_api_strict as strict
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

import flambeau
import flambeau.array_api
import flambeau.numpy

TARGETS = {"tensors": flambeau.array_api, "arrays": flambeau.numpy}
REFERENCE: ModuleType = strict
BOOL = ("bool",)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
FLOATS = ("float32", "float64")
NUMBERS = INTEGERS + FLOATS
ALL = BOOL + NUMBERS
# Sums of unsigned numbers are uint64 in the standard, which there is none of here.
SUMMED = ("int8", "int16", "int32", "int64", *FLOATS)
# What the standard leaves open: elements, or their order.
ANY_ELEMENTS, ANY_ORDER = ("empty_like",), ("unique_values",)


class Kind(NamedTuple):
    """A dtype, to be looked up in each namespace."""

    name: str


Call = tuple[list[Any], dict[str, Any]]
Make = Callable[[Any], Call]


class Case(NamedTuple):
    """A function with what makes its arguments."""

    category: str
    name: str
    make: Make
    function: Callable[..., Any] | None = None


# Arguments.


def values(
    draw: Any, shape: tuple[int, ...], kind: str, low: int = -4, high: int = 9
) -> np.ndarray:
    """Random elements; floats with some that are special."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    low = max(low, 0) if kind in ("uint8", "bool") else low
    found = random.integers(low, high, shape)
    if kind == "bool":
        return np.asarray(found % 2 == 0)
    if kind not in FLOATS:
        return np.asarray(found.astype(kind))
    floats = found + random.random(shape)
    special = random.random(shape) < 0.1
    picked = random.choice([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan], shape)
    return np.asarray(np.where(special, picked, floats).astype(kind))


SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
FULL = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def array(
    draw: Any, kinds: tuple[str, ...] = ALL, shapes: Any = SHAPES, **limits: int
) -> np.ndarray:
    return values(draw, draw(shapes), draw(st.sampled_from(kinds)), **limits)


def plain(draw: Any, kinds: tuple[str, ...] = FLOATS, shapes: Any = FULL) -> np.ndarray:
    """Elements without special ones."""
    shape, kind = draw(shapes), draw(st.sampled_from(kinds))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    found = random.integers(-5, 6, shape) + (random.random(shape) if kind in FLOATS else 0)
    return np.asarray(np.abs(found) if kind == "uint8" else found).astype(kind)


def partners(draw: Any, kinds: tuple[str, ...]) -> list[np.ndarray]:
    """Two arrays that broadcast, of dtypes that the standard lets one mix."""
    whole = draw(SHAPES)
    part = tuple([draw(st.sampled_from((1, size))) for size in whole])[draw(st.integers(0, 1)) :]
    first = draw(st.sampled_from(kinds))
    same = next(family for family in (BOOL, INTEGERS, FLOATS) if first in family)
    second = draw(st.sampled_from([kind for kind in same if kind in kinds]))
    pair = [values(draw, whole, first), values(draw, part, second)]
    return pair[:: draw(st.sampled_from((1, -1)))]


def one(kinds: tuple[str, ...] = ALL, **limits: int) -> Make:
    return lambda draw: ([array(draw, kinds, **limits)], {})


def two(kinds: tuple[str, ...]) -> Make:
    """Two arrays, or an array and a Python number of its kind."""

    def make(draw: Any) -> Call:
        if draw(st.integers(0, 3)):
            return partners(draw, kinds), {}
        x = array(draw, kinds)
        family = {"b": st.booleans(), "f": st.sampled_from((0.5, -2.0, 3))}
        return [x, draw(family.get(x.dtype.kind, st.integers(0, 5)))], {}

    return make


def axis_of(draw: Any, x: np.ndarray) -> int:
    return draw(st.integers(-x.ndim, x.ndim - 1))


def axes_of(draw: Any, x: np.ndarray, several: bool = True) -> Any:
    if not x.ndim or draw(st.booleans()):
        return None
    if several and draw(st.booleans()):
        chosen = draw(st.sets(st.integers(0, x.ndim - 1), min_size=1))
        return tuple(chosen)
    return axis_of(draw, x)


def reducing(kinds: tuple[str, ...] = NUMBERS, several: bool = True, shapes: Any = FULL) -> Make:
    def make(draw: Any) -> Call:
        x = array(draw, kinds, shapes)
        return [x], {"axis": axes_of(draw, x, several), "keepdims": draw(st.booleans())}

    return make


def along(kinds: tuple[str, ...] = NUMBERS, **named: Any) -> Make:
    """An array and one of its axes."""

    def make(draw: Any) -> Call:
        x = array(draw, kinds, FULL)
        return [x], {"axis": axis_of(draw, x), **{k: draw(v) for k, v in named.items()}}

    return make


def shaped(name: str, **more: Any) -> Make:
    def make(draw: Any) -> Call:
        named = {key: draw(strategy) for key, strategy in more.items()}
        return [draw(SHAPES)], {"dtype": Kind(draw(st.sampled_from(ALL))), **named}

    return make


def filled(draw: Any) -> Call:
    kind = draw(st.sampled_from(NUMBERS))
    return [draw(SHAPES), draw(st.integers(0, 5))], {"dtype": Kind(kind)}


def like(draw: Any) -> Call:
    named = {"dtype": Kind(draw(st.sampled_from(NUMBERS)))} if draw(st.booleans()) else {}
    return [array(draw, NUMBERS)], named


def ranged(draw: Any) -> Call:
    kind = draw(st.sampled_from(("int32", "int64", *FLOATS)))
    start, stop = draw(st.integers(-9, 9)), draw(st.integers(-9, 9))
    return [start, stop, draw(st.sampled_from((1, 2, -1, 3)))], {"dtype": Kind(kind)}


def spaced(draw: Any) -> Call:
    named = {"dtype": Kind(draw(st.sampled_from(FLOATS))), "endpoint": draw(st.booleans())}
    return [draw(st.integers(-9, 9)), draw(st.integers(-9, 9)), draw(st.integers(0, 6))], named


def eyed(draw: Any) -> Call:
    size = st.integers(0, 4)
    named = {"k": draw(st.integers(-3, 3)), "dtype": Kind(draw(st.sampled_from(NUMBERS)))}
    return [draw(size), draw(size)], named


def triangle(draw: Any) -> Call:
    shapes = st.lists(st.integers(1, 4), min_size=2, max_size=3).map(tuple)
    return [array(draw, ALL, shapes)], {"k": draw(st.integers(-3, 3))}


def grid(draw: Any) -> Call:
    kind = draw(st.sampled_from(NUMBERS))
    lines = [values(draw, (draw(st.integers(1, 4)),), kind) for _ in range(draw(st.integers(1, 3)))]
    return lines, {"indexing": draw(st.sampled_from(("xy", "ij")))}


def matrices(*more: int, square: bool = False, kinds: tuple[str, ...] = FLOATS) -> Make:
    """A stack of well-conditioned matrices."""

    def make(draw: Any) -> Call:
        rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        lead = draw(st.sampled_from(((), (2,))))
        shape = (*lead, rows, rows if square else columns)
        x = plain(draw, kinds, st.just(shape))
        return [x + (12 * np.eye(*shape[-2:])).astype(x.dtype)], {}

    return make


def symmetric(draw: Any) -> Call:
    (x,), _ = matrices(square=True)(draw)
    return [(x + np.swapaxes(x, -1, -2)).astype(x.dtype)], {}


def positive(draw: Any) -> Call:
    (x,), _ = symmetric(draw)
    return [(x @ np.swapaxes(x, -1, -2)).astype(x.dtype)], {}


def solvable(draw: Any) -> Call:
    (x,), _ = matrices(square=True)(draw)
    width = draw(st.integers(1, 3))
    return [x, plain(draw, (str(x.dtype),), st.just((*x.shape[:-1], width)))], {}


def product(draw: Any) -> Call:
    m, k, n = (draw(st.integers(1, 4)) for _ in range(3))
    kind = draw(st.sampled_from(NUMBERS))
    lead = draw(st.sampled_from(((), (2,))))
    left = (*lead, m, k) if draw(st.booleans()) else (k,)
    right = (k, n) if draw(st.booleans()) else (k,)
    return [plain(draw, (kind,), st.just(s)) for s in (left, right)], {}


def dotted(draw: Any) -> Call:
    shape, kind = draw(FULL), draw(st.sampled_from(NUMBERS))
    return [plain(draw, (kind,), st.just(shape)) for _ in range(2)], {}


def contracted(draw: Any) -> Call:
    kind = draw(st.sampled_from(NUMBERS))
    x, y = (plain(draw, (kind,), st.just(s)) for s in ((2, 3, 4), (4, 3, 2)))
    return [x, y], {"axes": draw(st.sampled_from((0, ((2, 1), (0, 1)), ((0,), (2,)))))}


def crossed(draw: Any) -> Call:
    kind = draw(st.sampled_from(FLOATS))
    return [plain(draw, (kind,), st.just((2, 3))) for _ in range(2)], {}


def powered(draw: Any) -> Call:
    args, _ = matrices(square=True)(draw)
    return [*args, draw(st.integers(0, 3))], {}


def normed(draw: Any) -> Call:
    x = plain(draw)
    orders = st.sampled_from((0, 1, 2, 3, np.inf, -np.inf))
    return [x], {"axis": axes_of(draw, x), "keepdims": draw(st.booleans()), "ord": draw(orders)}


def matrix_normed(draw: Any) -> Call:
    args, _ = matrices()(draw)
    orders = st.sampled_from((1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"))
    return args, {"ord": draw(orders), "keepdims": draw(st.booleans())}


# Shapes.


def joined(draw: Any) -> Call:
    x = array(draw, ALL, FULL)
    pieces = [x, values(draw, x.shape, str(x.dtype))]
    axis = draw(st.one_of(st.none(), st.integers(0, x.ndim - 1)))
    return [pieces], {"axis": axis}


def stacked(draw: Any) -> Call:
    (pieces,), _ = joined(draw)
    return [pieces], {"axis": draw(st.integers(-pieces[0].ndim - 1, pieces[0].ndim))}


def reshaped(draw: Any) -> Call:
    x = array(draw)
    shapes = [x.shape[::-1], (x.size,), *([(-1,)] if x.size else []), (1, *x.shape)]
    named = {"copy": draw(st.sampled_from((None, True)))} if draw(st.booleans()) else {}
    return [x, draw(st.sampled_from(shapes))], named


def permuted(draw: Any) -> Call:
    x = array(draw)
    return [x, tuple(draw(st.permutations(range(x.ndim))))], {}


def moved(draw: Any) -> Call:
    x = array(draw, ALL, FULL)
    return [x, axis_of(draw, x), axis_of(draw, x)], {}


def expanded(draw: Any) -> Call:
    x = array(draw)
    return [x], {"axis": draw(st.integers(-x.ndim - 1, x.ndim))}


def squeezed(draw: Any) -> Call:
    x = array(draw)
    return [x[None, ..., None]], {"axis": draw(st.sampled_from((0, -1, (0, -1))))}


def broadcast(draw: Any) -> Call:
    x = array(draw, ALL, FULL)
    return [x[:1], (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *x.shape[1:])], {}


def flipped(draw: Any) -> Call:
    x = array(draw)
    return [x], {"axis": axes_of(draw, x)}


def rolled(draw: Any) -> Call:
    x = array(draw)
    axis = axes_of(draw, x)
    count = len(axis) if isinstance(axis, tuple) else 0
    by = st.integers(-5, 5)
    return [x], {
        "shift": tuple(draw(by) for _ in range(count)) if count else draw(by),
        "axis": axis,
    }


def tiled(draw: Any) -> Call:
    return [array(draw), tuple(draw(st.lists(st.integers(0, 3), max_size=3)))], {}


def repeated(draw: Any) -> Call:
    x = array(draw, ALL, FULL)
    return [x, draw(st.integers(0, 3))], {"axis": axes_of(draw, x, False)}


def taken(draw: Any) -> Call:
    x = array(draw, ALL, FULL)
    axis = axis_of(draw, x)
    places = draw(st.lists(st.integers(0, x.shape[axis] - 1), min_size=1, max_size=4))
    return [x, np.array(places)], {"axis": axis}


def taken_along(draw: Any) -> Call:
    x = array(draw, ALL, FULL)
    axis = axis_of(draw, x)
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return [x, random.integers(0, x.shape[axis], x.shape)], {"axis": axis}


# Searching, and the rest.


def chosen(draw: Any) -> Call:
    x, y = partners(draw, NUMBERS)
    shape = np.broadcast_shapes(x.shape, y.shape)
    return [values(draw, shape, "bool"), x, y], {}


def searched(draw: Any) -> Call:
    kind = draw(st.sampled_from(("int32", "int64", *FLOATS)))
    edges = np.sort(plain(draw, (kind,), st.just((5,))))
    side = draw(st.sampled_from(("left", "right")))
    return [edges, plain(draw, (kind,))], {"side": side}


def clipped(draw: Any) -> Call:
    x = array(draw, NUMBERS)
    low = st.sampled_from((None, 0, 1))
    return [x, draw(low), draw(st.sampled_from((None, 3, 5)))], {}


def spread(draw: Any) -> Call:
    x = plain(draw)
    named = {"axis": axes_of(draw, x), "keepdims": draw(st.booleans())}
    return [x], {**named, "correction": draw(st.sampled_from((0.0, 1.0)))}


def accumulated(draw: Any) -> Call:
    x = array(draw, SUMMED, st.integers(1, 4).map(lambda size: (size,)))
    return [x], {"include_initial": draw(st.booleans())}


def converted(draw: Any) -> Call:
    kind = draw(st.sampled_from(ALL))
    return [plain(draw, ("int8", "int32", "float64")).__abs__(), Kind(kind)], {}


def typed(draw: Any) -> Call:
    x, y = partners(draw, ALL)
    return [x, Kind(str(y.dtype))], {}


def castable(draw: Any) -> Call:
    x, y = partners(draw, ALL)
    return [Kind(str(x.dtype)), Kind(str(y.dtype))], {}


def shifts(draw: Any) -> Call:
    kind = draw(st.sampled_from(INTEGERS))
    return [array(draw, (kind,), st.just((3, 2))), values(draw, (2,), kind, 0, 6)], {}


def powers(draw: Any) -> Call:
    x, y = partners(draw, NUMBERS)
    return [x, np.asarray(np.abs(y)) if y.dtype.kind in "iu" else y], {}


def divisors(draw: Any) -> Call:
    """No division of integers by zero, which the standard leaves open."""
    x, y = partners(draw, NUMBERS)
    return [x, np.asarray(np.where(y == 0, 1, y), y.dtype) if y.dtype.kind in "iu" else y], {}


def differences(draw: Any) -> Call:
    x = array(draw, NUMBERS, FULL)
    return [x], {"axis": axis_of(draw, x), "n": draw(st.integers(0, 2))}


def keyed(draw: Any) -> Call:
    """An array and a key of integers, slices, None and Ellipsis, or a mask."""
    x = array(draw, ALL, FULL)
    if draw(st.integers(0, 3)) == 0:
        return [x, values(draw, x.shape, "bool")], {}
    parts = []
    for size in x.shape:
        whole = st.integers(-size, size - 1)
        cut = st.builds(slice, st.none(), st.none(), st.sampled_from((None, 1, 2, -1)))
        parts.append(draw(st.one_of(whole, cut)))
    return [x, tuple(parts)], {}


def ordered(draw: Any) -> Call:
    x = plain(draw, NUMBERS)
    return [x], {"axis": axis_of(draw, x)}


ELEMENTWISE: dict[str, Make] = {
    **{name: one(FLOATS) for name in """
        acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 reciprocal sin
        sinh sqrt tan tanh""".split()},
    **{name: one(NUMBERS) for name in """
        abs ceil floor isfinite isinf isnan negative positive round sign square trunc
        conj""".split()},
    "signbit": one(FLOATS), "real": one(FLOATS), "logical_not": one(BOOL),
    "bitwise_invert": one(BOOL + INTEGERS),
    **{name: two(FLOATS) for name in "atan2 copysign divide hypot logaddexp nextafter".split()},
    **{name: two(NUMBERS) for name in """
        add subtract multiply maximum minimum greater greater_equal less less_equal""".split()},
    **{name: two(ALL) for name in ("equal", "not_equal")},
    **{name: two(BOOL) for name in ("logical_and", "logical_or", "logical_xor")},
    **{name: two(BOOL + INTEGERS) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "bitwise_left_shift": shifts, "bitwise_right_shift": shifts, "pow": powers,
    "floor_divide": divisors, "remainder": divisors, "clip": clipped,
}  # fmt: skip

OPERATORS: dict[str, Make] = {
    **{name: two(NUMBERS) for name in ("add", "sub", "mul", "lt", "le", "gt", "ge")},
    **{name: two(ALL) for name in ("eq", "ne")},
    **{name: two(BOOL + INTEGERS) for name in ("and_", "or_", "xor")},
    "truediv": two(FLOATS), "floordiv": divisors, "mod": divisors, "pow": powers,
    "lshift": shifts, "rshift": shifts, "matmul": product, "neg": one(NUMBERS),
    "pos": one(NUMBERS), "abs": one(NUMBERS), "invert": one(BOOL + INTEGERS), "getitem": keyed,
}  # fmt: skip

TABLE: dict[str, dict[str, Make]] = {
    "creation": {
        "arange": ranged, "empty_like": like, "eye": eyed, "full": filled, "linspace": spaced,
        "full_like": lambda draw: ([array(draw, NUMBERS), 3], {}), "meshgrid": grid,
        "ones": shaped("ones"), "ones_like": like, "tril": triangle, "triu": triangle,
        "zeros": shaped("zeros"), "zeros_like": like, "asarray": one(),
    },
    "elementwise": ELEMENTWISE,
    "statistical": {
        "max": reducing(), "min": reducing(), "mean": reducing(FLOATS), "prod": reducing(SUMMED),
        "sum": reducing(SUMMED), "std": spread, "var": spread, "cumulative_sum": accumulated,
        "cumulative_prod": accumulated, "all": reducing(ALL), "any": reducing(ALL),
        "diff": differences,
    },
    "manipulation": {
        "broadcast_arrays": lambda draw: (partners(draw, ALL), {}), "broadcast_to": broadcast,
        "concat": joined, "expand_dims": expanded, "flip": flipped, "moveaxis": moved,
        "permute_dims": permuted, "repeat": repeated, "reshape": reshaped, "roll": rolled,
        "squeeze": squeezed, "stack": stacked, "tile": tiled, "unstack": along(ALL),
        "take": taken, "take_along_axis": taken_along,
    },
    "searching": {
        "argmax": reducing(several=False), "argmin": reducing(several=False),
        "count_nonzero": reducing(ALL), "nonzero": lambda draw: ([array(draw, ALL, FULL)], {}),
        "searchsorted": searched, "where": chosen,
        "unique_values": lambda draw: ([plain(draw, NUMBERS)], {}),
        "unique_counts": lambda draw: ([plain(draw, NUMBERS)], {}),
        "unique_inverse": lambda draw: ([plain(draw, NUMBERS)], {}),
        "unique_all": lambda draw: ([plain(draw, NUMBERS)], {}),
    },
    "sorting": {
        "sort": ordered, "argsort": ordered,
    },
    "linear algebra": {
        "matmul": product, "matrix_transpose": matrices(kinds=ALL), "tensordot": contracted,
        "vecdot": dotted, "linalg.cholesky": positive, "linalg.cross": crossed,
        "linalg.det": matrices(square=True), "linalg.diagonal": matrices(kinds=NUMBERS),
        "linalg.eigvalsh": symmetric, "linalg.inv": matrices(square=True),
        "linalg.matrix_norm": matrix_normed, "linalg.matrix_power": powered,
        "linalg.matrix_rank": matrices(), "linalg.outer": lambda draw: (
            [plain(draw, ("float64",), st.just((n,))) for n in (3, 2)], {}),
        "linalg.pinv": matrices(), "linalg.slogdet": matrices(square=True),
        "linalg.solve": solvable, "linalg.svdvals": matrices(),
        "linalg.trace": matrices(kinds=SUMMED), "linalg.vector_norm": normed,
    },
    "type promotion": {"astype": converted, "result_type": typed, "can_cast": castable},
}  # fmt: skip


def cases() -> list[Case]:
    found = [Case(c, name, make) for c, table in TABLE.items() for name, make in table.items()]
    for name, make in OPERATORS.items():
        found.append(Case("type promotion", f"operator {name}", make, getattr(operator, name)))
    return found


def entered(given_: Any, package: ModuleType) -> Any:
    """An argument in a namespace's own kind."""
    if isinstance(given_, np.ndarray):
        return package.asarray(given_)
    if isinstance(given_, Kind):
        return getattr(package, given_.name)
    if isinstance(given_, list):
        return [entered(one_, package) for one_ in given_]
    return given_


def outcome(case: Case, package: ModuleType, args: list[Any], kwargs: dict[str, Any]) -> Any:
    function: Any = case.function
    if function is None:
        function = package
        for part in case.name.split("."):
            function = getattr(function, part)
    named = {key: entered(value, package) for key, value in kwargs.items()}
    return function(*[entered(one_, package) for one_ in args], **named)


def check(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            check(*pair)
    elif hasattr(theirs, "dtype"):
        assert np.dtype(_name(ours.dtype)) == np.dtype(_name(theirs.dtype)), (
            f"dtype {ours.dtype} for {theirs.dtype}"
        )
        assert tuple(ours.shape) == tuple(theirs.shape), f"shape {ours.shape} for {theirs.shape}"
        one_, other = np.asarray(ours), np.from_dlpack(theirs)
        single = other.dtype == np.float32
        limits = {"rtol": 2e-4, "atol": 1e-4} if single else {"rtol": 1e-9, "atol": 1e-10}
        np.testing.assert_allclose(one_, other, **limits)
    elif isinstance(theirs, bool):
        assert ours == theirs
    else:
        assert _name(ours) == _name(theirs), f"{ours} for {theirs}"


def _name(kind: Any) -> str:
    return str(kind).rpartition(".")[2]


def fails(case: Case, package: ModuleType, examples: int) -> str:
    """What is wrong with a function, in a few words; nothing if it agrees."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def agrees(data: Any) -> None:
        args, kwargs = case.make(data.draw)
        with np.errstate(all="ignore"):
            theirs = outcome(case, REFERENCE, args, kwargs)
            ours = outcome(case, package, args, kwargs)
            if case.name in ANY_ELEMENTS:
                ours, theirs = package.zeros_like(ours), REFERENCE.zeros_like(theirs)
            if case.name in ANY_ORDER:
                ours, theirs = package.sort(ours), REFERENCE.sort(theirs)
            check(ours, theirs)

    try:
        agrees()
    except Exception as error:  # noqa: BLE001 - whatever it is, the function fails
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {' '.join(lines[:2])}"
    return ""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--examples", type=int, default=30, help="a function (%(default)s)")
    options.add_argument("--only", nargs="+", help="functions")
    given_ = options.parse_args()
    warnings.simplefilter("ignore")
    strict.set_array_api_strict_flags(api_version="2024.12")
    chosen_ = [case for case in cases() if not given_.only or case.name in given_.only]
    table = Table(title="Functions that agree with array-api-strict")
    for heading in ("category", *TARGETS):
        table.add_column(heading, justify="left" if heading == "category" else "right")
    passed: dict[str, dict[str, list[bool]]] = {}
    for case in chosen_:
        row = passed.setdefault(case.category, {target: [] for target in TARGETS})
        for target, package in TARGETS.items():
            wrong = fails(case, package, given_.examples)
            row[target].append(not wrong)
            if wrong:
                print(f"{case.category}: {case.name} of {target}: {wrong}", flush=True)
    for category, row in passed.items():
        shares = [f"{sum(row[t])} of {len(row[t])}" for t in TARGETS]
        table.add_row(category, *shares)
    Console().print(table)
    totals = {t: [ok for row in passed.values() for ok in row[t]] for t in TARGETS}
    for target, results in totals.items():
        print(f"{target}: {100 * sum(results) / len(results):.1f} %")
    return int(any(sum(r) < 0.95 * len(r) for r in totals.values()))


if __name__ == "__main__":
    sys.exit(main())
