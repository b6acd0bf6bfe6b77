"""Graph files: what is exported computes the same bits; what is damaged is refused."""

from __future__ import annotations

import copy
import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import flambeau as torch
from flambeau.engine.flush import engine
from flambeau.io import graph_file


def mlp(dtype=torch.float32):
    torch.manual_seed(0)
    layers = [torch.nn.Linear(20, 30), torch.nn.LayerNorm(30), torch.nn.GELU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(30, 5), torch.nn.Softmax(1)).to(dtype)


def same(one, other) -> bool:
    return one.dtype is other.dtype and torch.equal(one, other)


# ---------------------------------------------------------------------- round trips


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_module_computes_the_same_bits(tmp_path, dtype, compiled):
    model, x = mlp(dtype), torch.randn(8, 20).to(dtype)
    if compiled:
        model = torch.compile(model)
    torch.export(model, tmp_path / "mlp", x)
    graph = torch.load_graph(tmp_path / "mlp")
    assert list(graph.inputs) == ["input"]
    for one in (x, torch.randn(8, 20).to(dtype), torch.randn(20, 8).to(dtype).t()):
        assert same(graph(one), model(one))
        assert same(graph(input=one), model(one))
    assert not graph(x).requires_grad
    with safe_open(tmp_path / "mlp", "numpy") as file:
        assert set(file.keys()) == set(model.state_dict())


def test_weights_are_those_of_the_export(tmp_path):
    model, x = mlp(), torch.randn(8, 20)
    before = model(x).detach().clone()
    torch.export(model, tmp_path / "mlp", x)
    with torch.no_grad():
        for one in model.parameters():
            one.zero_()
    assert same(torch.load_graph(tmp_path / "mlp")(x), before)


def test_a_function_that_gives_gradients(tmp_path):
    model = mlp()

    def loss_and_gradients(batch, *, scale):
        loss = torch.nn.functional.cross_entropy(model(batch["x"]), batch["label"]) * scale
        return {"loss": loss, "gradients": torch.autograd.grad(loss, list(model.parameters()))}

    batch = {"x": torch.randn(8, 20), "label": torch.arange(8) % 5}
    torch.export(loss_and_gradients, tmp_path / "step", batch, scale=0.5)
    graph = torch.load_graph(tmp_path / "step")
    assert list(graph.inputs) == ["batch.x", "batch.label"]
    for _ in range(2):
        batch["x"] = torch.randn(8, 20)
        found = graph(batch["x"], **{"batch.label": batch["label"]})
        wanted = loss_and_gradients(batch, scale=0.5)
        assert same(found["loss"], wanted["loss"])
        assert all(map(same, found["gradients"], wanted["gradients"]))
    with pytest.raises(IndexError, match="out of bounds"):
        graph(batch["x"], batch["label"] + 1)
    assert all(one.grad is None for one in model.parameters())


def test_backward_into_an_argument(tmp_path):
    def gradient(x):
        (x.sin() * x).sum().backward()
        return x.grad

    x = torch.randn(6, requires_grad=True)
    torch.export(gradient, tmp_path / "g", x)
    assert x.grad is None
    assert same(torch.load_graph(tmp_path / "g")(x), gradient(x))


def test_indexing_sorting_scans_and_what_is_no_operation(tmp_path):
    weight, at = torch.randn(3), torch.tensor([[0, 2, 1, 0], [1, 1, 1, 1]])

    def function(x, where):
        y = x.clone()
        y[1:, ::2] = 7.0
        made = [x[where], x.cumsum(1), y, torch.cat([x, y], 1), x.scatter_add(0, at, x)]
        order = tuple(x.sort(0)), tuple(x.max(1))
        return [x, weight, torch.tensor(2.5)], made, order, {"a": (None, "text", -0.0, True)}

    x, where = torch.randn(3, 4), torch.tensor([2, -1, 0])
    torch.export(function, tmp_path / "f", x, where)
    graph = torch.load_graph(tmp_path / "f")
    leaves, made, order, plain = graph(x, where)
    wanted = function(x, where)
    assert all(map(same, leaves, wanted[0]))
    assert all(map(same, made, wanted[1]))
    assert all(all(map(same, *pair)) for pair in zip(order, wanted[2], strict=True))
    assert repr(plain) == repr(wanted[3])
    for one in leaves:
        one.add_(1)  # they are no one else's memory
    assert all(map(same, graph(x, where)[0], wanted[0]))


