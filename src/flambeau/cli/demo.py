"""`flambeau demo`: a classifier of handwritten digits, then the tutorial's programs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import flambeau
from flambeau.cli import tutorial
from flambeau.nn import functional as F

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = Path(__file__).parents[3] / "examples" / "tutorial"
PICTURE = "digits.png"
GOAL = 0.97
EPOCHS, BATCH, TEST_IMAGES, SIDE = 40, 64, 360, 8


@dataclass
class Digits:
    """Images (n, 64) with values from 0 to 1 and their labels (n,), split in two."""

    train_images: flambeau.Tensor
    train_labels: flambeau.Tensor
    test_images: flambeau.Tensor
    test_labels: flambeau.Tensor


@dataclass
class Training:
    """What a training run leaves behind."""

    losses: list[float] = field(default_factory=list)
    accuracy: float = 0.0
    seconds: float = 0.0


def run_demo(output: Path, examples: Path) -> int:
    """Train, draw, run the tutorial; 1 when the goal was missed or the extra is not installed."""
    console = Console()
    try:
        from matplotlib.figure import Figure
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        console.print(f"The demo needs {error.name}: pip install 'flambeau\\[demo]'")
        return 1
    flambeau.manual_seed(0)
    digits = split(*load_digits(return_X_y=True))
    model = classifier()
    training = train(model, digits, console)
    console.print(
        f"Test accuracy [bold]{training.accuracy:.1%}[/] on {TEST_IMAGES} digits never trained on, "
        f"after {len(training.losses)} steps in {training.seconds:.1f} s."
    )
    output.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(12, 5), layout="constrained")
    draw(figure, training, digits, predictions(model, digits.test_images))
    figure.savefig(output / PICTURE, dpi=120)
    console.print(f"The loss curve and some predictions are in {output / PICTURE}.")
    tutorial.run_programs(examples, console)
    if training.accuracy < GOAL:
        console.print(f"[red]The test accuracy is below the goal of {GOAL:.0%}.")
        return 1
    return 0


def split(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Digits:
    """A random split of scikit-learn's digits: 1437 to train on, 360 to test with."""
    x = flambeau.from_numpy(images.astype(np.float32) / 16)  # (n, 64)
    y = flambeau.from_numpy(labels.astype(np.int64))  # (n,)
    order = flambeau.randperm(len(y))
    test, rest = order[:TEST_IMAGES], order[TEST_IMAGES:]
    return Digits(x[rest], y[rest], x[test], y[test])


def classifier() -> flambeau.nn.Sequential:
    """Three layers: images (n, 64) -> scores (n, 10)."""
    nn = flambeau.nn
    return nn.Sequential(
        nn.Linear(SIDE * SIDE, 256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(128, 10),
    )


def train(model: flambeau.nn.Module, digits: Digits, console: Console) -> Training:
    """Fit the model, showing how it goes; loss and accuracy are looked at once an epoch."""
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = flambeau.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    training = Training()
    columns = (
        TextColumn("Epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  test accuracy {task.fields[accuracy]:.1%}"),
        TimeElapsedColumn(),
    )
    started = time.perf_counter()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=EPOCHS, loss=float("nan"), accuracy=0.0)
        for _ in range(EPOCHS):
            training.losses += train_epoch(model, optimizer, digits)
            schedule.step()
            guesses = predictions(model, digits.test_images)
            training.accuracy = (guesses == digits.test_labels).float().mean().item()
            loss = sum(training.losses[-10:]) / 10
            progress.update(task, advance=1, loss=loss, accuracy=training.accuracy)
    training.seconds = time.perf_counter() - started
    return training


def train_epoch(
    model: flambeau.nn.Module, optimizer: flambeau.optim.Optimizer, digits: Digits
) -> list[float]:
    """One pass over the training images in random order; the loss of each batch."""
    model.train()
    losses = []
    for batch in flambeau.randperm(len(digits.train_labels)).split(BATCH):
        optimizer.zero_grad()
        scores = model(digits.train_images[batch])
        loss = F.cross_entropy(scores, digits.train_labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [loss.item() for loss in losses]


def predictions(model: flambeau.nn.Module, images: flambeau.Tensor) -> flambeau.Tensor:
    """The likeliest digit of each image: (n, 64) -> (n,)."""
    model.eval()
    with flambeau.no_grad():
        digits: flambeau.Tensor = model(images).argmax(dim=1)
    return digits


def draw(figure: Figure, training: Training, digits: Digits, guesses: flambeau.Tensor) -> None:
    """The loss curve beside 24 test images, each with the digit it was taken for."""
    rows, columns = 4, 6
    grid = figure.add_gridspec(rows, 2 * columns)
    figure.suptitle(f"Test accuracy {training.accuracy:.1%}")
    curve = figure.add_subplot(grid[:, :columns])
    curve.semilogy(training.losses, linewidth=0.8, color="tab:orange")
    curve.set(xlabel="step", ylabel="cross entropy", title="Training loss")
    pictures = digits.test_images.reshape(-1, SIDE, SIDE).numpy()
    answers, truths = guesses.tolist(), digits.test_labels.tolist()
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        cell = figure.add_subplot(grid[row, columns + column])
        cell.imshow(pictures[index], cmap="gray_r")
        cell.axis("off")
        answer, truth = answers[index], truths[index]
        text = str(answer) if answer == truth else f"{answer}, not {truth}"
        cell.set_title(text, fontsize=10, color="black" if answer == truth else "red")
