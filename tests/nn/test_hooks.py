"""Hooks around the forward and the backward pass, saving and loading."""

from __future__ import annotations

import pytest

import flambeau
from flambeau import nn


def doubling():
    layer = nn.Linear(1, 1, bias=False)
    with flambeau.no_grad():
        layer.weight.fill_(2)
    return layer


def test_forward_hooks_may_replace_arguments_and_results():
    layer = doubling()
    before = layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
    after = layer.register_forward_hook(lambda module, args, result: result * 10)
    x = flambeau.ones(1)
    assert layer(x).item() == 40
    before.remove()
    assert layer(x).item() == 20
    after.remove()
    assert layer(x).item() == 2


def test_forward_hooks_with_keywords_and_order():
    log = []
    layer = doubling()
    layer.register_forward_hook(lambda module, args, result: log.append("second"))
    layer.register_forward_hook(lambda module, args, result: log.append("first"), prepend=True)
    layer.register_forward_pre_hook(
        lambda module, args, kwargs: ((), {"input": kwargs["input"] * 3}), with_kwargs=True
    )
    assert layer(input=flambeau.ones(1)).item() == 6
    assert log == ["first", "second"]


def test_a_hook_that_is_always_called_sees_failures():
    log = []
    layer = doubling()
    layer.register_forward_hook(lambda module, args, result: log.append(result), always_call=True)
    with pytest.raises(RuntimeError):
        layer(flambeau.ones(7))
    assert log == [None]


def test_backward_hooks_see_and_replace_gradients():
    log = []
    layer = doubling()

    def before(module, grad_output):
        return (grad_output[0] * 10,)

    def after(module, grad_input, grad_output):
        log.append((grad_input[0].item(), grad_output[0].item()))
        return (grad_input[0] + 1,)

    layer.register_full_backward_pre_hook(before)
    layer.register_full_backward_hook(after)
    x = flambeau.ones(1, requires_grad=True)
    layer(x).backward()
    assert log == [(20.0, 10.0)]
    assert x.grad.item() == 21
    assert layer.weight.grad.item() == 10


def test_backward_hooks_without_a_gradient_for_the_input():
    log = []
    layer = doubling()
    layer.register_full_backward_hook(lambda module, given, taken: log.append((given, len(taken))))
    layer(flambeau.ones(1)).backward()
    assert log == [((None,), 1)]


def test_a_wrong_number_of_gradients_is_an_error():
    layer = doubling()
    layer.register_full_backward_hook(lambda module, given, taken: (None, None))
    x = flambeau.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="expected 1, got 2"):
        layer(x).backward()


def test_state_hooks():
    layer = doubling()
    layer.register_state_dict_pre_hook(lambda module, prefix, keep: module.weight.data.fill_(5))
    layer.register_state_dict_post_hook(
        lambda module, state, prefix, metadata: state.update({f"{prefix}old": state.pop("weight")})
    )
    state = layer.state_dict()
    assert state["old"].item() == 5

    def rename(module, state, prefix, *rest):
        state[prefix + "weight"] = state.pop(prefix + "old")

    target = doubling()
    target.register_load_state_dict_pre_hook(rename)
    target.load_state_dict(state)
    assert target.weight.item() == 5
    target.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    assert target.load_state_dict({"old": flambeau.ones(1, 1)}, strict=False).missing_keys == []


def test_the_old_backward_hook_warns():
    with pytest.warns(FutureWarning, match="register_full_backward_hook"):
        doubling().register_backward_hook(lambda *_: None)
