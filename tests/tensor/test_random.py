"""Random tensors are those of the recipe in random_reference.py, bit for bit.

Every check draws again afterwards: a generator that has moved by another number of draws shows.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
import random_reference as reference
from flambeau.core.dtypes import BY_NAME
from flambeau.ops.elementwise_base import from_bfloat16

SIZES = [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 624, 1003]
FLOATS = ["float32", "float64", "float16", "bfloat16"]
Pair = tuple[Callable[[], Any], Callable[[reference.Generator], Any]]


def as_array(result: Any) -> np.ndarray:
    if result.dtype is flambeau.bfloat16:
        result = result.float()
    return np.asarray(result.numpy())


def check(*pairs: Pair, seed: int = 7, close: bool = False) -> None:
    """Run pairs (our call, the recipe's) in sequence from one seed; each equal, and so the end.

    `close`: float64 results may be off in the last places, as the math library's are.
    """
    flambeau.manual_seed(seed)
    generator = reference.Generator(seed)
    end: Pair = (lambda: flambeau.randn(3), lambda g: reference.randn(g, 3))
    raw: Pair = (
        lambda: flambeau.randint(0, 2**27, (4,)),
        lambda g: reference.randint(g, 0, 2**27, 4),
    )
    for ours, recipe in (*pairs, raw, end, raw):
        found = as_array(ours()).ravel()
        expected = np.asarray(recipe(generator)).astype(found.dtype).ravel()
        assert found.shape == expected.shape
        if close and found.dtype == np.float64:
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
        else:
            np.testing.assert_array_equal(found, expected)


def empty(count: int, kind: str = "float32") -> Any:
    return flambeau.zeros(count, dtype=BY_NAME[kind])


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_uniform(n: int, kind: str) -> None:
    check(
        (lambda: flambeau.rand(n, dtype=BY_NAME[kind]), lambda g: reference.rand(g, n, kind)),
        (
            lambda: empty(n, kind).uniform_(-0.3, 0.9),
            lambda g: reference.uniform(g, n, -0.3, 0.9, kind),
        ),
    )


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_normal(n: int, kind: str) -> None:
    check(
        (lambda: flambeau.randn(n, dtype=BY_NAME[kind]), lambda g: reference.randn(g, n, kind)),
        (
            lambda: empty(n, kind).normal_(-0.3, 0.7),
            lambda g: reference.normal(g, n, -0.3, 0.7, kind),
        ),
        (
            lambda: flambeau.normal(1.0, 2.0, (n,), dtype=BY_NAME[kind]),
            lambda g: reference.normal(g, n, 1.0, 2.0, kind),
        ),
        close=True,
    )


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**32 + 5, 2**63 - 1, -(2**63), 2**64 - 1])
def test_seeds(seed: int) -> None:
    check((lambda: flambeau.randn(20_000), lambda g: reference.randn(g, 20_000)), seed=seed)


@pytest.mark.parametrize("shape", [(3, 2), (20, 3), (4, 5, 6)])
def test_memory_is_filled_in_order(shape: tuple[int, ...]) -> None:
    n = int(np.prod(shape))
    check(
        (
            lambda: flambeau.zeros(shape).transpose(0, -1).normal_().transpose(0, -1),
            lambda g: reference.normal(g, n, contiguous=False),
        ),
        (
            lambda: flambeau.zeros(shape).transpose(0, -1).uniform_().transpose(0, -1),
            lambda g: reference.rand(g, n),
        ),
        (lambda: flambeau.zeros(n, 2)[:, 0].exponential_(), lambda g: reference.exponential(g, n)),
        (
            lambda: flambeau.rand_like(flambeau.zeros(shape).transpose(0, -1)).transpose(0, -1),
            lambda g: reference.rand(g, n),
        ),
        (
            lambda: flambeau.randn_like(flambeau.zeros(shape).transpose(0, -1)).transpose(0, -1),
            lambda g: reference.normal(g, n, contiguous=False),
        ),
    )


@pytest.mark.parametrize("n", SIZES)
def test_integers(n: int) -> None:
    for low, high in [
        (0, 1), (0, 10), (-5, 300), (0, 2**28 - 1), (0, 2**28), (-(2**40), 2**41),
        (3, 2**63 - 1), (-(2**63), 2**63 - 1), (-(2**62), 2**63 - 1),
    ]:  # fmt: skip
        check(
            (
                lambda low=low, high=high: flambeau.randint(low, high, (n,)),
                lambda g, low=low, high=high: reference.randint(g, low, high, n),
            )
        )
    check((lambda: flambeau.randperm(n), lambda g: reference.randperm(g, n)))


@pytest.mark.parametrize("kind", reference.RANDOM_MODULUS)
def test_integers_without_a_range(kind: str) -> None:
    check((lambda: empty(40, kind).random_(), lambda g: reference.random(g, 40, kind)))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("p", [0.0, 0.1, 0.937, 1.0])
def test_bernoulli(n: int, p: float) -> None:
    single = np.full(n, p, np.float32) * np.linspace(0.1, 1, n, dtype=np.float32)
    double = single.astype(np.float64)
    check(
        (lambda: empty(n).bernoulli_(p), lambda g: reference.bernoulli(g, n, p)),
        (lambda: empty(n, "bool").bernoulli_(p), lambda g: reference.bernoulli(g, n, p)),
        (
            lambda: empty(n, "float64").bernoulli_(flambeau.from_numpy(single)),
            lambda g: reference.bernoulli_tensor(g, single),
        ),
        (
            lambda: flambeau.bernoulli(flambeau.from_numpy(double)),
            lambda g: reference.bernoulli_tensor(g, double),
        ),
    )


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("n", [0, 1, 2, 17, 1003])
def test_continuous(n: int, kind: str) -> None:
    def rounded(draw: Callable[..., np.ndarray], *arguments: float) -> Callable[..., np.ndarray]:
        return lambda g: reference.narrow(draw(g, n, *arguments), kind)

    check(
        (lambda: empty(n, kind).exponential_(), rounded(reference.exponential)),
        (lambda: empty(n, kind).exponential_(2.5), rounded(reference.exponential, 2.5)),
        (lambda: empty(n, kind).geometric_(0.3), rounded(reference.geometric, 0.3)),
        (lambda: empty(n, kind).cauchy_(), rounded(reference.cauchy)),
        (lambda: empty(n, kind).cauchy_(1.0, 3.0), rounded(reference.cauchy, 1.0, 3.0)),
        (lambda: empty(n, kind).log_normal_(), rounded(reference.log_normal)),
        (lambda: empty(n, kind).log_normal_(0.5, 0.1), rounded(reference.log_normal, 0.5, 0.1)),
        close=True,
    )


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_multinomial(samples: int, replacement: bool, kind: str) -> None:
    rng = np.random.default_rng(3)
    for rows, categories in [(1, 5), (3, 7), (2, 100)]:
        weights = rng.random((rows, categories)).astype(kind)
        weights[:, :2] *= rng.random((rows, 2)) < 0.5 if categories > 7 else 1
        check(
            (
                lambda w=weights: flambeau.multinomial(
                    flambeau.from_numpy(w), samples, replacement
                ),
                lambda g, w=weights: reference.multinomial(g, w, samples, replacement),
            )
        )


def test_normal_of_tensors() -> None:
    mean, std = np.linspace(0, 1, 20, dtype="f4")[:, None], np.linspace(1, 2, 3, dtype="f4")
    check(
        (
            lambda: flambeau.normal(flambeau.from_numpy(mean), flambeau.from_numpy(std)),
            lambda g: reference.randn(g, 60).reshape(20, 3) * std + mean,
        ),
        (
            lambda: flambeau.normal(flambeau.from_numpy(mean), 2.0),
            lambda g: reference.normal(g, 20, 0.0, 2.0)[:, None] + mean,
        ),
    )


def test_draws_happen_in_the_order_of_the_program() -> None:
    flambeau.manual_seed(0)
    first, second = flambeau.rand(5), flambeau.rand(5)
    in_order = [second.tolist(), first.tolist()]
    flambeau.manual_seed(0)
    again = [flambeau.rand(5).tolist(), flambeau.rand(5).tolist()]
    assert in_order == again[::-1]


def test_a_draw_that_nobody_looks_at_is_drawn() -> None:
    flambeau.manual_seed(0)
    flambeau.rand(3)
    second = flambeau.rand(3).tolist()
    flambeau.manual_seed(0)
    assert flambeau.rand(6).tolist()[3:] == second


def test_seeding_does_not_change_what_was_drawn_before() -> None:
    flambeau.manual_seed(0)
    expected = flambeau.rand(3).tolist()
    flambeau.manual_seed(0)
    drawn = flambeau.rand(3)
    flambeau.manual_seed(1)
    assert drawn.tolist() == expected


def test_states_can_be_saved_and_set() -> None:
    flambeau.manual_seed(1)
    flambeau.randn(3)
    state = flambeau.get_rng_state()
    expected = flambeau.randn(3).tolist()
    flambeau.set_rng_state(state)
    assert flambeau.randn(3).tolist() == expected
    with flambeau.random.fork_rng():
        flambeau.manual_seed(5)
    flambeau.set_rng_state(state)
    with flambeau.random.fork_rng():
        flambeau.randn(3)
    assert flambeau.randn(3).tolist() == expected


def test_a_generator_is_apart_from_the_default_one() -> None:
    flambeau.manual_seed(3)
    expected = flambeau.rand(4).tolist()
    flambeau.manual_seed(9)
    generator = flambeau.Generator().manual_seed(3)
    copies = [copy.deepcopy(generator), pickle.loads(pickle.dumps(generator)),
              generator.clone_state()]  # fmt: skip
    assert generator.initial_seed() == 3
    for one in (generator, *copies):
        assert flambeau.rand(4, generator=one).tolist() == expected
    assert flambeau.initial_seed() == 9


def test_a_new_generator_has_the_documented_seed() -> None:
    assert flambeau.Generator().initial_seed() == 67280421310721


def test_a_seed_of_the_system_s_choice_is_told() -> None:
    generator = flambeau.Generator()
    assert generator.seed() == generator.initial_seed()
    assert generator.seed() != generator.seed()


def test_results_go_to_out() -> None:
    flambeau.manual_seed(0)
    expected = flambeau.rand(4, dtype=flambeau.float64).tolist()
    flambeau.manual_seed(0)
    out = flambeau.zeros(4, dtype=flambeau.float64)
    assert flambeau.rand(4, out=out) is out
    assert out.tolist() == expected


def test_results_may_require_a_gradient() -> None:
    assert flambeau.randn(2, requires_grad=True).is_leaf
    leaf = flambeau.zeros(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf.uniform_()


def test_draws_of_a_shuffle_are_a_permutation() -> None:
    order = flambeau.randperm(100_000)
    assert sorted(order.tolist()) == list(range(100_000))


def test_bfloat16_rounds_to_the_nearest() -> None:
    flambeau.manual_seed(0)
    single = flambeau.rand(100).numpy()
    flambeau.manual_seed(0)
    narrow = flambeau.rand(100, dtype=flambeau.bfloat16).float().numpy()
    assert np.abs(narrow - single).max() <= 2.0**-9
    assert from_bfloat16(np.array([0x3F80], np.uint16))[0] == 1.0


REFUSED = [
    (lambda: flambeau.rand(-3), RuntimeError, "negative dimension -3"),
    (lambda: flambeau.rand(2.5), TypeError, "'size'"),
    (flambeau.rand, TypeError, "sizes"),
    (lambda: flambeau.rand(3, dtype=flambeau.int64), NotImplementedError, "check_uniform_bounds"),
    (lambda: flambeau.randn(3, dtype=flambeau.int64), NotImplementedError, "normal_kernel_cpu"),
    (lambda: flambeau.rand(3, generator=3), TypeError, "generator"),
    (lambda: flambeau.randint(3, 3, (2,)), RuntimeError, "from=3 >= to=3"),
    (lambda: flambeau.randint(10), TypeError, "size"),
    (lambda: flambeau.randint(1.5, (2,)), TypeError, "must be int"),
    (lambda: flambeau.randint(2**63, (2,)), ValueError, "Overflow"),
    (
        lambda: flambeau.randint(300, (2,), dtype=flambeau.uint8),
        RuntimeError,
        "out of bounds for unsigned char",
    ),
    (lambda: flambeau.randperm(-1), RuntimeError, "negative dimension"),
    (lambda: flambeau.randperm(300, dtype=flambeau.uint8), RuntimeError, "overflow"),
    (lambda: flambeau.randperm(3000, dtype=flambeau.float16), RuntimeError, "2049 for Half"),
    (lambda: empty(3).uniform_(1, 0), RuntimeError, "from=1 > to=0"),
    (lambda: empty(3).uniform_(0, float("inf")), RuntimeError, "to is out of bounds for float"),
    (lambda: empty(3).uniform_(-3e38, 3e38), RuntimeError, "exceed the limit"),
    (lambda: empty(3).normal_(0, -1), RuntimeError, "std >= 0.0, but found std -1"),
    (lambda: empty(3).bernoulli_(1.5), RuntimeError, "got p=1.5"),
    (lambda: flambeau.bernoulli(flambeau.tensor([1.5])), RuntimeError, "p_in <= 1"),
    (lambda: flambeau.bernoulli(flambeau.tensor([1])), NotImplementedError, "Long"),
    (lambda: empty(3).exponential_(0), RuntimeError, "lambda=0"),
    (lambda: empty(3, "int64").exponential_(), RuntimeError, "specified Long"),
    (lambda: empty(3).geometric_(1), RuntimeError, "got p=1"),
    (lambda: empty(3).log_normal_(0, -1), RuntimeError, "std=-1"),
    (lambda: empty(3).cauchy_(0, 0), RuntimeError, "sigma=0"),
    (lambda: empty(3).random_(0), RuntimeError, "from=0 >= to=0"),
    (lambda: flambeau.multinomial(flambeau.zeros(2), 1), RuntimeError, "sum of probabilities"),
    (lambda: flambeau.multinomial(-flambeau.ones(2), 1), RuntimeError, "element < 0"),
    (lambda: flambeau.multinomial(-flambeau.ones(2), 2, True), RuntimeError, "entry < 0"),
    (lambda: flambeau.multinomial(flambeau.ones(2), 3), RuntimeError, "without replacement"),
    (lambda: flambeau.multinomial(flambeau.ones(2), 0), RuntimeError, "n_sample <= 0"),
    (lambda: flambeau.multinomial(flambeau.ones(1, 1, 1), 1), RuntimeError, "1 or 2 dim"),
    (lambda: flambeau.normal(0.0, -flambeau.ones(2)), RuntimeError, "all elements of std"),
    (lambda: flambeau.normal(0.0, 1.0), TypeError, "size"),
    (lambda: flambeau.manual_seed(2**64), ValueError, "Overflow"),
    (lambda: flambeau.Generator().manual_seed(1.5), RuntimeError, "expected a long"),
    (lambda: flambeau.set_rng_state(flambeau.zeros(3)), TypeError, "ByteTensor"),
    (
        lambda: flambeau.set_rng_state(flambeau.zeros(3, dtype=flambeau.uint8)),
        RuntimeError,
        "size 5056",
    ),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_wrong_arguments_are_refused(
    call: Callable[[], Any], error: type[Exception], text: str
) -> None:
    flambeau.manual_seed(0)
    with pytest.raises(error, match=text.replace("(", r"\(")):
        call()
    flambeau.manual_seed(0)
    assert flambeau.rand(1).item() == pytest.approx(0.4963, abs=1e-4)


def test_a_range_beyond_the_exact_integers_of_a_float_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="out of bounds"):
        flambeau.randint(0, 2**12, (2,), dtype=flambeau.float16)