def test_a_view_of_an_input_is_a_copy(tmp_path):
    torch.export(lambda x: x.reshape(2, 2), tmp_path / "f", torch.ones(4))
    array = np.arange(4, dtype="float32")
    found = torch.load_graph(tmp_path / "f")(array)
    array[:] = 7
    assert found.tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_tensors_in_memory_of_numpys(tmp_path):
    weight, x = torch.from_numpy(np.ones((4, 2))), torch.from_numpy(np.eye(4)).t()
    torch.export(lambda x: x @ weight, tmp_path / "f", x)
    assert same(torch.load_graph(tmp_path / "f")(x), torch.ones(4, 2).double())


def test_in_and_around_a_compiled_function(tmp_path):
    def function(x):
        torch.export(lambda x: x + 1, tmp_path / "inner", x)

    with pytest.raises(RuntimeError, match="inside of a function that is being captured"):
        torch.compile(function)(torch.ones(2))
    torch.export(lambda x: x + 1, tmp_path / "f", torch.ones(2))
    graph = torch.load_graph(tmp_path / "f")
    with pytest.warns(UserWarning, match="is not captured: a value was looked at"):
        assert torch.compile(lambda x: graph(x * 3) * 2)(torch.ones(2)).tolist() == [8.0, 8.0]


def test_infinities_in_numbers(tmp_path):
    torch.export(lambda x: torch.where(x > 0, x, float("-inf")), tmp_path / "f", torch.ones(2))
    found = torch.load_graph(tmp_path / "f")(torch.tensor([-1.0, 1.0]))
    assert found.tolist() == [float("-inf"), 1.0]


def test_later_calls_compile_nothing(tmp_path):
    torch.export(mlp(), tmp_path / "mlp", torch.randn(8, 20))
    graph = torch.load_graph(tmp_path / "mlp")
    x = torch.randn(8, 20)
    graph(x)
    torch.flush()
    before = engine.statistics.compiled, engine.statistics.flushes
    for _ in range(3):
        graph(x)
    torch.load_graph(tmp_path / "mlp")
    assert (engine.statistics.compiled, engine.statistics.flushes) == before


def test_a_session(tmp_path):
    import flambeau.tf1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.placeholder(tf.float32, [None, 1], name="y")
        w = tf.Variable(tf.random_normal([3, 1]), name="w")
        loss = tf.reduce_mean((tf.matmul(x, w) - y) ** 2.0)
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        fetches = {"loss": loss, "gradients": tf.gradients(loss, [w]), "w": w}
        session.run(tf.global_variables_initializer())
        numbers = np.random.default_rng(0)
        feeds = {
            x: numbers.standard_normal((6, 3), "float32"),
            y: numbers.standard_normal((6, 1), "float32"),
        }
        torch.export(session, tmp_path / "s", fetches, feeds)
        wanted = session.run(fetches, feeds)
        with pytest.raises(RuntimeError, match="writes to 'w'"):
            torch.export(session, tmp_path / "t", train, feeds)
        assert np.array_equal(session.run(w), wanted["w"])
        with pytest.raises(RuntimeError, match="random"):
            torch.export(session, tmp_path / "t", tf.random_normal([2]))
    found = torch.load_graph(tmp_path / "s")(feeds[x], y=feeds[y])
    assert np.array_equal(found["loss"].numpy(), wanted["loss"])
    assert np.array_equal(found["gradients"][0].numpy(), wanted["gradients"][0])
    assert np.array_equal(found["w"].numpy(), wanted["w"])
    assert not (tmp_path / "t").exists()


