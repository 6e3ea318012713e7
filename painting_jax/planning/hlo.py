"""Reads the optimized program that XLA prints: what it computes, moves and sends, loops unrolled.

XLA's own cost analysis counts the body of a loop once, and knows nothing about what is inside a
Pallas kernel. Here each instruction counts as often as it runs.
"""

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

# Bytes of an element.
_BYTES = {
    "pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "f8e4m3fn": 1, "f8e5m2": 1, "s16": 2,
    "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8,
}  # fmt: skip
_ARRAY = re.compile(r"\b(" + "|".join(_BYTES) + r")\[([\d,]*)\]")
_COMPUTATION = re.compile(r"^(ENTRY )?%([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^  (?:ROOT )?%([\w.\-]+) = ")
_OPERANDS = re.compile(r"%([\w.\-]+)")
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "iota", "after-all",
    "partition-id", "replica-id", "copy-start", "copy-done", "opt-barrier", "add-dependency",
}  # fmt: skip
_COLLECTIVES = (
    "all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute",
    "ragged-all-to-all", "collective-broadcast",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Instruction:
    """An instruction of the program.

    Attributes:
      name: its name.
      opcode: what it does.
      type: dtype and shape of its result, as printed.
      operands: names of its operands.
      rest: its attributes, as printed.
    """

    name: str
    opcode: str
    type: str
    operands: tuple[str, ...]
    rest: str

    @functools.cached_property
    def bytes(self) -> float:
        return sum(size for size, _ in _arrays(self.type))

    @property
    def cycles(self) -> float:
        """The compiler's own estimate."""
        found = re.search(r'"estimated_cycles":"(\d+)"', self.rest)
        return float(found[1]) if found else 0.0

    def called(self, role: str) -> str:
        found = re.search(role + r"=%([\w.\-]+)", self.rest)
        return found[1] if found else ""


@dataclasses.dataclass(frozen=True)
class Collective:
    """A kind of exchange between devices.

    Attributes:
      kind: such as "all-gather".
      axes: axes of the mesh that it goes over.
      devices: number of devices of a group.
    """

    kind: str
    axes: tuple[str, ...]
    devices: int


@dataclasses.dataclass
class Work:
    """What one device does in one run of the program.

    Attributes:
      product_flops: FLOPs of matrix products outside kernels.
      kernel_flops: FLOPs of the matrix products of attention kernels.
      cycles: the compiler's estimate for everything but kernels and exchanges.
      bytes: bytes that instructions read and write.
      calls: number of each exchange.
      sent: bytes of the results of each exchange.
    """

    product_flops: float = 0.0
    kernel_flops: float = 0.0
    cycles: float = 0.0
    bytes: float = 0.0
    calls: dict[Collective, float] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(float)
    )
    sent: dict[Collective, float] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(float)
    )


