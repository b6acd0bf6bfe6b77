"""Programs as ONNX models: what others compute of them is what flambeau computes."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import flambeau as torch

onnx = pytest.importorskip("onnx")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from flambeau.io.onnx import model as onnx_files  # noqa: E402

F = torch.nn.functional


def run(path, *arrays):
    """What the reference evaluator makes of a checked file."""
    onnx.checker.check_model(str(path), full_check=True)
    evaluator = ReferenceEvaluator(str(path))
    feeds = dict(zip(evaluator.input_names, map(np.asarray, arrays), strict=True))
    return evaluator.run(None, feeds)


def assert_same(found, wanted, rtol=1e-6):
    assert found.dtype == wanted.numpy().dtype
    scale = float(wanted.double().abs().max()) if wanted.numel() else 1.0
    np.testing.assert_allclose(found, wanted.numpy(), rtol=rtol, atol=rtol * scale)


class Block(torch.nn.Module):
    """Causal attention with two heads, and a feed-forward layer; both pre-normalised."""

    def __init__(self, width=16):
        super().__init__()
        self.first, self.second = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.project = torch.nn.Linear(width, 3 * width)
        self.feed = torch.nn.Sequential(
            torch.nn.Linear(width, 32), torch.nn.GELU(), torch.nn.Linear(32, width)
        )

    def forward(self, x):
        batch, time, width = x.shape
        parts = self.project(self.first(x)).chunk(3, dim=-1)
        q, k, v = (one.view(batch, time, 2, width // 2).transpose(1, 2) for one in parts)
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // 2)
        mask = torch.ones(time, time, dtype=torch.bool).tril()
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        x = x + (weights @ v).transpose(1, 2).reshape(batch, time, width)
        return x + self.feed(self.second(x))


def mlp():
    layers = [torch.nn.Linear(20, 30), torch.nn.ReLU(), torch.nn.Linear(30, 5)]
    return torch.nn.Sequential(*layers, torch.nn.LogSoftmax(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_models(tmp_path, dtype):
    torch.manual_seed(0)
    for model, shape in [(mlp(), (8, 20)), (Block(), (2, 7, 16))]:
        model, x = model.to(dtype), torch.randn(*shape, dtype=dtype)
        torch.export(torch.compile(model), tmp_path / "model.onnx", x)
        for one in (x, torch.randn(*shape, dtype=dtype)):
            # The evaluator's erf is float32's.
            (found,) = run(tmp_path / "model.onnx", one.numpy())
            assert_same(found, model(one).detach())
        names = {one.name for one in onnx.load(tmp_path / "model.onnx").graph.initializer}
        assert names >= set(model.state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_models_of_16_bits(tmp_path, dtype):
    torch.manual_seed(0)
    model, x = Block().to(dtype), torch.randn(2, 7, 16).to(dtype)
    torch.onnx.export(lambda x: model(x).float(), x, tmp_path / "model.onnx")
    given = x.numpy() if dtype is torch.float16 else x.float().numpy()
    kind = onnx.load(tmp_path / "model.onnx").graph.input[0].type.tensor_type.elem_type
    given = given.astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    (found,) = run(tmp_path / "model.onnx", given)
    assert_same(found, model(x).float().detach(), 2e-3 if dtype is torch.float16 else 2e-2)


def test_a_training_step(tmp_path):
    def step(x, label, parameters):
        first, second = parameters["first"], parameters["second"]
        loss = F.cross_entropy((x @ first).tanh() @ second, label)
        gradients = torch.autograd.grad(loss, [first, second])
        updated = [p - 0.1 * g for p, g in zip((first, second), gradients, strict=True)]
        return {"loss": loss, "parameters": dict(zip(parameters, updated, strict=True))}

    torch.manual_seed(0)
    x, label = torch.randn(8, 20), torch.arange(8) % 5
    state = {"first": torch.randn(20, 30) / 4, "second": torch.randn(30, 5) / 5}
    arrays = [one.numpy() for one in state.values()]
    for number in range(3):
        state = {key: one.detach().requires_grad_() for key, one in state.items()}
        if number == 0:
            torch.export(step, tmp_path / "step.onnx", x, label, state)
        loss, *arrays = run(tmp_path / "step.onnx", x.numpy(), label.numpy(), *arrays)
        wanted = step(x, label, state)
        state = wanted["parameters"]
        assert_same(loss, wanted["loss"].detach())
        for found, one in zip(arrays, state.values(), strict=True):
            assert_same(found, one.detach())
    graph = onnx.load(tmp_path / "step.onnx").graph
    names = [one.name for one in (*graph.input, *graph.output)]
    # An output has no name of an input's.
    assert names[:4] == ["x", "label", "parameters.first", "parameters.second"]
    assert names[4:] == ["loss", "parameters.first_", "parameters.second_"]


def test_indexing_sorting_and_scans(tmp_path):
    at = torch.tensor([[0, 2, 1, 0], [1, 1, 1, 1]])

    def function(x, where):
        y = x.clone()
        y[1:, ::2] = 7.0
        rows = [x[where], x[:, where, None], x[where, where], y, x.flip(1), x.diagonal()]
        scans = [x.cumsum(1), x.cumprod(0), x.cummax(1), (x > 0).cumsum(0), x.half().cumsum(1)]
        sums = [x.scatter_add(0, at, x), x.index_add(0, where % 3, x), x.sum((0, 1)), x.mean(0)]
        order = [x.sort(0), x.topk(2), x.max(1), x.argmin(), x.median(), torch.cat([x, y], 1)]
        return rows, scans, sums, order, [x.unfold(1, 2, 1), x.roll(1, 0), F.pad(x, (1, -1, 0, 2))]

    x, where = torch.randn(3, 4), torch.tensor([2, -1, 0])
    torch.export(function, tmp_path / "f.onnx", x, where)
    found = run(tmp_path / "f.onnx", x.numpy(), where.numpy())
    wanted = flat(function(x, where))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other, 1e-3 if other.dtype is torch.float16 else 1e-6)
    assert "CumSum" in {one.op_type for one in onnx.load(tmp_path / "f.onnx").graph.node}


def flat(structure):
    if isinstance(structure, torch.Tensor):
        return [structure]
    return [one for part in structure for one in flat(part)]


def test_a_session(tmp_path):
    import flambeau.tf1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.Variable(tf.random_normal([3, 2]), name="w")
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(
            labels=tf.constant([[0.0, 1.0]] * 4), logits=tf.matmul(x, w)
        ))  # fmt: skip
        fetches = {"loss": loss, "gradient": tf.gradients(loss, [w])[0], "w": w}
        session.run(tf.global_variables_initializer())
        feeds = {x: np.random.default_rng(0).standard_normal((4, 3), "float32")}
        torch.export(session, tmp_path / "s.onnx", fetches, feeds)
        wanted = session.run(fetches, feeds)
    found = run(tmp_path / "s.onnx", feeds[x])
    for one, name in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, wanted[name], rtol=1e-6)


def test_results_that_no_operator_makes(tmp_path):
    weight = torch.randn(3)

    def function(x):
        return {"same": x, "again": x, "weight": weight, "number": torch.tensor(2.5), "no": None}

    torch.export(function, tmp_path / "f.onnx", torch.ones(2))
    graph = onnx.load(tmp_path / "f.onnx").graph
    assert [one.name for one in graph.output] == ["same", "again", "weight", "number"]
    same, again, found, number = run(tmp_path / "f.onnx", [1.0, 2.0] @ np.eye(2, dtype="float32"))
    assert same.tolist() == again.tolist() == [1.0, 2.0]
    assert np.array_equal(found, weight.numpy())
    assert number == 2.5


def test_only_what_reaches_the_outputs_is_written(tmp_path):
    unused = torch.randn(3)
    torch.export(lambda x: (x * unused, x + 1)[1], tmp_path / "f.onnx", torch.ones(3))
    graph = onnx.load(tmp_path / "f.onnx").graph
    assert [one.op_type for one in graph.node] == ["Add"]
    assert len(graph.initializer) == 1


# ---------------------------------------------------------------------- torch.onnx


def test_the_arguments_of_torchs_export(tmp_path):
    model, x = mlp(), torch.randn(8, 20)
    path = tmp_path / "model.onnx"
    program = torch.onnx.export(
        model, (x,), path, input_names=["image"], output_names=["logits"], opset_version=18
    )
    assert repr(program) == "ONNXProgram(image -> logits)"
    assert [one.version for one in onnx.load(path).opset_import] == [18]
    (found,) = run(path, x.numpy())
    assert_same(found, model(x).detach())
    # Others that programs give; and a tensor for the arguments, a file for the path.
    file = io.BytesIO()
    torch.onnx.export(
        model, x, file, dynamo=False, do_constant_folding=True, verbose=False, export_params=True
    )
    path.write_bytes(file.getvalue())
    assert np.array_equal(run(path, x.numpy())[0], found)
    program = torch.onnx.export(lambda x, *, scale: x * scale, (x,), kwargs={"scale": x})
    assert repr(program) == "ONNXProgram(x, scale -> output)"
    program.save(path)
    assert_same(run(path, x.numpy(), x.numpy())[0], x * x)


def test_what_is_refused(tmp_path):
    x, path = torch.ones(3), tmp_path / "f.onnx"
    cases = [
        (lambda x: torch.special.erfinv(x), {}, RuntimeError, r"'erfinv' \(recorded at .*test_onn"),
        (torch.nn.Dropout(), {}, RuntimeError, "random numbers"),
        (lambda x: (x, 3), {}, RuntimeError, "'output.1' is 3"),
        (lambda x: x, {"export_params": False}, NotImplementedError, "without its weights"),
        (lambda x: x, {"opset_version": 17}, ValueError, "from 18 to .* received 17"),
        (lambda x: x, {"input_names": ["a", "b"]}, ValueError, "2 input_names .* for 1 inputs"),
        (lambda x: x, {"input_names": ["a"], "output_names": ["a"]}, ValueError, "a name twice"),
    ]
    for function, options, error, message in cases:
        with pytest.raises(error, match=message):
            torch.onnx.export(function, x, path, **options)
    assert os.listdir(tmp_path) == []


def test_weights_that_do_not_fit_in_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "_MOST_BYTES", 1000)
    model, x = mlp(), torch.randn(8, 20)
    program = torch.onnx.export(model, x)
    for _ in range(2):  # the second time there are files already
        program.save(tmp_path / "m.onnx")
        assert sorted(os.listdir(tmp_path)) == ["m.onnx", "m.onnx.data"]
        assert (tmp_path / "m.onnx").stat().st_size < 4000
        assert_same(run(tmp_path / "m.onnx", x.numpy())[0], model(x).detach())
    with pytest.raises(ValueError, match="do not fit in one file"):
        program.save(tmp_path / "m.onnx", external_data=False)
    with pytest.raises(ValueError, match="do not fit in one file"):
        program.save(io.BytesIO())


def test_without_the_package_the_error_says_how_to_get_it(tmp_path):
    program = """