def test_it_runs_without_modules_and_without_the_program(tmp_path):
    model, x = mlp(), torch.randn(8, 20)
    torch.export(model, tmp_path / "mlp", x)
    np.save(tmp_path / "x.npy", x.numpy())
    program = f"""
import sys, types
package = types.ModuleType("flambeau")  # its own __init__ would import all
package.__path__ = [{os.path.dirname(torch.__file__)!r}]
sys.modules["flambeau"] = package
import numpy as np
from flambeau.io.load_graph import load_graph
result = load_graph("mlp")(np.load("x.npy"))
assert not [name for name in sys.modules if name.startswith(("flambeau.nn", "flambeau.tf1"))]
np.save("y.npy", result.numpy())
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=300)
    assert np.array_equal(np.load(tmp_path / "y.npy"), model(x).detach().numpy())


# ---------------------------------------------------------------------- refusals


def step_of(model, optimizer):
    def step(x):
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def test_what_is_more_than_a_graph_is_refused(tmp_path):
    model, x = mlp(), torch.randn(8, 20)
    adam = torch.optim.Adam(model.parameters())
    cases = [
        (torch.nn.Dropout(), "random numbers"),
        (lambda x: x.mul_(2), "writes to its argument 'x'"),
        (lambda x: x if x.sum() > 0 else -x, "looked at"),
        (torch.nn.BatchNorm1d(20), "writes to 'num_batches_tracked'"),
        (lambda x: model(x).sum().backward(), "sets the gradient"),
        (step_of(model, adam), "writes to a tensor from outside"),
        (lambda x: {1: x}, "strings as keys"),
        (lambda x: object(), "cannot hold a object"),
    ]
    for function, reason in cases:
        with pytest.raises(RuntimeError, match=reason):
            torch.export(function, tmp_path / "f", x)
    assert os.listdir(tmp_path) == []
    with pytest.raises(TypeError, match="a function, a module or a Session"):
        torch.export(3, tmp_path / "f")
    with pytest.raises(ZeroDivisionError):
        torch.export(lambda x: 1 / 0, tmp_path / "f", x)
    assert x.sum().item() == x.clone().sum().item()  # recording goes on as before


def test_numbers_that_change_are_refused(tmp_path):
    from flambeau.core.live import Live

    rate = Live.of(lambda: 0.5)
    with pytest.raises(RuntimeError, match="a number that may change between runs"):
        torch.export(lambda x: x * rate, tmp_path / "f", torch.ones(2))


def test_wrong_inputs_are_refused(tmp_path):
    torch.export(lambda x, y: x + y, tmp_path / "f", torch.ones(2), torch.ones(2))
    graph, x = torch.load_graph(tmp_path / "f"), torch.ones(2)
    for call, error, message in [
        (lambda: graph(x), TypeError, r"\['y'\] are missing"),
        (lambda: graph(x, x, x), TypeError, "takes 2 inputs, but 3"),
        (lambda: graph(x, x, y=x), TypeError, "'y' is given twice"),
        (lambda: graph(x, z=x), TypeError, "'z' is unknown"),
        (lambda: graph(x, 1.0), TypeError, "'y' has to be a tensor"),
        (lambda: graph(x, torch.ones(3)), ValueError, r"'y' .* of shape \[2\], received .*\[3\]"),
        (lambda: graph(x, x.double()), ValueError, "float32 .* received torch.float64"),
    ]:
        with pytest.raises(error, match=message):
            call()


@pytest.fixture
def stored(tmp_path):
    """A file, its header's entries, its graph as JSON, and its weights."""
    path = tmp_path / "graph"
    weight = torch.randn(4, 3)

    def function(x, where):
        return (x @ weight)[where].permute(1, 0) * 2.0

    torch.export(function, path, torch.randn(5, 4), torch.tensor([0, -1]))
    with safe_open(path, "numpy") as file:
        metadata, weights = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    return path, metadata, json.loads(metadata["graph"]), weights


def test_a_truncated_file_is_refused(stored):
    path, *_ = stored
    whole = path.read_bytes()
    for size in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="truncated or damaged"):
            torch.load_graph(path)
    path.write_bytes(b"\x80\x04" + whole)
    with pytest.raises(ValueError, match="truncated or damaged"):
        torch.load_graph(path)
    with pytest.raises(FileNotFoundError):
        torch.load_graph(path.with_name("none"))