class Program:
    """An optimized program.

    Args:
      text: The program as XLA prints it.
    """

    def __init__(self, text: str):
        self._computations: dict[str, dict[str, Instruction]] = {}
        self._entry = ""
        current: dict[str, Instruction] = {}
        for line in text.splitlines():
            if header := _COMPUTATION.match(line):
                current = self._computations[header[2]] = {}
                self._entry = header[2] if header[1] else self._entry
            elif _INSTRUCTION.match(line):
                instruction = _parse(line)
                current[instruction.name] = instruction

    def work(self, mesh_shape: Mapping[str, int]) -> Work:
        """What one device does.

        Args:
          mesh_shape: Sizes of the axes of the mesh, in its order.
        """
        work = Work()
        for instruction, computation, times in self._run(self._entry, 1.0):
            kind = instruction.opcode.removesuffix("-start")
            if kind in _COLLECTIVES:
                exchange = _collective(kind, instruction.rest, mesh_shape)
                work.calls[exchange] += times
                work.sent[exchange] += times * _result_bytes(instruction)
            elif instruction.opcode == "custom-call" and "tpu_custom_call" in instruction.rest:
                work.kernel_flops += times * _kernel_flops(instruction, computation)
                work.bytes += times * self._traffic(instruction, computation)
            else:
                work.cycles += times * instruction.cycles
                work.product_flops += times * self._product_flops(instruction, computation)
                work.bytes += times * self._traffic(instruction, computation)
        return work

    def run(self) -> Iterator[tuple[Instruction, float]]:
        """All instructions that are not inside a fusion, with how often they run."""
        for instruction, _, times in self._run(self._entry, 1.0):
            yield instruction, times

    def _run(self, name: str, times: float):
        computation = self._computations[name]
        for instruction in computation.values():
            if instruction.opcode == "while":
                trips = self._trips(instruction.called("condition"))
                yield from self._run(instruction.called("body"), times * trips)
            elif instruction.opcode == "conditional":
                branch = re.search(
                    r"(?:true_computation=|branch_computations=\{)%([\w.\-]+)", instruction.rest
                )
                yield from self._run(branch[1], times)
            elif instruction.opcode in ("call", "async-start"):
                called = instruction.called("to_apply") or instruction.called("calls")
                yield from self._run(called, times)
            elif instruction.opcode not in _FREE and not instruction.opcode.endswith("-done"):
                yield instruction, computation, times

    def _trips(self, condition: str) -> int:
        """Number of rounds of a loop that counts up to a constant."""
        constants = [
            int(found[1])
            for name in self._below(condition)
            for instruction in self._computations[name].values()
            if instruction.opcode == "constant"
            and (found := re.match(r"\((\d+)\)", instruction.rest))
            and instruction.type.startswith("s32[]")
        ]
        return max(constants, default=1)

    def _below(self, name: str) -> Iterator[str]:
        yield name
        for instruction in self._computations[name].values():
            if called := instruction.called("calls") or instruction.called("to_apply"):
                yield from self._below(called)

    def _product_flops(self, instruction: Instruction, computation) -> float:
        if instruction.opcode == "fusion":
            inner = self._computations[instruction.called("calls")]
            return sum(self._product_flops(one, inner) for one in inner.values())
        if instruction.opcode not in ("dot", "convolution"):
            return 0.0
        result = math.prod(_shape(instruction.type))
        left, right = (_shape(computation[name].type) for name in instruction.operands[:2])
        if instruction.opcode == "dot":
            dims = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", instruction.rest)[1]
            return 2.0 * result * math.prod(left[int(d)] for d in dims.split(",") if d)
        # XLA writes products as convolutions, too.
        labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", instruction.rest)
        out = _shape(instruction.type)
        flops = (
            2.0
            * right[labels[2].index("i")]
            * out[labels[3].index("b")]
            * out[labels[3].index("f")]
        )
        for dimension, window in enumerate(_windows(instruction.rest)):
            place = str(dimension)
            flops *= window.met(left[labels[1].index(place)], out[labels[3].index(place)])
        return flops

    def _traffic(self, instruction: Instruction, computation) -> float:
        """Bytes read and written. Of arrays that are read or written in part, the part."""
        if instruction.opcode == "fusion":
            inner = self._computations[instruction.called("calls")]
            parameters = {
                int(re.match(r"\((\d+)\)", one.rest)[1]): one.name
                for one in inner.values()
                if one.opcode == "parameter"
            }
            read = sum(
                _read(parameters[n], inner, computation[name].bytes)
                for n, name in enumerate(instruction.operands)
                if n in parameters and name in computation
            )
            updates = [one for one in inner.values() if one.opcode == "dynamic-update-slice"]
            written = instruction.bytes
            for update in updates:
                if update.bytes <= written and update.operands[1] in inner:
                    written += inner[update.operands[1]].bytes - update.bytes
            return read + max(written, 0.0)
        if instruction.opcode in ("dynamic-slice", "slice", "gather"):
            return 2 * instruction.bytes
        if instruction.opcode == "dynamic-update-slice":
            return 2 * computation[instruction.operands[1]].bytes
        if instruction.opcode in ("broadcast",):
            return instruction.bytes
        read = sum(computation[name].bytes for name in instruction.operands if name in computation)
        return read + instruction.bytes


@dataclasses.dataclass(frozen=True)
class _Window:
    """One dimension of a convolution's window."""

    size: int
    stride: int
    before: int
    spread: int
    dilation: int

    def met(self, inputs: int, outputs: int) -> int:
        """Number of pairs of an output and a place of the window that meet an input."""
        firsts = np.arange(outputs)[:, None] * self.stride - self.before
        places = firsts + np.arange(self.size) * self.dilation
        within = (places >= 0) & (places <= (inputs - 1) * self.spread)
        return int((within & (places % self.spread == 0)).sum())


def _windows(rest: str) -> list[_Window]:
    """The dimensions of a convolution's window; none for a plain product."""
    found = re.search(r"window=\{([^}]*)\}", rest)
    parts = dict(part.split("=") for part in found[1].split()) if found else {}
    if "size" not in parts:
        return []
    sizes = [int(size) for size in parts["size"].split("x")]

    def numbers(name: str) -> list[int]:
        return [int(n) for n in parts[name].split("x")] if name in parts else [1] * len(sizes)

    pads = parts.get("pad", "x".join(["0_0"] * len(sizes))).split("x")
    before = [int(pad.partition("_")[0]) for pad in pads]
    return [
        _Window(*one)
        for one in zip(
            sizes,
            numbers("stride"),
            before,
            numbers("lhs_dilate"),
            numbers("rhs_dilate"),
            strict=True,
        )
    ]


