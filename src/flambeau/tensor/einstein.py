"""Einstein's summation: sums of products over named dimensions."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

from flambeau.core.shapes import contiguous_strides
from flambeau.graph.node import Node
from flambeau.ops.algebra import mul
from flambeau.ops.matmul import matmul
from flambeau.ops.shape import expand, permute, reshape, sum_
from flambeau.ops.strided import as_strided
from flambeau.tensor.cloning import distinct
from flambeau.tensor.tensor import Tensor, wrap

Labels = tuple[str, ...]


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products of elements, the dimensions named as in 'ij,jk->ik'; '...' for others.

    >>> import flambeau
    >>> flambeau.einsum("i,i->", flambeau.ones(3), flambeau.ones(3))
    tensor(3.)
    """
    if not isinstance(equation, str):
        equation, operands = _from_sublists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError("einsum(): must provide at least one operand")
    nodes = [one.node for one in operands]
    inputs, output = _parsed(equation.replace(" ", ""), nodes)
    terms = [_without_repeats(node, labels) for node, labels in zip(nodes, inputs, strict=True)]
    sizes = _sizes(terms)
    while len(terms) > 1:
        (a, first), (b, second), *rest = terms
        needed = {*output, *[label for _, labels in rest for label in labels]}
        terms = [_pair(a, first, b, second, needed, sizes), *rest]
    node, labels = _summed(*terms[0], set(output))
    missing = [label for label in output if label not in labels]
    if missing:
        raise RuntimeError(
            f"einsum(): output subscript {missing[0]} does not appear in the equation for any "
            "input operand"
        )
    result = permute(node, tuple([labels.index(label) for label in output]))
    result = expand(result, tuple([sizes[label] for label in output]))
    return wrap(distinct(result, *nodes))


def _from_sublists(given: tuple[Any, ...]) -> tuple[str, tuple[Tensor, ...]]:
    """`einsum(a, [0, 1], b, [1, 2], [0, 2])` as an equation."""

    def letters(numbers: Sequence[Any]) -> str:
        return "".join("..." if one is Ellipsis else string.ascii_letters[one] for one in numbers)

    pairs = len(given) // 2
    equation = ",".join(letters(given[2 * number + 1]) for number in range(pairs))
    if len(given) % 2:
        equation += "->" + letters(given[-1])
    return equation, tuple(given[2 * number] for number in range(pairs))


def _parsed(equation: str, nodes: Sequence[Node]) -> tuple[list[Labels], Labels]:
    """The label of each dimension of the operands and of the result."""
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(nodes):
        raise RuntimeError(
            "einsum(): more operands were provided than specified in the equation"
            if len(parts) < len(nodes)
            else "einsum(): fewer operands were provided than specified in the equation"
        )
    # The dimensions of '...' are numbered from the last, so that they broadcast.
    inputs = [_labels(part, len(node.spec.shape)) for part, node in zip(parts, nodes, strict=True)]
    most = max([sum(len(label) > 1 for label in labels) for labels in inputs])
    dots = tuple([f".{number}" for number in range(most - 1, -1, -1)])
    if arrow:
        before, ellipsis, after = right.partition("...")
        return inputs, (*before, *(dots if ellipsis else ()), *after)
    letters = [label for labels in inputs for label in labels if len(label) == 1]
    return inputs, (*dots, *sorted([one for one in set(letters) if letters.count(one) == 1]))


def _labels(part: str, rank: int) -> Labels:
    before, ellipsis, after = part.partition("...")
    names = before + after
    if any(name not in string.ascii_letters for name in names):
        raise RuntimeError(
            "einsum(): invalid subscript given in the equation string, subscripts must be in "
            "[a-zA-Z]"
        )
    hidden = rank - len(names)
    if hidden < 0 or (hidden and not ellipsis):
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(names)}) does not match the "
            f"number of dimensions ({rank}) for an operand"
            + ("" if ellipsis else " and no ellipsis was given")
        )
    return (*before, *[f".{number}" for number in range(hidden - 1, -1, -1)], *after)


