"""Weights in float8 with scales, as ComfyUI, musubi and lightx2v publish them.

A weight is the product of its float8 numbers and a scale in a tensor of its own:
  ComfyUI, until 2025   LAYER.weight, LAYER.scale_weight; scaled_fp8 marks the file
  ComfyUI               LAYER.weight, LAYER.weight_scale; LAYER.comfy_quant holds the format's name,
                        or the header does
  lightx2v, DeepSeek    LAYER.weight, LAYER.weight_scale or weight_scale_inv; no mark
The scale is one number, one for each output, or one for each block of the matrix. Scales of a
layer's inputs serve a faster product and change no weight. Other formats are refused by name.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.errors import UserError

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_SCALE = re.compile(r"(?P<layer>.+)\.(?:scale_weight|weight_scale|weight_scale_inv)")
_UNUSED = re.compile(r"(?:.+\.)?(?:scale_input|input_scale|scaled_fp8|comfy_quant)")
_MARK = ".comfy_quant"
_IN_HEADER = "_quantization_metadata"
_FORMATS = re.compile(r"float8_e(?:4m3fn|5m2)(?:_(?:rowwise|blockwise|block3d))?")
# What a format's description may state that changes no weight, or that shapes say, too.
_HARMLESS = {
    "format",
    "full_precision_matrix_mult",
    "orig_dtype",
    "orig_shape",
    "group_size",
    "block_size",
}
# Tensors that only a format has that is not read.
_OTHERS = {
    r".+\.weight\.(?:absmax|quant_map|nested_absmax|quant_state\..+)": "bitsandbytes",
    r".+\.weight_scale_2": "nvfp4",
    r".+\._(?:data|scale)": "quanto",
    r".+\.(?:qweight|qzeros|wscales|smooth_factor)": "int4 (SVDQuant, GPTQ, AWQ)",
    r".+\.weight_(?:packed|zero_point)": "compressed-tensors",
}
_MAX_MARK = 4096  # bytes


@dataclasses.dataclass(frozen=True)
class ScaledTensor(Tensor):
    """A tensor that is a product of a stored one and a scale.

    The dtype is that of files it is written to unless another one is asked for; float8 numbers and
    their scale do not fit one of float8.

    Attributes:
      stored: The tensor in the file.
      scale: Its scale.
    """

    stored: Tensor
    scale: Tensor

    @property
    def nbytes(self) -> int:
        return self.stored.nbytes

    @property
    def stored_parts(self) -> tuple[Tensor, ...]:
        return self.stored, self.scale

    def view(self) -> np.ndarray:
        """The product, in float32."""
        return np.asarray(self.stored.view(), np.float32) * self.scale_view()

    def scale_view(self) -> np.ndarray:
        """The scale of each number, float32, without memory of its own for repeated scales."""
        blocks = _block_shape(self.scale.shape, self.shape)
        assert blocks is not None
        scale = np.asarray(self.scale.view(), np.float32).reshape(blocks[::2])
        # Each axis as blocks and positions in a block: [a, 1, b, 1] to [a, m, b, n].
        spread = scale.reshape([n for size in scale.shape for n in (size, 1)])
        if scale.size == 1:
            return np.broadcast_to(spread.reshape([1] * len(self.shape)), self.shape)
        if all(size in (1, whole) for size, whole in zip(scale.shape, self.shape, strict=True)):
            return np.broadcast_to(scale, self.shape)
        return np.broadcast_to(spread, blocks).reshape(self.shape)


def _block_shape(scale: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape as pairs of the number of blocks and their size along each axis.

    None if a scale of this shape does not fit.
    """
    axes = len(shape)
    if all(size == 1 for size in scale):
        counts = (1,) * axes
    elif len(scale) == 1 and axes and scale[0] == shape[0]:
        counts = (scale[0], *(1,) * (axes - 1))
    elif len(scale) >= axes and all(size == 1 for size in scale[axes:]):
        counts = scale[:axes]
    else:
        return None
    if any(not n or size % n for size, n in zip(shape, counts, strict=True)):
        return None
    return tuple(x for size, n in zip(shape, counts, strict=True) for x in (n, size // n))


def check_formats(name: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Checks that a file is not quantized in a way that is not read.

    Args:
      name: Name of the file for messages.
      tensors: Its tensors.
      metadata: Texts of its header.

    Raises:
      UserError: If it is, or a description of the format is damaged.
    """
    for pattern, kind in _OTHERS.items():
        if any(re.fullmatch(pattern, key) for key in tensors):
            raise _refusal(name, kind)
    descriptions: list[Any] = []
    for key, tensor in tensors.items():
        if key.endswith(_MARK):
            if tensor.nbytes > _MAX_MARK:
                raise UserError(f"{name} is damaged: {key:.80} is {tensor.nbytes} bytes")
            descriptions.append(_json(name, tensor.view().tobytes()))
    in_header = _json(name, metadata.get(_IN_HEADER, "{}").encode("utf-8", "replace"))
    layers = in_header.get("layers", {}) if isinstance(in_header, Mapping) else None
    if not isinstance(layers, Mapping):
        raise UserError(f"{name} is damaged: its {_IN_HEADER} is not a JSON object of layers")
    for description in (*descriptions, *layers.values()):
        if isinstance(description, str):
            description = {"format": description}
        if not isinstance(description, Mapping):
            raise UserError(f"{name} is damaged: a layer's quantization is not a JSON object")
        kind = str(description.get("format"))
        if not _FORMATS.fullmatch(kind):
            raise _refusal(name, kind)
        unknown = sorted(
            key for key, value in description.items() if value and key not in _HARMLESS
        )
        if unknown:
            raise _refusal(name, f"{kind} with {', '.join(unknown)}")


def with_scales(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with their scales applied, and without what only describes them.

    Args:
      name: Name of the weights for messages.
      tensors: The tensors of all their files.

    Raises:
      UserError: If a scale does not fit its weight, or weights are whole numbers.
    """
    scales: dict[str, Tensor] = {}
    plain: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        match = _SCALE.fullmatch(key)
        weight = f"{match['layer']}.weight" if match else ""
        if weight in tensors:
            if weight in scales:
                raise UserError(f"{name} is damaged: {weight:.200} has two scales")
            scales[weight] = tensor
        elif not _UNUSED.fullmatch(key):
            plain[key] = tensor
    for key, tensor in plain.items():
        if key.endswith(".weight") and tensor.dtype.kind in "iu" and len(tensor.shape) > 1:
            raise _refusal(name, "int8" if tensor.dtype.itemsize == 1 else str(tensor.dtype))
    return plain | {key: _scaled(name, key, plain[key], scale) for key, scale in scales.items()}


def _scaled(name: str, key: str, stored: Tensor, scale: Tensor) -> Tensor:
    if scale.dtype.kind not in "fV" or _block_shape(scale.shape, stored.shape) is None:
        raise UserError(
            f"{name} has a scale of {list(scale.shape)} and type {scale.dtype} for {key:.200} of "
            f"{list(stored.shape)}: one number, one per output or one per block is read"
        )
    return ScaledTensor(stored.path, _BFLOAT16, stored.shape, stored.offset, stored, scale)


def _json(name: str, text: bytes) -> Any:
    try:
        return json.loads(text.rstrip(b"\0"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is damaged: a layer's quantization is no JSON: {error}") from error


def _refusal(name: str, kind: str) -> UserError:
    return UserError(
        f"{name} is quantized as {kind:.80}, which is not read: use the same model in BF16, FP16, "
        "FP32 or FP8 (fp8_scaled of ComfyUI)"
    )
