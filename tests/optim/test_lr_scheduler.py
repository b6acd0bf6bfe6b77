"""Learning-rate schedules: closed forms, restarts, composition and warnings."""

from __future__ import annotations

import math

import pytest

import flambeau
from flambeau import optim
from flambeau.optim import lr_scheduler as schedules

EPOCHS = 12


def sgd(lr=1.0, **settings):
    return optim.SGD([flambeau.ones(1, requires_grad=True)], lr=lr, **settings)


def rates(schedule, steps=EPOCHS):
    found = [schedule.get_last_lr()[0]]
    for _ in range(steps):
        schedule.optimizer.step()
        schedule.step()
        found.append(schedule.get_last_lr()[0])
    return found


CLOSED = {
    "lambda": (lambda o: schedules.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "multiplicative": (lambda o: schedules.MultiplicativeLR(o, lambda t: 0.9), lambda t: 0.9**t),
    "step": (lambda o: schedules.StepLR(o, 3, 0.5), lambda t: 0.5 ** (t // 3)),
    "milestones": (
        lambda o: schedules.MultiStepLR(o, [2, 5, 5], 0.5),
        lambda t: 0.5 ** ((t >= 2) + 2 * (t >= 5)),
    ),
    "constant": (lambda o: schedules.ConstantLR(o, 0.5, 4), lambda t: 0.5 if t < 4 else 1.0),
    "linear": (
        lambda o: schedules.LinearLR(o, 0.25, 0.75, 5),
        lambda t: 0.25 + 0.5 * min(t, 5) / 5,
    ),
    "exponential": (lambda o: schedules.ExponentialLR(o, 0.8), lambda t: 0.8**t),
    "polynomial": (
        lambda o: schedules.PolynomialLR(o, 8, 2.0),
        lambda t: (1 - min(t, 8) / 8) ** 2,
    ),
    "cosine": (
        lambda o: schedules.CosineAnnealingLR(o, 5, 0.1),
        lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * t / 5)) / 2,
    ),
    "triangle": (
        lambda o: schedules.CyclicLR(o, 0.0, 1.0, 4, cycle_momentum=False),
        lambda t: 1 - abs(t % 8 - 4) / 4,
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_form(name):
    make, expected = CLOSED[name]
    assert rates(make(sgd())) == pytest.approx([expected(t) for t in range(EPOCHS + 1)], abs=1e-9)


@pytest.mark.parametrize("name", [name for name in CLOSED if name != "triangle"])
def test_resumes_from_its_state(name):
    make, _ = CLOSED[name]
    whole = rates(make(sgd()))
    first = make(sgd())
    rates(first, 4)
    second = make(sgd())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    second.optimizer.step()
    second.step()
    assert second.get_last_lr()[0] == pytest.approx(whole[5])


def test_warm_restarts():
    schedule = schedules.CosineAnnealingWarmRestarts(sgd(), 2, T_mult=2)
    found = rates(schedule, 6)
    assert [found[t] for t in (0, 2, 6)] == [1.0, 1.0, 1.0]
    assert found[4] == pytest.approx(0.5)
    schedule.step(2.5)
    assert schedule.get_last_lr()[0] == pytest.approx((1 + math.cos(math.pi / 8)) / 2)


def test_one_cycle_moves_rate_and_momentum_against_each_other():
    optimizer = sgd(momentum=0.9)
    schedule = schedules.OneCycleLR(optimizer, 1.0, total_steps=11, pct_start=0.5)
    found = rates(schedule, 10)
    assert found[0] == pytest.approx(1 / 25)
    assert max(found) == pytest.approx(found[4], rel=0.1)
    assert found[-1] == pytest.approx(1 / 25 / 1e4)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.95)
    schedule.step()
    with pytest.raises(ValueError, match="Tried to step 12 times"):
        schedule.step()


def test_cyclic_modes():
    halved = schedules.CyclicLR(sgd(momentum=0.9), 0.0, 1.0, 2, mode="triangular2")
    assert rates(halved, 6)[2::4] == pytest.approx([1.0, 0.5])
    assert halved.optimizer.param_groups[0]["momentum"] == pytest.approx(0.85)
    shrinking = schedules.CyclicLR(
        sgd(), 0.0, 1.0, 2, mode="exp_range", gamma=0.9, cycle_momentum=False
    )
    assert rates(shrinking, 2)[2] == pytest.approx(0.81)
    with pytest.raises(ValueError, match="must support momentum"):
        schedules.CyclicLR(optim.Adagrad([flambeau.ones(1, requires_grad=True)]), 0.0, 1.0)


def test_plateau():
    schedule = schedules.ReduceLROnPlateau(sgd(), factor=0.5, patience=1, cooldown=1, min_lr=0.2)
    found = []
    for metric in [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]:
        schedule.step(metric)
        found.append(schedule.get_last_lr()[0])
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2]
    with pytest.raises(ValueError, match=r"Factor should be < 1.0"):
        schedules.ReduceLROnPlateau(sgd(), factor=1.0)


def test_sequence_and_chain():
    optimizer = sgd()
    parts = [schedules.ConstantLR(optimizer, 0.5, 9), schedules.ExponentialLR(optimizer, 0.5)]
    assert rates(schedules.SequentialLR(optimizer, parts, [2]), 4) == [0.5, 0.5, 1, 0.5, 0.25]
    optimizer = sgd()
    both = [schedules.ConstantLR(optimizer, 0.5, 2), schedules.ExponentialLR(optimizer, 0.5)]
    assert rates(schedules.ChainedScheduler(both), 3) == [0.5, 0.25, 0.25, 0.125]
    with pytest.raises(ValueError, match="one more than the number of milestone points"):
        schedules.SequentialLR(optimizer, both, [])
    with pytest.raises(ValueError, match="same optimizer"):
        schedules.ChainedScheduler([*both, schedules.ExponentialLR(sgd(), 0.5)])


def test_groups_and_tensor_rates():
    weights = [flambeau.ones(1, requires_grad=True) for _ in range(2)]
    optimizer = optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": 0.1}], lr=1.0)
    schedule = schedules.LambdaLR(optimizer, [lambda t: 0.5**t, lambda t: 1.0])
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 0.1]
    rate = flambeau.tensor(1.0)
    schedule = schedules.ExponentialLR(sgd(rate), 0.5)
    schedule.optimizer.step()
    schedule.step()
    assert rate.item() == 0.5


def test_warnings_and_errors():
    schedule = schedules.ExponentialLR(sgd(), 0.5)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        schedule.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()
    with pytest.warns(UserWarning, match="epoch parameter"):
        schedule.step(3)
    assert schedule.get_last_lr() == [0.125]
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        schedules.ExponentialLR(3, 0.5)
    with pytest.raises(KeyError, match="initial_lr"):
        schedules.ExponentialLR(sgd(), 0.5, last_epoch=2)
