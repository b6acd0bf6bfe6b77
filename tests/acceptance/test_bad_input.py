"""Bad input: PyTorch's exceptions, at the user's line, and nothing is changed by them."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

SOURCES = Path(__file__).parents[2] / "src"


def x() -> Any:
    return torch.ones(2, 3)


def i() -> Any:
    return torch.tensor([0, 1])


BAD_CALLS: dict[str, tuple[Callable[[], Any], type[Exception], str | None]] = {
    # Shapes
    "add": (lambda: x() + torch.ones(2), RuntimeError, r"size of tensor a \(3\).*b \(2\).*dim.* 1"),
    "add in place": (lambda: torch.ones(3).add_(x()), RuntimeError, r"output with shape \[3\]"),
    "mm": (lambda: x() @ x(), RuntimeError, r"2x3 and 2x3"),
    "linear": (lambda: nn.Linear(4, 2)(x()), RuntimeError, r"2x3 and 4x2"),
    "view": (lambda: x().view(4), RuntimeError, r"shape '\[4\]' is invalid for input of size 6"),
    "reshape": (lambda: x().reshape(-1, 4), RuntimeError, r"invalid for input of size 6"),
    "cat": (lambda: torch.cat([x(), torch.ones(2, 2)]), RuntimeError, r"Sizes of tensors must"),
    "stack": (lambda: torch.stack([x(), torch.ones(2)]), RuntimeError, r"stack expects each"),
    "expand": (lambda: x().expand(4, 4), RuntimeError, r"expanded size"),
    "permute": (lambda: x().permute(0), RuntimeError, r"permute"),
    "bool": (lambda: bool(x()), RuntimeError, r"more than one value is ambiguous"),
    "item": (lambda: x().item(), RuntimeError, r"6 elements cannot be converted to Scalar"),
    "backward": (lambda: (x().requires_grad_() * 2).backward(), RuntimeError, r"scalar outputs"),
    "no grad": (lambda: x().sum().backward(), RuntimeError, r"does not require grad"),
    # Dimensions and indices known at the call
    "sum": (lambda: x().sum(2), IndexError, r"range of \[-2, 1\], but got 2"),
    "transpose": (lambda: x().transpose(0, 5), IndexError, r"Dimension out of range"),
    "softmax": (lambda: F.softmax(x(), dim=3), IndexError, r"Dimension out of range"),
    "select": (lambda: x()[2], IndexError, r"index 2 is out of bounds for dimension 0 with size 2"),
    "many": (lambda: x()[0, 0, 0], IndexError, r"too many indices for tensor of dimension 2"),
    "mask": (lambda: x()[torch.ones(3) > 0], IndexError, r"mask"),
    "set": (lambda: x().__setitem__(5, 0), IndexError, r"index 5 is out of bounds"),
    # Types
    "add text": (lambda: x() + "1", TypeError, None),
    "mm types": (lambda: x() @ x().t().double(), RuntimeError, r"same dtype"),
    "result type": (lambda: torch.ones(2, dtype=torch.int64).add_(0.5), RuntimeError, r"cast"),
    "integers require": (lambda: i().requires_grad_(), RuntimeError, r"floating point"),
    "gather type": (lambda: torch.gather(x(), 0, x()), RuntimeError, r"int64"),
    "index type": (lambda: x()[torch.ones(1)], IndexError, r"long, int, byte or bool"),
    "tensor": (lambda: torch.tensor([[1], [1, 2]]), ValueError, r"expected sequence of"),
    "tensor of text": (lambda: torch.tensor("1"), TypeError, None),
    "leaf in place": (
        lambda: torch.ones(1, requires_grad=True).add_(1), RuntimeError, r"leaf Variable"
    ),
    "numpy": (lambda: torch.ones(1, requires_grad=True).numpy(), RuntimeError, r"requires grad"),
    "target type": (lambda: F.nll_loss(x(), torch.ones(2)), RuntimeError, r"Long"),
    "target size": (
        lambda: F.cross_entropy(x(), torch.zeros(3, dtype=torch.int64)), ValueError, r"batch_size"
    ),
    # Devices and settings
    "no gpu": (lambda: torch.ones(1, device="cuda"), RuntimeError, r"(?i)cuda"),
    "to gpu": (lambda: x().cuda(), RuntimeError, r"(?i)cuda"),
    "model to gpu": (lambda: nn.Linear(1, 1).to("cuda:0"), RuntimeError, r"(?i)cuda"),
    "device": (lambda: torch.device("abacus"), RuntimeError, r"abacus"),
    "rate": (lambda: torch.optim.SGD([x()], lr=-1), ValueError, r"Invalid learning rate: -1"),
    "no parameters": (lambda: torch.optim.SGD([], lr=1), ValueError, r"empty parameter list"),
    "dropout": (lambda: F.dropout(x(), 1.5), ValueError, r"between 0 and 1, but got 1.5"),
    "state": (lambda: nn.Linear(1, 1).load_state_dict({}), RuntimeError, r"Missing key"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name: str) -> None:
    if "gpu" in name and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    call, kind, message = BAD_CALLS[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    users = [one for one in traceback.extract_tb(caught.tb) if str(SOURCES) not in one.filename]
    assert users[-1].filename == __file__
    assert users[-1].lineno is not None
    assert users[-1].lineno >= call.__code__.co_firstlineno
    # Later operations go on.
    assert (x() + 1).sum().item() == 12


# ------------------------------------------------------------------ what only values can show


def by_gather(index: Any, table: Any) -> Any:
    return torch.gather(table, 0, index)


def by_index(index: Any, table: Any) -> Any:
    return table[index]


def by_embedding(index: Any, table: Any) -> Any:
    return F.embedding(index, table.reshape(-1, 1))


def by_index_select(index: Any, table: Any) -> Any:
    return table.index_select(0, index)


def by_take(index: Any, table: Any) -> Any:
    return torch.take(table, index)


def by_index_put(index: Any, table: Any) -> Any:
    return table.clone().index_put_((index,), torch.ones(()))


def by_setting(index: Any, table: Any) -> Any:
    copy = table.clone()
    copy[index] = 1.0
    return copy


def by_scatter(index: Any, table: Any) -> Any:
    return table.scatter(0, index, 1.0)


def by_index_add(index: Any, table: Any) -> Any:
    return table.index_add(0, index, torch.ones(index.numel()))


def by_nll_loss(index: Any, table: Any) -> Any:
    return F.nll_loss(table.expand(index.numel(), -1), index)


def by_sorter(index: Any, table: Any) -> Any:
    return torch.searchsorted(table[:2], torch.tensor([0.5]), sorter=index)


LOOKUPS = (
    by_gather, by_index, by_embedding, by_index_select, by_take, by_index_put, by_setting,
    by_scatter, by_index_add, by_nll_loss, by_sorter,
)  # fmt: skip
# Those that count negative indices from the end.
FROM_THE_END = (by_index, by_take, by_index_put, by_setting)


@pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("negative", [False, True])
def test_indices_out_of_range(lookup: Callable[[Any, Any], Any], negative: bool) -> None:
    wrong = 5
    if negative:
        wrong = -6 if lookup in FROM_THE_END else -1
    table, early, late = torch.arange(5.0), torch.zeros(2), torch.zeros(2)
    aside = torch.ones(2) * 3
    early.add_(1)  # done, whatever comes after it
    found = lookup(torch.tensor([0, wrong]), table)
    late.add_(found.sum())
    table.mul_(2)
    first = lookup.__code__.co_firstlineno
    with pytest.raises(IndexError, match=rf"{wrong}.* out of bounds.*{__file__}:") as caught:
        late.tolist()
    line = int(str(caught.value).rpartition(":")[2].rstrip(")"))
    assert first < line <= first + 3
    assert early.tolist() == [1.0, 1.0]
    assert late.tolist() == [0.0, 0.0]
    assert table.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert aside.tolist() == [3.0, 3.0]
    assert lookup(torch.tensor([0, 1]), table).sum().item() is not None


def test_a_sorter_of_another_kind() -> None:
    given = torch.tensor([5.0, 1.0, 3.0])
    with pytest.raises(RuntimeError, match="must have the same size"):
        torch.searchsorted(given, given, sorter=torch.tensor([1, 2]))
    with pytest.raises(RuntimeError, match="long dtype but got dtype Int"):
        torch.searchsorted(given, given, sorter=torch.tensor([1, 2, 0]).int())


def test_a_failing_training_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(index: Any) -> Any:
        optimizer.zero_grad()
        loss = model(index).pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss

    good = torch.tensor([[1, 2], [3, 4]])
    for _ in range(2):
        step(good)
    weights = [one.tolist() for one in model.parameters()]
    moments = [one["momentum_buffer"].tolist() for one in optimizer.state.values()]
    with pytest.raises(IndexError, match="index 10 is out of bounds for dimension with size 10"):
        step(torch.tensor([[1, 2], [3, 10]]))
    assert [one.tolist() for one in model.parameters()] == weights
    assert [one["momentum_buffer"].tolist() for one in optimizer.state.values()] == moments
    assert step(good).item() < 1e6


def test_integer_division_by_zero() -> None:
    total = torch.zeros(2, dtype=torch.int64)
    quotient = torch.ones(2, dtype=torch.int64) // torch.tensor([1, 0])
    total += quotient
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        total.tolist()
    assert total.tolist() == [0, 0]


# ------------------------------------------------------------------------------ the kernel cache

TRAIN = """
import flambeau as torch
torch.manual_seed(0)
w = torch.randn(4, 4, requires_grad=True)
(torch.randn(3, 4) @ w).relu().sum().backward()
print(w.grad.tolist(), (w * 2).sum().item())
"""


def run_python(code: str, cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "PYTHONPATH": str(SOURCES), "FLAMBEAU_CACHE": str(cache), **variables
    }  # fmt: skip
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def filled_cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("cache")
    done = run_python(TRAIN, folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"not a kernel",
        lambda content: content + b"more",
    ],
    ids=["empty", "cut", "bit", "foreign", "longer"],
)
def test_a_damaged_cache_is_rebuilt(
    filled_cache: tuple[Path, str], damage: Callable[[bytes], bytes]
) -> None:
    folder, expected = filled_cache
    kernels = sorted(folder.glob("*.kernel"))
    before = [one.read_bytes() for one in kernels]
    assert before
    for one, content in zip(kernels, before, strict=True):
        one.write_bytes(damage(content))
    done = run_python(TRAIN, folder)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", expected)
    assert sorted(folder.glob("*.kernel")) == kernels
    assert [len(one.read_bytes()) for one in kernels] == [len(one) for one in before]


def test_an_unwritable_cache_gives_one_warning(
    filled_cache: tuple[Path, str], tmp_path: Path
) -> None:
    # Below a file, where even root can make no folder.
    file = tmp_path / "file"
    file.write_text("")
    done = run_python(TRAIN, file / "cache")
    assert (done.returncode, done.stdout) == (0, filled_cache[1])
    assert done.stderr.count("Warning") == 1
    assert str(file / "cache") in done.stderr


# --------------------------------------------------------------------------------------- Ctrl-C

LONG = """
import os, signal, threading, time
import flambeau as torch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
a = torch.ones(2000, 2000)
w = torch.zeros(3)
(a @ a)[0, 0].item()  # compiled
w.add_(1).tolist()
timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
start = time.perf_counter()
timer.start()
try:
    for _ in range(400):
        a = a @ a * 1e-6
    a.sum().item()
except KeyboardInterrupt:
    print("stopped", time.perf_counter() - start)
print(w.add_(1).tolist(), (torch.ones(2, 2) @ torch.ones(2, 2)).tolist())
"""


def test_interrupting_a_long_step(tmp_path: Path) -> None:
    done = run_python(LONG, tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("stopped")
    assert float(first.split()[1]) < 4
    assert second == "[2.0, 2.0, 2.0] [[2.0, 2.0], [2.0, 2.0]]"