import sys
sys.modules["onnx"] = None  # so that importing it fails
import flambeau as torch
torch.export(torch.nn.Linear(2, 2), "plain.graph", torch.ones(1, 2))
for export in (lambda: torch.export(torch.nn.Linear(2, 2), "f.onnx", torch.ones(1, 2)),
               lambda: torch.onnx.export(torch.nn.Linear(2, 2), torch.ones(1, 2))):
    try:
        export()
    except ImportError as error:
        print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=300, capture_output=True
    )
    assert len(re.findall(r"pip install 'flambeau\[onnx\]'", ran.stdout.decode())) == 2


def test_a_script_that_imports_torch_onnx(tmp_path):
    from flambeau.cli import imports

    assert imports.find_module(imports.NAMES["torch.onnx"]) is torch.onnx


# ---------------------------------------------------------------------- open sizes


def shapes(ends):
    return [
        [one.dim_param or one.dim_value for one in end.type.tensor_type.shape.dim] for end in ends
    ]


def test_models_with_open_sizes(tmp_path):
    torch.manual_seed(0)
    model, path = Block(), tmp_path / "model.onnx"
    axes = {"tokens": {0: "batch", 1: "time"}, "output": {0: "batch"}}
    x = torch.randn(1, 7, 16)
    program = torch.onnx.export(model, x, path, input_names=["tokens"], dynamic_axes=axes)
    graph = program.model_proto.graph
    assert shapes(graph.input) == shapes(graph.output) == [["batch", "time", 16]]
    for shape in [(1, 7, 16), (1, 1, 16), (5, 3, 16), (2, 20, 16)]:
        x = torch.randn(*shape)
        assert_same(run(path, x.numpy())[0], model(x).detach())
    # Of one open size nothing needs to be computed.
    program = torch.onnx.export(mlp(), torch.randn(8, 20), dynamic_axes={"input": [0]})
    assert shapes(program.model_proto.graph.output) == [["dim_0_8", 5]]
    assert not {"Shape", "Concat"} & {one.op_type for one in program.model_proto.graph.node}


