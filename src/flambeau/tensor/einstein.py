"""Einstein's summation: sums of products over named dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flambeau.core.dtypes import promote
from flambeau.core.shapes import contiguous_strides
from flambeau.graph.node import Node
from flambeau.ops.algebra import mul
from flambeau.ops.elementwise_base import SPELLING
from flambeau.ops.matmul import matmul
from flambeau.ops.selection import cast
from flambeau.ops.shape import expand, permute, reshape, sum_
from flambeau.ops.strided import as_strided
from flambeau.tensor.cloning import distinct
from flambeau.tensor.equation import Labels, letters, parse
from flambeau.tensor.tensor import Tensor, wrap


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products of elements, the dimensions named as in 'ij,jk->ik'; '...' for others.

    The operands are multiplied from left to right. `einsum(a, [0, 1], b, [1, 2], [0, 2])` says the
    same in numbers.

    >>> import flambeau
    >>> flambeau.einsum("i,i->", flambeau.ones(3), flambeau.ones(3))
    tensor(3.)
    """
    if isinstance(equation, Tensor):
        equation, operands = _from_sublists((equation, *operands))
    if not isinstance(equation, str):
        raise TypeError(
            f"einsum(): argument 'equation' (position 1) must be str, not {type(equation).__name__}"
        )
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    nodes = [one.node for one in operands]
    inputs, output = parse(equation, [node.spec.shape for node in nodes])
    terms = [
        _without_repeats(node, labels, number)
        for number, (node, labels) in enumerate(zip(nodes, inputs, strict=True))
    ]
    return wrap(distinct(_contracted(terms, output), *nodes))


def _from_sublists(given: tuple[Any, ...]) -> tuple[str, tuple[Tensor, ...]]:
    """`einsum(a, [0, 1], b, [1, 2], [0, 2])` as an equation and operands."""
    pairs = len(given) // 2
    equation = ",".join([letters(given[2 * number + 1]) for number in range(pairs)])
    if len(given) % 2:
        equation += "->" + letters(given[-1])
    return equation, tuple([given[2 * number] for number in range(pairs)])


def _without_repeats(node: Node, labels: Labels, number: int) -> tuple[Node, Labels]:
    """A label that occurs twice in an operand takes its diagonal."""
    names = tuple(dict.fromkeys(labels))
    if len(names) == len(labels):
        return node, labels
    strides = contiguous_strides(node.spec.shape)
    sizes: dict[str, int] = {}
    steps = dict.fromkeys(names, 0)
    for label, size, stride in zip(labels, node.spec.shape, strides, strict=True):
        known = sizes.setdefault(label, size)
        if known != size:
            raise RuntimeError(
                f"einsum(): subscript {label} is repeated for operand {number} but the sizes don't "
                f"match, {size} != {known}"
            )
        steps[label] += stride
    return as_strided(node, tuple(sizes.values()), tuple(steps.values()), 0), names


def _contracted(terms: Sequence[tuple[Node, Labels]], output: Labels) -> Node:
    """The product of all operands, summed over the labels that are not in `output`."""
    sizes = _sizes(terms)
    node, labels = terms[0]
    for number, (other, others) in enumerate(terms[1:], 2):
        later = [label for _, labels in terms[number:] for label in labels]
        node, labels = _pair(node, labels, other, others, {*output, *later}, sizes)
    node, labels = _summed(node, labels, set(output))
    result = permute(node, tuple([labels.index(label) for label in output]))
    return expand(result, tuple([sizes[label] for label in output]))


def _sizes(terms: Sequence[tuple[Node, Labels]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for number, (node, labels) in enumerate(terms):
        for label, size in zip(labels, node.spec.shape, strict=True):
            known = sizes.get(label, 1)
            if size != known and 1 not in (size, known):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {number} which does "
                    f"not broadcast with previously seen size {known}"
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
    depth = tuple([label for label in both if label not in needed])
    rows = tuple([label for label in first if label not in second])
    columns = tuple([label for label in second if label not in first])
    order = (*batch, *rows, *columns)
    if not depth:
        kind = promote(a.dtype, b.dtype)
        left, right = _arranged(a, first, order), _arranged(b, second, order)
        return mul(cast(left, kind), cast(right, kind)), order
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"expected scalar type {SPELLING[a.dtype]} but found {SPELLING[b.dtype]}"
        )
    stack = [sizes[label] for label in batch]
    shared = [sizes[label] for label in depth]
    down = [a.spec.shape[first.index(label)] for label in rows]
    across = [b.spec.shape[second.index(label)] for label in columns]
    left = expand(_arranged(a, first, (*batch, *rows, *depth)), (*stack, *down, *shared))
    right = expand(_arranged(b, second, (*batch, *depth, *columns)), (*stack, *shared, *across))
    product = matmul(
        reshape(left, (*stack, math.prod(down), math.prod(shared))),
        reshape(right, (*stack, math.prod(shared), math.prod(across))),
    )
    return reshape(product, (*stack, *down, *across)), order


def _arranged(node: Node, labels: Labels, order: Labels) -> Node:
    """The dimensions in this order, with size 1 for those that it lacks."""
    present = [label for label in order if label in labels]
    moved = permute(node, tuple([labels.index(label) for label in present]))
    sizes = dict(zip(present, moved.spec.shape, strict=True))
    return reshape(moved, tuple([sizes.get(label, 1) for label in order]))