def _parse(line: str) -> Instruction:
    name, _, text = line.strip().removeprefix("ROOT ").partition(" = ")
    if text.startswith("("):
        end = _closing(text)
        kind, text = text[:end], text[end + 1 :]
    else:
        kind, _, text = text.partition(" ")
    opcode, _, _ = text.partition("(")
    rest = text[len(opcode) :]
    inside = rest[: _closing(rest)]
    return Instruction(name.removeprefix("%"), opcode, kind, tuple(_OPERANDS.findall(inside)), rest)


def _closing(text: str) -> int:
    depth = 0
    for end, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth:
            return end + 1
    return len(text)


def _arrays(kind: str) -> list[tuple[float, tuple[int, ...]]]:
    found = []
    for dtype, sizes in _ARRAY.findall(kind):
        shape = tuple(int(size) for size in sizes.split(",") if size)
        found.append((_BYTES[dtype] * math.prod(shape), shape))
    return found


def _shape(kind: str) -> tuple[int, ...]:
    return _arrays(kind)[0][1]


def _read(parameter: str, inner: Mapping[str, Instruction], whole: float) -> float:
    """Bytes of a fusion's operand that it reads."""
    users = [one for one in inner.values() if parameter in one.operands]
    if users and all(one.opcode in ("dynamic-slice", "slice", "gather") for one in users):
        return sum(one.bytes for one in users)
    if users and all(
        one.opcode == "dynamic-update-slice" and one.operands[0] == parameter for one in users
    ):
        return 0.0
    return whole


def _result_bytes(instruction: Instruction) -> float:
    """Bytes of an exchange's result; that of an asynchronous one also lists its operands."""
    sizes = [size for size, _ in _arrays(instruction.type)]
    if instruction.opcode.endswith("-start"):
        return max(sizes)
    return sum(sizes)


def _kernel_flops(instruction: Instruction, computation: Mapping[str, Instruction]) -> float:
    """FLOPs of splash attention: two products forward, five backward."""
    products = {"fwd": 2, "dkv": 5}
    which = next((n for name, n in products.items() if f"_{name}_" in instruction.name), 0)
    if not which:
        return 0.0
    kinds = [computation[name].type for name in instruction.operands if name in computation]
    # Queries come first, then keys; what says which blocks to skip is in small integers.
    arrays = [_shape(kind) for kind in kinds if kind.startswith(("bf16", "f32", "f16"))]
    (heads, queries, width), (_, keys, _) = [shape for shape in arrays if len(shape) == 3][:2]
    return 2.0 * which * heads * queries * keys * width


def _collective(kind: str, rest: str, mesh_shape: Mapping[str, int]) -> Collective:
    group = _first_group(rest)
    sizes = list(mesh_shape.values())
    places = [_place(device, sizes) for device in group]
    axes = tuple(
        axis for n, axis in enumerate(mesh_shape) if len({place[n] for place in places}) > 1
    )
    return Collective(kind, axes, len(group))


def _place(device: int, sizes: list[int]) -> list[int]:
    place = []
    for size in reversed(sizes):
        device, index = divmod(device, size)
        place.append(index)
    return place[::-1]


def _first_group(rest: str) -> list[int]:
    if found := re.search(r"replica_groups=\{\{([\d,]+)\}", rest):
        return [int(device) for device in found[1].split(",")]
    # Mesh axes by number, with sizes, and those of them that a group spans.
    if found := re.search(r"replica_groups=mesh\[([^\]]*)\][^{]*\{([^}]*)\}", rest):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", found[1]))
        spanned = set(re.findall(r"'(\w+)'", found[2]))
        grid = np.arange(math.prod(map(int, sizes.values()))).reshape([*map(int, sizes.values())])
        return grid[tuple(slice(None) if axis in spanned else 0 for axis in sizes)].ravel().tolist()
    if found := re.search(r"source_target_pairs=\{\{(\d+),(\d+)\}", rest):
        return [int(found[1]), int(found[2])]
    if found := re.search(r"replica_groups=\[(\d+),(\d+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", rest):
        dims = [int(d) for d in found[3].split(",")]
        order = [int(d) for d in found[4].split(",")] if found[4] else None
        return (
            np.arange(math.prod(dims))
            .reshape(dims)
            .transpose(order)
            .ravel()[: int(found[2])]
            .tolist()
        )
    return [0]
