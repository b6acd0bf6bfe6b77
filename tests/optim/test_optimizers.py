"""Optimizers: their formulas in NumPy, states, groups and errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import flambeau
from flambeau import nn, optim

STEPS = 5
RANDOM = np.random.default_rng(2)
START = RANDOM.normal(size=(3, 2))
GRADIENTS = RANDOM.normal(size=(STEPS, 3, 2))


def run(name, gradients=GRADIENTS, **settings):
    """The parameter after each step along the given gradients."""
    parameter = flambeau.tensor(START, requires_grad=True)
    optimizer = getattr(optim, name)([parameter], **settings)
    trace = []
    for gradient in gradients:
        parameter.grad = flambeau.tensor(gradient)
        optimizer.step()
        trace.append(parameter.detach().numpy().copy())
    return np.array(trace)


def follow(rule):
    """The same with a NumPy rule `rule(p, g, t, memory)`."""
    p, memory, trace = START.copy(), {}, []
    for t, g in enumerate(GRADIENTS, 1):
        p = rule(p, g, t, memory)
        trace.append(p)
    return np.array(trace)


def zeros(memory, *names):
    return [memory.setdefault(name, np.zeros_like(START)) for name in names]


def sgd(p, g, t, m, *, momentum=0.9, nesterov=False):
    g = g + 0.1 * p
    m["b"] = momentum * m["b"] + g if t > 1 else g
    return p - 0.05 * (g + momentum * m["b"] if nesterov else m["b"])


def adam(p, g, t, m, *, decoupled=False, largest=False):
    p, g = (p * (1 - 0.05 * 0.1), g) if decoupled else (p, g + 0.1 * p)
    mean, square, high = zeros(m, "m", "v", "h")
    m["m"], m["v"] = 0.8 * mean + 0.2 * g, 0.9 * square + 0.1 * g * g
    m["h"] = np.maximum(high, m["v"])
    v = m["h"] if largest else m["v"]
    return p - 0.05 * m["m"] / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)


def adagrad(p, g, t, m):
    (total,) = zeros(m, "s")
    m["s"] = total + g * g
    return p - 0.1 / (1 + (t - 1) * 0.1) * g / (np.sqrt(m["s"]) + 1e-10)


def rmsprop(p, g, t, m):
    square, mean, buffer = zeros(m, "v", "m", "b")
    m["v"], m["m"] = 0.9 * square + 0.1 * g * g, 0.9 * mean + 0.1 * g
    m["b"] = 0.5 * buffer + g / (np.sqrt(m["v"] - m["m"] ** 2) + 1e-8)
    return p - 0.02 * m["b"]


def adadelta(p, g, t, m):
    square, change = zeros(m, "v", "u")
    m["v"] = 0.9 * square + 0.1 * g * g
    step = np.sqrt(change + 1e-6) / np.sqrt(m["v"] + 1e-6) * g
    m["u"] = 0.9 * change + 0.1 * step * step
    return p - step


def adamax(p, g, t, m):
    mean, high = zeros(m, "m", "u")
    m["m"], m["u"] = 0.9 * mean + 0.1 * g, np.maximum(0.999 * high, np.abs(g) + 1e-8)
    return p - 0.05 / (1 - 0.9**t) * m["m"] / m["u"]


def rprop(p, g, t, m):
    (previous,) = zeros(m, "g")
    size = m.get("size", np.full_like(p, 0.05))
    agreement = np.sign(g * previous)
    m["size"] = np.clip(size * np.choose((agreement + 1).astype(int), [0.5, 1, 1.2]), 1e-6, 50)
    m["g"] = np.where(agreement < 0, 0, g)
    return p - np.sign(m["g"]) * m["size"]


BETAS = {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}
MOMENTUM = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}
FORMULAS = [
    ("SGD", MOMENTUM, sgd),
    ("SGD", {**MOMENTUM, "nesterov": True}, lambda *a: sgd(*a, nesterov=True)),
    ("Adam", BETAS, adam),
    ("Adam", {**BETAS, "amsgrad": True}, lambda *a: adam(*a, largest=True)),
    ("Adam", {**BETAS, "decoupled_weight_decay": True}, lambda *a: adam(*a, decoupled=True)),
    ("AdamW", BETAS, lambda *a: adam(*a, decoupled=True)),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}, adagrad),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "centered": True}, rmsprop),
    ("Adadelta", {}, adadelta),
    ("Adamax", {"lr": 0.05}, adamax),
    ("Rprop", {"lr": 0.05}, rprop),
]


@pytest.mark.parametrize(("name", "settings", "rule"), FORMULAS)
def test_formula(name, settings, rule):
    np.testing.assert_allclose(run(name, **settings), follow(rule), rtol=1e-9)


ALL = [name for name in optim.__all__ if name not in ("Optimizer", "lr_scheduler")]
PLAIN = [name for name in ALL if name != "LBFGS"]


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "Muon"])
def test_maximising_is_minimising_the_negative(name):
    np.testing.assert_array_equal(run(name, -GRADIENTS), run(name, maximize=True))


def problem(seed=0):
    flambeau.manual_seed(seed)
    weight = flambeau.randn(4, 3, requires_grad=True)
    x, y = flambeau.randn(16, 4), flambeau.randn(16, 3)
    return weight, lambda: ((x @ weight - y) ** 2).mean()


def closure_for(optimizer, loss):
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


@pytest.mark.parametrize("name", ALL)
def test_descends(name):
    weight, loss = problem()
    rate = {"Adadelta": 1.0, "LBFGS": 1.0}.get(name, 0.05)
    optimizer = getattr(optim, name)([weight], lr=rate)
    first = loss().item()
    for _ in range(30):
        optimizer.step(closure_for(optimizer, loss))
    assert loss().item() < first


@pytest.mark.parametrize("name", ALL)
def test_resumes_from_its_state(name):
    weight, loss = problem()
    optimizer = getattr(optim, name)([weight], lr=0.02)
    closure = closure_for(optimizer, loss)
    for _ in range(3):
        optimizer.step(closure)
    saved, position = copy.deepcopy(optimizer.state_dict()), weight.detach().clone()
    for _ in range(3):
        optimizer.step(closure)
    expected = weight.detach().clone()
    with flambeau.no_grad():
        weight.copy_(position)
    other = getattr(optim, name)([weight], lr=9.0)
    other.load_state_dict(saved)
    closure = closure_for(other, loss)
    for _ in range(3):
        other.step(closure)
    assert flambeau.equal(weight, expected)


def test_state_has_pytorchs_layout():
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.parameters())
    layer(flambeau.ones(1, 2)).sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["params"] == [0, 1]
    first = saved["state"][0]
    assert list(first) == ["step", "exp_avg", "exp_avg_sq"]
    assert first["step"].shape == ()
    assert first["step"].dtype is flambeau.float32
    assert first["step"].item() == 1
    optimizer.load_state_dict(saved)
    assert optimizer.state[layer.weight]["step"] == 1


def test_copies_work():
    weight, _ = problem()
    optimizer = optim.Adam([weight])
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (own,) = twin.param_groups[0]["params"]
        own.grad = flambeau.ones_like(own)
        twin.step()
        assert not flambeau.equal(own, weight)


def test_groups_have_settings_of_their_own():
    a, b, c = (flambeau.ones(1, requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.25)
    optimizer.add_param_group({"params": [c], "maximize": True})
    for parameter in (a, b, c):
        parameter.grad = flambeau.ones(1)
    optimizer.step()
    assert [p.item() for p in (a, b, c)] == [0.75, 0.5, 1.25]
    a.grad = b.grad = None
    optimizer.step()
    assert [p.item() for p in (a, b, c)] == [0.75, 0.5, 1.5]
    optimizer.zero_grad(set_to_none=False)
    assert c.grad.item() == 0
    named = optim.SGD([("w", a)], lr=0.1)
    assert named.param_groups[0]["param_names"] == ["w"]


def test_a_learning_rate_may_be_a_tensor():
    w = flambeau.ones(1, requires_grad=True)
    w.grad = flambeau.ones(1)
    optim.SGD([w], lr=flambeau.tensor(0.25)).step()
    assert w.item() == 0.75


def test_hooks():
    log = []
    weight, _ = problem()
    optimizer = optim.SGD([weight], lr=0.1)
    optimizer.register_step_pre_hook(lambda *_: log.append("before"))
    handle = optimizer.register_step_post_hook(lambda *_: log.append("after"))
    optimizer.step()
    handle.remove()
    optimizer.step()
    assert log == ["before", "after", "before"]
    optimizer.register_state_dict_post_hook(lambda _, state: {**state, "note": 1})
    assert optimizer.state_dict()["note"] == 1
    optimizer.register_load_state_dict_post_hook(lambda _: log.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert log[-1] == "loaded"


def test_an_optimizer_of_ones_own():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @flambeau.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    log = []
    w = flambeau.ones(1, requires_grad=True)
    w.grad = flambeau.tensor([-3.0])
    optimizer = Signs([w], 0.5)
    optimizer.register_step_post_hook(lambda *_: log.append("after"))
    optimizer.step()
    assert w.item() == 1.5
    assert log == ["after"]


def test_lbfgs_finds_the_minimum_of_rosenbrocks_valley():
    w = flambeau.tensor([-1.0, 1.5], requires_grad=True)
    optimizer = optim.LBFGS([w], line_search_fn="strong_wolfe", max_iter=50)
    closure = closure_for(optimizer, lambda: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2)
    for _ in range(3):
        optimizer.step(closure)
    assert w.tolist() == pytest.approx([1, 1], abs=1e-3)
    with pytest.raises(ValueError, match="per-parameter options"):
        optim.LBFGS([{"params": [w]}, {"params": [w.detach().requires_grad_()]}])


def test_repr():
    w = flambeau.ones(1, requires_grad=True)
    assert repr(optim.Rprop([w])) == (
        "Rprop (\n"
        "Parameter Group 0\n"
        "    capturable: False\n"
        "    differentiable: False\n"
        "    etas: (0.5, 1.2)\n"
        "    foreach: None\n"
        "    lr: 0.01\n"
        "    maximize: False\n"
        "    step_sizes: (1e-06, 50)\n"
        ")"
    )


def test_errors():
    w = flambeau.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(w)
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        optim.SGD([3])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {w}}])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([w * 2])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([w, w])
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.Adam([w], lr=-1)
    with pytest.raises(ValueError, match=r"Invalid beta parameter at index 0: 1.0"):
        optim.Adam([w], betas=(1.0, 0.9))
    with pytest.raises(ValueError, match="Nesterov momentum requires"):
        optim.SGD([w], nesterov=True)
    with pytest.raises(ValueError, match="only supports 2D"):
        optim.Muon([w])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optim.SGD([w]).load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.SGD([w], differentiable=True)
