"""Reading and writing through indices, in-place operators, and arrays that share elements.

Every case runs with NumPy and with flambeau.numpy, and leaves the same elements behind.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import flambeau.numpy as np
from both_numpys import check_same
from flambeau.engine.flush import engine

READ = r"""
a[0]
a[-1]
a[0, 1]
a[5]
a[0, 5]
a[0, 0, 0]
a[:, 1]
a[::-1]
a[:, ::-2]
a[1:0]
a[..., 0]
a[None]
a[:, None, 0]
a[0, ...]
a[0, 0, ...]
a[...]
a[..., ...]
a[[0, 1]]
a[[0, 1], [1, 2]]
a[:, [0, 2]]
a[[0], :]
a[[-1, 0]]
a[[5]]
a[m]
a[:, k]
a[k]
a[a > 0]
a[[True, False]]
a[[1, 0], k]
a[[0.5]]
a[0.5]
a["x"]
a[True]
a[False]
a[np.array(1)]
a[np.array([[0, 1], [1, 0]])]
a[np.int64(1)]
a[np.array([], int)]
a[[]]
c[0, :, [1, 2]]
c[:, 0, [1, 2]]
c[[0, 1], :, [1, 2]]
c[[0, 1], 1]
c[0, [1, 2], 3]
c[..., [0, 1]]
c[None, [0, 1]]
c[[0, 1], None, [1, 2]]
c[:, [[0, 1], [1, 2]]]
c[1, 2, 3]
c[1][2][3]
c[c > 5][:3]
c[:, np.array([[True, False, True, False], [False, True, False, True], [True, True, True, True]])]
c[np.array([True, False])]
c[1:, [0, 2], ::2]
a[(0, 1)]
a[[0, 1], [0, 1, 2]]
a[slice(None), 0]
a[1:2, 0:1]
a[np.newaxis, ..., 0]
a[i[0, 2], 0]
a[np.array(0), :]
c[np.array(0), :, np.array([0, 1])]
a.T[1]
a.T[::2, 0]
w[np.argsort(w)]
e[0]
e[:, 0]
z[None]
z[0]
a[i]
"""

WRITTEN = r"""
a[0] = 1
a[0, 1] = 9.5
a[:, 1] = [7, 8]
a[::-1] = [[1, 2, 3], [4, 5, 6]]
a[m] = 0
a[a > 0] = -1
a[m] = [10, 20, 30]
a[m] = [1, 2]
a[[0, 1], [1, 2]] = 5
a[[0, 1], [1, 2]] = [5, 6]
a[[0, 0]] = [[1, 2, 3], [4, 5, 6]]
a[:, [0, 2]] = 0
a[...] = 2
a[:] = v
a[0] = v[::-1]
a[0] = w
a[1:] = a[:1]
a[:, ::-1] = a
a += 1
a -= v
a *= a
a /= 2
a //= 2
a **= 2
a %= 0.7
a += i
a[0] += 1
a[0, 0] += 1
a[[0, 0], [0, 0]] += 1
a[m] *= 2
a.T[0] = 7
a.reshape(-1)[2] = 100
a.ravel()[0] = -5
a[::2, ::2] *= 3
a[:, 0][1] = 4
a.flat[3] = 9
a.flat[[1, 2]] = 0
a.flat = 3
a.fill(4)
a.sort(axis=0)
a.sort()
a.resize((3, 2))
a.shape = (3, 2)
a.shape = 7
a.put([0, 1], [5, 6])
a[5] = 1
a[0, 0, 0] = 1
a["x"] = 1
a[0, :] = a[1, :]
a[0], a[1] = a[1].copy(), a[0].copy()
a += w
a += f[0, 0]
a &= 1
a[None] = 3
a[True] = 5
a[False] = 5
a[k[None].repeat(2, 0)] = 1
a[:, k] = 0
a[:, k] = [[1, 2], [3, 4]]
a[[True, False]] = 7
np.add.at(a, ([0, 0], [0, 1]), 5)
np.copyto(a, b, where=m)
np.copyto(a, 3)
np.fill_diagonal(a, 9)
np.putmask(a, m, [1, 2])
np.place(a, m, [1, 2])
np.put_along_axis(a, np.array([[0], [1]]), 99, 1)
np.put(a, [1, 2], 3)
np.add(a, 1, out=a)
np.maximum(a, 0, out=a)
np.multiply(a, 2, out=a, where=m)
np.cumsum(a, axis=1, out=a)
x = a[0]; x += 5
x = a[:, ::2]; x[:] = 0
x = a.T; x[0, 1] = 50
x = a.view(); x[0] = 3
x = a.reshape(3, 2); x[0] = 1
x = a[[0, 1]]; x[:] = 0
x = a[0, 0]; x += 5
x = np.diagonal(p); p[0, 0] = 7; a[0] = x
x = np.expand_dims(a, 0); x[0, 0] = 1
x = np.squeeze(a[None]); x[0] = 1
x = np.flip(a); x[0] = 1
x = np.split(a, 2)[0]; x[:] = 3
x = np.asarray(a); x[0] = 3
x = a.copy(); x[0] = 3
x = a.flatten(); x[0] = 3
x = a.astype(float); x[0] = 3
x = a; x -= 1
x = np.ravel(a); x += 1
x = np.swapaxes(a, 0, 1); x[0] = -1
for row in a: row[:] = row[::-1]
"""

# The array that a case writes to is named by its first letter.
OTHERS = r"""
i[0] = 2.7
i += 1.5
i /= 2
i //= 2
i[0, 0] = True
i **= 2
i[i > 2] = -1
i <<= 1
i |= 8
i[0] = [1.9, 2.9, -3.9]
u[0] = 300
u += 1
u += 300
t *= 2
t //= 0
m[0] = True
m |= m[::-1]
m &= k
m += True
m -= m
s[:] = i[0]
s += i[0]
s += f[0, 0]
f += 1.5
f += a[:, :2]
f[0] = 3
h *= 2
"""


@pytest.mark.parametrize("source", READ.strip().splitlines())
def test_read(source: str) -> None:
    check_same(source)


@pytest.mark.parametrize("source", WRITTEN.strip().splitlines())
def test_written(source: str) -> None:
    check_same(f"{source}\na")


@pytest.mark.parametrize("source", OTHERS.strip().splitlines())
def test_written_in_its_dtype(source: str) -> None:
    check_same(f"{source}\n{source[0]}")


LOOPS = r"""
[float(x) for x in v]
[[a[r, c] for c in range(3)] for r in range(2)]
[a.T[c, r] for c in range(3) for r in range(2)]
sum(a[1, ::-1][c] for c in range(3))
"""
FILLING = """
x = a.copy(); y = a
for r in range(2): a[r, 0] = r * 1.5
for r in range(2): a[r, -1] = a[r, 0] + i[r, 0]
x = a * 2; a[0, 0] = 5; b = x
x = a.copy(); x[0, 0] = 5
x = a[1:]; x[0, 0] = 7; a[0, 2] = x[0, 0]
x = a.T; x[2, 1] = 3; a[1, 1] = x[2, 1] + 1
a[0, 0] = np.float32(0.1); a[0, 1] = True
x = a.sum(); a[0, 0] = x
x = a.reshape(-1); a[0, 0] = 7; x[1] = x[0]
"""


@pytest.mark.parametrize("source", LOOPS.strip().splitlines())
def test_single_elements_read(source: str) -> None:
    check_same(source)


@pytest.mark.parametrize("source", FILLING.strip().splitlines())
def test_single_elements_written(source: str) -> None:
    check_same(f"{source}\n(a, b, i)")


def test_loops_over_elements_compile_nothing() -> None:
    a = np.zeros(50)
    a[0] = 1
    compiled = engine.statistics.compiled
    for place in range(1, 50):
        a[place] = float(a[place - 1]) + 1
    assert engine.statistics.compiled == compiled
    assert a.tolist() == list(range(1, 51))


def test_a_write_leaves_copies_and_gradients_alone() -> None:
    a = np.arange(3.0)
    copy, doubled = a.copy(), a * 2
    a[0] = 9
    assert (copy.tolist(), doubled.tolist()) == ([0.0, 1.0, 2.0], [0.0, 2.0, 4.0])

    def function(x: np.ndarray) -> np.ndarray:
        y = x * x
        y[0] = 5.0
        return (y * y[1]).sum()

    assert np.grad(function)(np.array([1.0, 2.0])).tolist() == [0.0, 52.0]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__setitem__((0, 0), 1.0),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__iadd__(1.0),
        lambda x: np.add(x, 1.0, out=x),
    ],
)
def test_what_is_broadcast_is_read_only(write: Callable[[np.ndarray], object]) -> None:
    with pytest.raises(ValueError, match="read-only"):
        write(np.broadcast_to(np.arange(3.0), (2, 3)))


def test_bad_positions_are_found() -> None:
    a = np.arange(3.0)
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 0 with size 3"):
        a[[0, 3]]
    where = np.arange(2) * 4
    with pytest.raises(IndexError, match="out of bounds"):
        a[where].tolist()
    a[where] = 1
    with pytest.raises(IndexError, match="out of bounds"):
        a.tolist()
    assert a.tolist() == [0.0, 1.0, 2.0]
