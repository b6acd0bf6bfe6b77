"""Modules: what they register, save, load, move and call."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import pytest

import flambeau
from flambeau import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 2)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(2, 2, bias=False))
        self.scale = nn.Parameter(flambeau.ones(1))
        self.register_buffer("count", flambeau.zeros(1))
        self.register_buffer("scratch", flambeau.zeros(1), persistent=False)

    def forward(self, x):
        return self.rest(self.first(x)) * self.scale


NAMES = ["scale", "first.weight", "first.bias", "rest.1.weight"]


def test_walks_parents_first_and_each_once():
    net = Net()
    net.again = net.first
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert [name for name, _ in net.named_children()] == ["first", "rest"]
    assert [name for name, _ in net.named_buffers()] == ["count", "scratch"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == len(NAMES) + 2
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]


def test_paths():
    net = Net()
    assert net.get_submodule("rest.1") is net.rest[1]
    assert net.get_submodule("") is net
    assert net.get_parameter("first.bias") is net.first.bias
    assert net.get_buffer("count") is net.count
    net.set_submodule("rest.0", nn.Tanh())
    assert isinstance(net.rest[0], nn.Tanh)
    with pytest.raises(AttributeError, match=r"Sequential has no attribute `7`"):
        net.get_submodule("rest.7")
    with pytest.raises(AttributeError, match=r"`count` is not an nn.Parameter"):
        net.get_parameter("count")
    with pytest.raises(AttributeError, match=r"`scale` is not a buffer"):
        net.get_buffer("scale")


def test_assignment_registers_and_replaces():
    net = Net()
    net.scale = None
    assert net.scale is None
    assert "scale" not in dict(net.named_parameters())
    net.first = nn.Identity()
    assert "first.weight" not in net.state_dict()
    net.count = flambeau.ones(2)
    assert net.get_buffer("count").shape == (2,)
    net.extra = nn.Buffer(flambeau.ones(1), persistent=False)
    assert "extra" in dict(net.named_buffers())
    assert "extra" not in net.state_dict()
    del net.rest
    assert not hasattr(net, "rest")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", 3, "cannot assign 'int' as parameter 'scale'"),
        ("first", 3, "cannot assign 'int' as child module 'first'"),
        ("count", 3, "cannot assign 'int' as buffer 'count'"),
    ],
)
def test_assignment_keeps_the_kind(name, value, message):
    with pytest.raises(TypeError, match=message):
        setattr(Net(), name, value)


def test_registration_errors():
    net = Net()
    with pytest.raises(KeyError, match="attribute 'first' already exists"):
        net.register_buffer("first", None)
    with pytest.raises(KeyError, match=r"module name can.*contain"):
        net.add_module("a.b", nn.ReLU())
    with pytest.raises(KeyError, match=r"name can.*be empty"):
        net.register_parameter("", None)
    with pytest.raises(TypeError, match="is not a Module subclass"):
        net.add_module("a", 3)
    with pytest.raises(TypeError, match=r"torch.nn.Parameter or None required"):
        net.register_parameter("a", flambeau.ones(1))
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'nothing'"):
        net.nothing  # noqa: B018
    with pytest.raises(NotImplementedError, match='missing the required "forward"'):
        nn.Module()(1)


def test_parts_need_the_base_class_set_up():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Forgetful()


def test_state_goes_round():
    flambeau.manual_seed(1)
    source, target = Net(), Net()
    state = source.state_dict()
    assert list(state) == ["scale", "count", "first.weight", "first.bias", "rest.1.weight"]
    assert isinstance(state, OrderedDict)
    assert not state["first.weight"].requires_grad
    assert str(target.load_state_dict(state)) == "<All keys matched successfully>"
    x = flambeau.ones(1, 3)
    assert flambeau.equal(source(x), target(x))
    assert next(iter(source.state_dict(prefix="net."))) == "net.scale"
    assert source.state_dict(keep_vars=True)["scale"] is source.scale


def test_load_reports_everything_at_once():
    net = Net()
    state = net.state_dict()
    del state["count"]
    state["other"] = flambeau.ones(1)
    state["first.weight"] = flambeau.ones(1, 1)
    with pytest.raises(RuntimeError) as raised:
        net.load_state_dict(state)
    text = str(raised.value)
    assert text.startswith(
        "Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict"
    )
    assert (
        'Missing key(s) in state_dict: "count". \n\tUnexpected key(s) in state_dict: "other". '
        in text
    )
    assert "size mismatch for first.weight: copying a param with shape torch.Size([1, 1])" in text
    state["first.weight"] = net.first.weight
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["count"], ["other"])


def test_load_can_take_the_tensors_themselves():
    net, weight = nn.Linear(2, 1), flambeau.ones(1, 2)
    net.load_state_dict({"weight": weight, "bias": flambeau.zeros(1)}, assign=True)
    assert net.weight.data_ptr() == weight.data_ptr()
    assert isinstance(net.weight, nn.Parameter)


def test_extra_state():
    class Counting(nn.Module):
        number = 3

        def get_extra_state(self):
            return self.number

        def set_extra_state(self, state):
            self.number = state

    source, target = Counting(), Counting()
    source.number = 5
    target.load_state_dict(source.state_dict())
    assert target.number == 5
    with pytest.raises(RuntimeError, match="_extra_state"):
        target.load_state_dict({})


def test_modes_and_gradients():
    net = Net()
    assert not net.eval().rest[0].training
    assert net.train().rest[0].training
    with pytest.raises(ValueError, match="expected to be boolean"):
        net.train(1)
    net(flambeau.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.item() == 0
    net.zero_grad()
    assert net.scale.grad is None
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_conversion_keeps_parameters_and_integers():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = net[0].weight
    net.double()
    assert net[0].weight is weight
    assert weight.dtype is flambeau.float64
    assert net[1].running_mean.dtype is flambeau.float64
    assert net[1].num_batches_tracked.dtype is flambeau.int64
    assert net.to(flambeau.ones(1))[0].weight.dtype is flambeau.float32
    assert net.to("cpu", flambeau.float16)[0].weight.dtype is flambeau.float16
    assert net.to(dtype=flambeau.float32)[0].weight.requires_grad
    with pytest.raises(TypeError, match="only accepts floating point"):
        net.to(flambeau.int32)


def test_apply_visits_children_first():
    seen = []
    Net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Net"]


def test_copies_share_nothing():
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net.first))):
        own, other = net.state_dict(), twin.state_dict()
        first = next(iter(other))
        assert isinstance(next(twin.parameters()), nn.Parameter)
        with flambeau.no_grad():
            next(twin.parameters()).fill_(7)
        assert not flambeau.equal(own.get(first, net.first.weight), other[first])


def test_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Linear(in_features=3, out_features=2, bias=True)\n"
        "  (rest): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Linear(in_features=2, out_features=2, bias=False)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Parameter(flambeau.ones(1))) == (
        "Parameter containing:\ntensor([1.], requires_grad=True)"
    )