def test_gradients_with_open_sizes(tmp_path):
    def step(batch, weight):
        loss = F.cross_entropy(batch["x"] @ weight, batch["label"])
        return loss, torch.autograd.grad(loss, weight)[0]

    def arguments(count):
        batch = {"x": torch.randn(count, 6), "label": torch.arange(count) % 3}
        return batch, torch.randn(6, 3, requires_grad=True)

    for given in (
        {"dynamic_axes": {"batch.x": [0], "batch.label": [0]}},
        {"dynamic_shapes": {"batch": {"x": {0: "n"}, "label": ("n",)}, "weight": None}},
        {"dynamic_shapes": ({0: "n"}, {0: "n"}, None)},
    ):
        torch.onnx.export(step, arguments(4), tmp_path / "step.onnx", **given)
        for count in (1, 4, 9):
            batch, weight = arguments(count)
            arrays = [*[one.numpy() for one in batch.values()], weight.detach().numpy()]
            found, wanted = run(tmp_path / "step.onnx", *arrays), step(batch, weight)
            for one, other in zip(found, wanted, strict=True):
                assert_same(one, other.detach())


OPEN = [
    lambda x: x.cumsum(0),
    lambda x: x.cumprod(0).flip(0),
    lambda x: x.cummax(1)[0],
    lambda x: x.sort(0),
    lambda x: x.topk(2, 1),
    lambda x: x.mean(0) * x.var(),
    lambda x: torch.cat([x, x[1:], x[:, :-1].sum(1, keepdim=True).expand(x.shape)]),
    lambda x: F.pad(x, (1, -1, 2, 1)).reshape(-1),
    lambda x: x.expand(4, *x.shape) + torch.ones(x.shape).triu(),
    lambda x: x[torch.arange(x.shape[0]) - 1],
    lambda x: x.argmax(1).to(torch.float32) / x.shape[0],
    lambda x: x.t() @ x.unsqueeze(0).repeat(2, 1, 1) * (x.shape[0] * x.shape[1] + 1),
]


