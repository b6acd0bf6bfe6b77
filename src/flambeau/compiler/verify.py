"""The grammars of the stages, executable: on in tests, by one setting otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from flambeau.compiler.arguments import Arguments
from flambeau.compiler.kernel import (
    BINARY,
    REDUCTIONS,
    RELATIONS,
    UNARY,
    Instruction,
    Kernel,
    Section,
)
from flambeau.compiler.units import Schedule
from flambeau.core import dtypes
from flambeau.core.errors import VerificationError
from flambeau.graph.node import Node, Spec
from flambeau.graph.recording import behind

_OPERANDS = {
    "constant": 0, "scalar": 0, "coordinate": 0, "inside": 0, "load": 0, "store": 1,
    "accumulate": 1, "reduce": 1, "product": 0, "cast": 1, "select": 3, "fma": 3, "fail": 3,
}  # fmt: skip


def _arity(op: str) -> int:
    if op in UNARY:
        return 1
    if op in BINARY or op in RELATIONS:
        return 2
    if op in _OPERANDS:
        return _OPERANDS[op]
    raise VerificationError(f"the kernel language has no '{op}'")


def verify_recording(nodes: Sequence[Node], leaves: Sequence[Node]) -> None:
    """Every input comes before its use, is a leaf, or stands behind an alias of one."""
    known = {id(leaf) for leaf in leaves}
    for node in nodes:
        for source in map(behind, node.inputs):
            if id(source) not in known:
                raise VerificationError(f"{node} reads {source}, which is not recorded before it")
        if Spec.of(node.shape, node.dtype, node.device) is not node.spec:
            raise VerificationError(f"{node} has a spec of its own")
        known.add(id(node))


def verify_kernel(kernel: Kernel, arguments: Arguments) -> None:
    """Values are defined before use, where they are visible, with the types an op wants."""
    visible: set[int] = set()
    for place, section in enumerate(kernel.sections):
        if section.inner != (place % 2 == 1):
            raise VerificationError(f"section {place} is out of turn")
        own: set[int] = set()
        for number, one in section.code:
            problem = _problem(kernel, section, one, visible | own)
            if problem:
                raise VerificationError(f"v{number} = {one}: {problem}, in\n{arguments.text}")
            own.add(number)
        if section.inner:
            own = {number for number, one in section.code if one.op == "reduce"}
        visible |= own


def _problem(kernel: Kernel, section: Section, one: Instruction, visible: set[int]) -> str:
    """What is wrong with an instruction; nothing if it is all right."""
    axes = len(kernel.outer) + len(kernel.inner)
    kinds = [kernel.kinds[each] for each in one.operands]
    if len(one.operands) != _arity(one.op):
        return f"{one.op} takes {_arity(one.op)} operands"
    if not set(one.operands) <= visible:
        return "an operand is not visible here"
    if one.op == "reduce" and not (section.inner and str(one.detail).split()[0] in REDUCTIONS):
        return "a reduction belongs to an inner section and needs a known function"
    if one.op in BINARY and len(set(kinds)) != 1:
        return "operands differ in type"
    if one.op == "select" and kinds[0] is not dtypes.bool:
        return "the condition is not a bool"
    if one.at is not None and any(not 0 <= axis < axes for axis, _ in one.at.axes):
        return "an index uses an axis that the kernel does not have"
    return ""


def verify_schedule(schedule: Schedule) -> None:
    """Every unit runs after the units that make what it reads."""
    for unit in schedule.units:
        for node in unit.reads:
            for maker in schedule.makers.get(node, ()):
                if maker is not unit and maker.wave >= unit.wave:
                    raise VerificationError(f"{unit} reads {node} before it is made")