def test_every_altered_byte_is_noticed(stored):
    path, *_ = stored
    whole = bytearray(path.read_bytes())
    for place in range(8, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(ValueError, match="graph"):
            torch.load_graph(path)


def test_other_files_and_versions_are_refused(stored):
    path, metadata, _, weights = stored
    for changed, message in [
        ({}, "without a graph"),
        ({**metadata, "format": "pt"}, "without a graph"),
        ({**metadata, "version": "2"}, "has version 2 .* reads version 1"),
        ({key: metadata[key] for key in ("format", "version", "graph")}, "no 'sha256'"),
    ]:
        save_file(weights, path, changed)
        with pytest.raises(ValueError, match=message):
            torch.load_graph(path)


def entry(graph, op):
    return next(one for one in graph["values"] if one.get("op") == op)


def _set(op, key, value):
    return lambda graph: entry(graph, op).update({key: value})


def _attribute(op, key, value):
    return lambda graph: entry(graph, op)["attributes"].update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("matmul", "op", "system"), "unknown op"),
        (_set("matmul", "op", "draw32"), "unknown op"),
        (_set("matmul", "op", ["matmul"]), "expected 'op', a str"),
        (_set("matmul", "dtype", "float31"), "unknown dtype 'float31'"),
        (_set("matmul", "dtype", "float64"), r"it is float32\[5, 3\], but the file says float64"),
        (_set("matmul", "shape", [5, 4]), r"it is float32\[5, 3\]"),
        (_set("matmul", "shape", [-5, 3]), "not possible"),
        (_set("matmul", "shape", [1 << 62, 3]), "not possible"),
        (_set("matmul", "inputs", [0, 0]), "cannot be multiplied"),
        (_set("matmul", "inputs", [0]), "takes 2 inputs, found 1"),
        (_set("matmul", "inputs", [0, 99]), "not all values before it"),
        (_set("matmul", "inputs", [0, True]), "whole numbers"),
        (_set("matmul", "attributes", {"x": 1}), r"takes the attributes \[\]"),
        (_attribute("permute", "dims", [0, 0]), "do not fit"),
        (_attribute("permute", "dims", [0, 7]), "do not fit"),
        (_attribute("permute", "dims", "10"), "unknown data"),
        (_attribute("permute", "dims", [0.0, 1]), "'dims' has to be whole numbers"),
        (_attribute("permute", "dims", 1), "'dims' has to be whole numbers"),
        (_attribute("index", "dims", [2]), "do not fit"),
        (_attribute("wrap_index", "lowest", -100), "do not fit"),
        (lambda graph: graph.pop("results"), "'results'"),
        (lambda graph: graph.update(results={"value": 99}), "structure of results"),
        (lambda graph: graph["values"].insert(3, graph["values"][0]), "inputs have to come first"),
        (lambda graph: graph["values"].append(3), "expected 'shape'"),
    ],
)
def test_an_altered_graph_with_a_right_checksum_is_refused(stored, change, message):
    path, metadata, content, weights = stored
    change(content)
    rewrite(path, metadata, content, weights)
    with pytest.raises(ValueError, match=message):
        torch.load_graph(path)


def rewrite(path, metadata, content, weights):
    text = json.dumps(content)
    checksum = graph_file._checksum(text, weights)
    save_file(weights, path, {**metadata, "graph": text, "sha256": checksum})


def test_weights_that_do_not_fit_are_refused(stored):
    path, metadata, content, weights = stored
    (name,) = weights
    for changed, message in [
        ({name: weights[name][:2]}, r"it is float32\[2, 3\], but the file says float32\[4, 3\]"),
        ({name: weights[name].astype("float64")}, "there is one of float64"),
        ({"other": weights[name]}, "there is none"),
    ]:
        rewrite(path, metadata, content, {key: one.copy() for key, one in changed.items()})
        with pytest.raises(ValueError, match=message):
            torch.load_graph(path)


def test_positions_are_checked_even_if_a_file_says_otherwise(stored):
    path, metadata, content, weights = stored
    unchecked = copy.deepcopy(content)
    # What is indexed with is the input, as it comes.
    number = unchecked["values"].index(entry(unchecked, "wrap_index"))
    entry(unchecked, "index")["inputs"][1] = 1
    rewrite(path, metadata, unchecked, weights)
    graph = torch.load_graph(path)
    assert number > 1
    assert graph(torch.randn(5, 4), torch.tensor([0, 4])).shape == (3, 2)
    with pytest.raises(IndexError, match="out of bounds"):
        graph(torch.randn(5, 4), torch.tensor([0, 1 << 40]))


@pytest.mark.parametrize("page", ["graph_files.md", "graph_files.zh.md"])
def test_the_page(page, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    path = Path(__file__).parents[2] / "docs" / page
    failures, examples = doctest.testfile(
        str(path), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS
    )
    assert failures == 0
    assert examples > 0
