"""The backward walk: accumulation, hooks, freeing, higher orders, Functions."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import flambeau
from flambeau.autograd import Function, Variable, grad, gradcheck, gradgradcheck
from flambeau.autograd.functional import hessian, jacobian, jvp, vjp
from flambeau.tensor import Tensor


def leaf(*values: float) -> Tensor:
    return flambeau.tensor(list(values), dtype=flambeau.float64, requires_grad=True)


def test_gradients_add_up() -> None:
    x = leaf(1.0, 2.0)
    for _ in range(2):
        (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_the_gradient_is_added_in_place() -> None:
    x = leaf(1.0)
    x.sum().backward()
    held = x.grad
    x.sum().backward()
    assert held is x.grad
    assert held.tolist() == [2.0]


def test_two_leaves_do_not_share_a_gradient() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (x + y).sum().backward()
    x.grad.add_(5)
    assert (x.grad.tolist(), y.grad.tolist()) == ([6.0], [1.0])


def test_the_seed_is_not_the_gradient() -> None:
    x, seed = leaf(1.0), flambeau.ones(1, dtype=flambeau.float64)
    x.backward(seed)
    x.grad.add_(5)
    assert seed.tolist() == [1.0]


def test_a_second_backward_needs_the_graph() -> None:
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.tolist() == [6.0]


@pytest.mark.parametrize("computed", [False, True])
def test_backward_frees_the_graph(computed: bool) -> None:
    x = leaf(1.0)
    middle = x.exp()
    watched = weakref.ref(middle.node)
    y = (middle * middle).sum()
    if computed:
        y.item()
    y.backward()
    y.item(), x.grad.tolist()
    del middle
    assert watched() is None


def test_errors() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        flambeau.ones(1).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(flambeau.ones(3))
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(x.sum(), flambeau.ones(1))
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        grad(x.sum(), leaf(1.0))
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in"):
        x += 1
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        flambeau.ones(1, dtype=flambeau.int64, requires_grad=True)
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf"):
        (x * 2).requires_grad = False


def test_grad_of_inner_values_and_unused_ones() -> None:
    x, unused = leaf(3.0), leaf(1.0)
    y = x * x
    z = (y * y).sum()
    assert [one.tolist() for one in grad(z, [x, y], retain_graph=True)] == [[108.0], [18.0]]
    found = grad(z, [x, unused], allow_unused=True, retain_graph=True)
    assert found[1] is None
    assert grad(z, [unused], materialize_grads=True)[0].tolist() == [0.0]
    assert x.grad is None


def test_higher_orders() -> None:
    x = leaf(2.0)
    (first,) = grad((x**4).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x, create_graph=True)
    (third,) = grad(second.sum(), x)
    assert (first.tolist(), second.tolist(), third.tolist()) == ([32.0], [48.0], [48.0])


def test_backward_limited_to_inputs() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (x * y).sum().backward(inputs=[x])
    assert x.grad.tolist() == [2.0]
    assert y.grad is None


def test_hooks() -> None:
    x = leaf(1.0, 1.0)
    y = x * 3
    seen: list[Any] = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert seen == [[1.0, 1.0]]
    assert y.grad.tolist() == [2.0, 2.0]
    assert x.grad.tolist() == [7.0, 7.0]
    handle.remove()
    (x * 3).sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="cannot register a hook"):
        flambeau.ones(1).register_hook(print)


def test_modes() -> None:
    x = leaf(1.0)
    with flambeau.no_grad():
        assert not (x * 2).requires_grad
        with flambeau.enable_grad():
            assert (x * 2).requires_grad
    with flambeau.set_grad_enabled(False):
        assert not flambeau.is_grad_enabled()
    assert flambeau.is_grad_enabled()

    @flambeau.no_grad()
    def plain() -> bool:
        return bool((x * 2).requires_grad)

    @flambeau.no_grad
    def bare() -> bool:
        return bool((x * 2).requires_grad)

    @flambeau.inference_mode()
    def inferring() -> bool:
        return bool(flambeau.is_inference_mode_enabled() and not (x * 2).requires_grad)

    assert (plain(), bare(), inferring()) == (False, False, True)


def test_writes_that_autograd_does_not_see() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    y.data.fill_(10)
    with flambeau.no_grad():
        y.add_(1)
    assert y.tolist() == [11.0, 11.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_saved_value_survives_a_write() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    with flambeau.no_grad():
        y.zero_()
    z.sum().backward()
    assert x.grad.tolist() == [8.0, 16.0]


class Cube(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * 3 * x * x


class Split(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Any:
        ctx.factor = factor
        return x * factor, x + 1, x > 0

    @staticmethod
    def backward(ctx: Any, first: Tensor, second: Tensor, _: Any) -> Any:
        return first * ctx.factor + second, None


class OldCube(Function):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        self.save_for_backward(x)
        return x * x * x

    def backward(self, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = self.saved_tensors
        return gradient * 3 * x * x


def test_functions() -> None:
    x = leaf(2.0)
    for cube in (Cube.apply, OldCube()):
        (first,) = grad(cube(x).sum(), x, create_graph=True)
        assert first.tolist() == [12.0]
        assert grad(first.sum(), x)[0].tolist() == [12.0]
    assert gradcheck(Cube.apply, x)
    assert gradgradcheck(Cube.apply, x)
    a, b, c = Split.apply(x, 5.0)
    assert (a.requires_grad, b.requires_grad, c.requires_grad) == (True, True, False)
    a.sum().backward(retain_graph=True)
    (a * b).sum().backward()
    assert x.grad.tolist() == [5.0 + 5.0 * 3.0 + 10.0]


def test_function_errors() -> None:
    class Short(Cube):
        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Any:
            return gradient, gradient

    class Wide(Cube):
        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Any:
            return gradient.new_ones(5)

    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"incorrect number of gradients \(expected 1, got 2\)"):
        Short.apply(x).sum().backward()
    with pytest.raises(RuntimeError, match="invalid gradient at index 0"):
        Wide.apply(x).sum().backward()
    y = Cube.apply(x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_function_leaves_no_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)
        y = Cube.apply(x)
        watched = weakref.ref(y.grad_fn)
        y.item()
        del y
        assert watched() is None
    finally:
        gc.enable()


def test_grad_fn() -> None:
    x = leaf(1.0)
    y = (x * 2).sum()
    assert y.grad_fn.name() == "SumBackward0"
    ((inner, _),) = y.grad_fn.next_functions
    assert inner.name() == "MulBackward0"
    assert inner.next_functions[0][0].variable is x
    assert x.grad_fn is None
    assert repr(Cube.apply(x).grad_fn).startswith("<torch.autograd.function.CubeBackward object")


def test_functional() -> None:
    x = flambeau.tensor([1.0, 2.0])
    assert jacobian(lambda a: a * a, x).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert hessian(lambda a: (a**3).sum(), x).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert vjp(lambda a: a * a, x, flambeau.ones(2))[1].tolist() == [2.0, 4.0]
    assert jvp(lambda a: a * a, x, flambeau.tensor([1.0, 10.0]))[1].tolist() == [2.0, 40.0]
    one, other = jacobian(lambda a, b: a * b, (x, x + 1))
    assert one.tolist() == [[2.0, 0.0], [0.0, 3.0]]
    assert other.tolist() == [[1.0, 0.0], [0.0, 2.0]]


def test_gradcheck_finds_a_wrong_gradient() -> None:
    class Wrong(Cube):
        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return gradient

    assert not gradcheck(Wrong.apply, leaf(2.0), raise_exception=False)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(Wrong.apply, leaf(2.0))


def test_old_names() -> None:
    x = Variable(flambeau.FloatTensor([1, 2]), requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    assert loss.data[0].item() == 5.0
    assert x.grad.data.tolist() == [2.0, 4.0]
