"""Containers of modules and parameters."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import flambeau
from flambeau import nn


def names(module):
    return [f"{key}:{type(child).__name__}" for key, child in module.named_children()]


def test_sequential_as_a_list():
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    model.append(nn.Sigmoid()).insert(1, nn.GELU())
    assert names(model) == ["0:ReLU", "1:GELU", "2:Tanh", "3:Sigmoid"]
    del model[0]
    assert isinstance(model.pop(-1), nn.Sigmoid)
    model[0] = nn.SiLU()
    assert names(model) == ["0:SiLU", "1:Tanh"]
    assert names(model[1:]) == ["1:Tanh"]
    assert len(model + model) == len(model * 2) == len(2 * model) == 4
    model += nn.Sequential(nn.ReLU())
    model *= 2
    assert len(model) == 6
    with pytest.raises(IndexError, match="index 9 is out of range"):
        model[9]
    layers = [nn.ReLU()]
    with pytest.raises(ValueError, match="only objects of Sequential class"):
        model + layers
    with pytest.raises(ValueError, match="Non-positive"):
        model * 0


def test_sequential_with_names():
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.ReLU()))
    assert model.first is model[0]
    assert model(flambeau.ones(1, 2)).shape == (1, 3)


def test_module_list():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    layers.insert(0, nn.ReLU())
    layers += [nn.Tanh()]
    layers.extend([nn.Tanh()])
    assert names(layers)[0] == "0:ReLU"
    assert repr(layers) == (
        "ModuleList(\n"
        "  (0): ReLU()\n"
        "  (1-3): 3 x Linear(in_features=2, out_features=2, bias=True)\n"
        "  (4-5): 2 x Tanh()\n"
        ")"
    )
    del layers[1:3]
    assert names(layers) == ["0:ReLU", "1:Linear", "2:Tanh", "3:Tanh"]
    assert isinstance(layers[1:2], nn.ModuleList)
    more = [nn.ReLU()]
    assert len(layers + more) == 5
    assert isinstance(layers.pop(0), nn.ReLU)
    with pytest.raises(TypeError, match="should be called with an iterable"):
        layers.extend(3)


def test_module_dict():
    layers = nn.ModuleDict([["a", nn.ReLU()], ["b", nn.Tanh()]])
    layers.update({"c": nn.GELU()})
    layers["a"] = nn.SiLU()
    assert names(layers) == ["a:SiLU", "b:Tanh", "c:GELU"]
    assert "b" in layers
    assert isinstance(layers.pop("b"), nn.Tanh)
    del layers["a"]
    assert list(layers.keys()) == ["c"]
    layers.clear()
    assert len(layers) == 0
    with pytest.raises(TypeError, match="iterable of key/value pairs"):
        layers.update(3)
    with pytest.raises(ValueError, match="has length 1; 2 is required"):
        layers.update([["a"]])


def test_parameter_list():
    parameters = nn.ParameterList([flambeau.zeros(2, 3)])
    parameters.append("a note").extend([nn.Parameter(flambeau.ones(1))])
    assert [type(p).__name__ for p in parameters] == ["Parameter", "str", "Parameter"]
    assert list(parameters.state_dict()) == ["0", "2"]
    assert len(parameters[1:]) == 2
    parameters[0] = flambeau.ones(1)
    assert parameters[-1].shape == (1,)
    assert repr(parameters) == (
        "ParameterList(\n"
        "    (0): Parameter containing: [torch.float32 of size 1]\n"
        "    (1): Object of type: str\n"
        "    (2): Parameter containing: [torch.float32 of size 1]\n"
        ")"
    )
    with pytest.raises(RuntimeError, match="should not be called"):
        parameters()


def test_parameter_dict():
    parameters = nn.ParameterDict({"b": flambeau.zeros(2), "a": flambeau.ones(3)})
    assert list(parameters) == ["a", "b"]
    assert list(reversed(parameters)) == ["b", "a"]
    assert parameters.setdefault("c", flambeau.ones(1)) is parameters["c"]
    merged = parameters | {"d": flambeau.ones(1)}
    assert list(merged.keys()) == ["a", "b", "c", "d"]
    assert merged.popitem()[0] == "d"
    assert merged.pop("c") is parameters["c"]
    assert merged.get("zzz") is None
    merged |= {"e": flambeau.ones(1)}
    del merged["a"]
    assert [name for name, _ in merged.named_parameters()] == ["b", "e"]
    assert list(parameters.fromkeys(["x"], 1).values()) == [1]
    merged.clear()
    assert len(merged) == 0
    with pytest.raises(TypeError, match="not a string"):
        parameters[3]


def test_the_old_container_warns():
    with pytest.warns(FutureWarning, match="deprecated"):
        assert names(nn.Container(a=nn.ReLU())) == ["a:ReLU"]