def _without_repeats(node: Node, labels: Labels) -> tuple[Node, Labels]:
    """A label that occurs twice in an operand takes its diagonal."""
    names = tuple(dict.fromkeys(labels))
    if len(names) == len(labels):
        return node, labels
    strides = contiguous_strides(node.spec.shape)
    shape, steps = [], []
    for name in names:
        dims = [dim for dim, label in enumerate(labels) if label == name]
        found = {node.spec.shape[dim] for dim in dims}
        if len(found) > 1:
            raise RuntimeError(
                f"einsum(): subscript {name} is repeated for operand but the sizes don't match, "
                f"{sorted(found)}"
            )
        shape.append(node.spec.shape[dims[0]])
        steps.append(sum([strides[dim] for dim in dims]))
    return as_strided(node, tuple(shape), tuple(steps), 0), names


def _sizes(terms: Sequence[tuple[Node, Labels]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for number, (node, labels) in enumerate(terms):
        for label, size in zip(labels, node.spec.shape, strict=True):
            known = sizes.get(label, 1)
            if size != known and 1 not in (size, known):
                raise RuntimeError(
                    f"einsum(): operands do not broadcast with remapped shapes: subscript {label} "
                    f"has size {size} for operand {number} which does not broadcast with "
                    f"previously seen size {known}"
                )
            sizes[label] = size if known == 1 else known
    return sizes


def _summed(node: Node, labels: Labels, needed: set[str]) -> tuple[Node, Labels]:
    """Sums over the dimensions that are not needed any more."""
    dims = tuple([dim for dim, label in enumerate(labels) if label not in needed])
    return sum_(node, dims), tuple([label for label in labels if label in needed])


def _pair(
    a: Node, first: Labels, b: Node, second: Labels, needed: set[str], sizes: dict[str, int]
) -> tuple[Node, Labels]:
    """The product of two operands, summed over what nothing else needs: a matrix product."""
    a, first = _summed(a, first, needed | set(second))
    b, second = _summed(b, second, needed | set(first))
    both = [label for label in first if label in second]
    batch = tuple([label for label in both if label in needed])
    summed = tuple([label for label in both if label not in needed])
    rows = tuple([label for label in first if label not in second])
    columns = tuple([label for label in second if label not in first])
    order = (*batch, *rows, *columns)
    if not summed:
        left = _arranged(a, first, order)
        return mul(left, _arranged(b, second, order)), order

    def size(labels: Labels) -> list[int]:
        return [sizes[label] for label in labels]

    down, across = _own(a, first, rows), _own(b, second, columns)
    left = _arranged(a, first, (*batch, *rows, *summed))
    left = expand(left, (*size(batch), *down, *size(summed)))
    right = _arranged(b, second, (*batch, *summed, *columns))
    right = expand(right, (*size(batch), *size(summed), *across))
    depth = math.prod(size(summed))
    stacked = matmul(
        reshape(left, (*size(batch), math.prod(down), depth)),
        reshape(right, (*size(batch), depth, math.prod(across))),
    )
    return reshape(stacked, (*size(batch), *down, *across)), order


def _own(node: Node, labels: Labels, chosen: Labels) -> list[int]:
    """The sizes that a term itself has in these dimensions; 1 where it broadcasts."""
    return [node.spec.shape[labels.index(label)] for label in chosen]


def _arranged(node: Node, labels: Labels, order: Labels) -> Node:
    """The dimensions in this order, with size 1 for those that it lacks."""
    present = [label for label in order if label in labels]
    moved = permute(node, tuple([labels.index(label) for label in present]))
    sizes = dict(zip(present, moved.spec.shape, strict=True))
    return reshape(moved, tuple([sizes.get(label, 1) for label in order]))