@pytest.mark.parametrize("place", range(len(OPEN)))
def test_operations_with_open_sizes(tmp_path, place):
    function = OPEN[place]
    axes = {"x": {0: "n", -1: "k"}}
    torch.onnx.export(function, torch.randn(6, 5), tmp_path / "f.onnx", dynamic_axes=axes)
    for shape in [(6, 5), (3, 4), (2, 9), (7, 3)]:
        x = torch.randn(*shape)
        wanted = flat(function(x))
        for one, other in zip(run(tmp_path / "f.onnx", x.numpy()), wanted, strict=True):
            assert one.shape == tuple(other.shape)
            assert_same(one, other, 1e-5)


def test_what_open_sizes_cannot_say():
    x = torch.randn(6, 5)

    def dim(name):
        return type(name, (), {})  # as torch.export.Dim is, it has a __name__

    cases = [
        (lambda x: x.sum(0) if len(x) > 5 else x, {"x": [0]}, RuntimeError, "other operations"),
        (lambda x: x.sin() if len(x) > 5 else x.cos(), {"x": [0]}, RuntimeError, "'sin' is done"),
        (lambda x: x / (1 / len(x)), {"x": [0]}, RuntimeError, r"0.33.* becomes .* for other"),
        (lambda x: x[: len(x) // 2], {"x": [0]}, RuntimeError, "sums and products"),
        (lambda x: x.unfold(0, 2, 1), {"x": [1]}, RuntimeError, "memory layout"),
        (lambda x: torch.tensor([len(x)]), {"x": [0]}, RuntimeError, "constant .* depends"),
        (lambda x: x, {"x": [2]}, ValueError, "has no dimension 2"),
        (lambda x: x, {"x": dict(enumerate("abcd"))}, ValueError, "has no dimension 2"),
    ]
    for function, axes, error, message in cases:
        with pytest.raises(error, match=message):
            torch.onnx.export(function, x, dynamic_axes=axes)
    with pytest.raises(ValueError, match="'y' is none of the inputs"):
        torch.onnx.export(lambda x: x, x, dynamic_shapes={"y": "n"})
    with pytest.raises(ValueError, match="1 dynamic_shapes for the inputs"):
        torch.onnx.export(lambda x, y: x, (x, x), dynamic_shapes=[{0: "n"}])
    with pytest.raises(ValueError, match="dynamic, but 0 in args"):
        torch.onnx.export(lambda x: x, x[:0], dynamic_axes={"x": [0]})
    with pytest.raises(NotImplementedError, match="at most 3 different"):
        torch.onnx.export(
            lambda x, y: (x, y), (x, x), dynamic_axes={"x": {0: "a", 1: "b"}, "y": {0: "c", 1: "d"}}
        )
    program = torch.onnx.export(lambda x: x + 1, x, dynamic_shapes={"x": {1: dim("width")}})
    assert shapes(program.model_proto.graph.output) == [[6, "width"]]
