"""Networks that see where something is: their weights, checked, and the pictures that they take."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from painting_jax import json_text
from painting_jax.data.enrichment.network import SAFE, WEIGHTS, Network, refusals_told
from painting_jax.errors import UserError

if TYPE_CHECKING:
    import torch

_DOING = "masks"
_MAX_SIDE = 4096  # pixels; a config that asks for larger pictures is damaged


def model_type(network: Network) -> str:
    """The architecture that the config of a network names.

    Raises:
      UserError: If there is no readable config.
    """
    return str(_settings(network.folder / "config.json").get("model_type"))


def model(network: Network, model_class: Any, device: str) -> Any:
    """A network without gradients.

    Args:
      network: Where it lies.
      model_class: Class of transformers.
      device: Device of torch.

    Raises:
      UserError: If it cannot be read, or lacks weights, which would be random.
    """
    with refusals_told(network, _DOING):
        loaded, told = model_class.from_pretrained(
            str(network.folder), dtype="float32", output_loading_info=True, **WEIGHTS
        )
    if lacking := sorted(told["missing_keys"]) + sorted(map(str, told["mismatched_keys"])):
        raise UserError(
            f"{network.path} lacks {len(lacking)} tensors of {model_class.__name__} or has them in "
            f"another shape, such as {lacking[0]}: weights and config.json do not belong together"
        )
    return loaded.eval().requires_grad_(False).to(device)


def processor(network: Network, processor_class: Any) -> Any:
    """The processor or tokenizer of a network.

    Raises:
      UserError: If it cannot be read.
    """
    with refusals_told(network, _DOING):
        return processor_class.from_pretrained(str(network.folder), **SAFE)


def normalization(
    network: Network, default: tuple[Sequence[float], Sequence[float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the pictures that a network takes, float32[3] each, of 1.

    Its image processor says them. Those of SAM 2 and SAM 3 need torchvision, which the rest of the
    house does without, so only their settings are read.

    Raises:
      UserError: If there are settings that are damaged.
    """
    settings: dict[str, Any] = {}
    for name in ("processor_config.json", "preprocessor_config.json"):
        if not settings and (network.folder / name).exists():
            content = _settings(network.folder / name)
            settings = content.get("image_processor", content)
    with refusals_told(network, _DOING):
        mean_3, std_3 = (
            np.asarray(settings.get(key, value), np.float32).reshape(3)
            for key, value in zip(("image_mean", "image_std"), default, strict=True)
        )
    return mean_3, std_3


def square_side(side: Any, network: Network) -> int:
    """The side of the square pictures that a network takes, from its config.

    Raises:
      UserError: If it is none.
    """
    sides = side if isinstance(side, list | tuple) else [side]
    if not all(isinstance(one, int) and 0 < one <= _MAX_SIDE for one in sides) or len({*sides}) > 1:
        raise UserError(
            f"{network.path} takes pictures of {side} pixels, which no such network does"
        )
    return sides[0]


def pixels(
    frames_NHWC: UInt8[np.ndarray, "n h w 3"],
    size: tuple[int, int],
    mean_3: np.ndarray,
    std_3: np.ndarray,
) -> Float[np.ndarray, "n 3 height width"]:
    """Frames as networks take them: resized, normalized, channels first."""
    height, width = size
    shrinks = height < frames_NHWC.shape[1] and width < frames_NHWC.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized_NHWC = np.stack(
        [cv2.resize(frame, (width, height), None, 0, 0, how) for frame in frames_NHWC]
    )
    normal_NHWC = (resized_NHWC.astype(np.float32) / 255 - mean_3) / std_3
    return np.ascontiguousarray(normal_NHWC.transpose(0, 3, 1, 2))


def stretched(logits_NHW: "torch.Tensor", size: tuple[int, int]) -> Float[np.ndarray, "n h w"]:
    """Logits of masks at another size."""
    import torch  # noqa: PLC0415

    stretched_N1HW = torch.nn.functional.interpolate(
        logits_NHW[:, None].float(), size, mode="bilinear", align_corners=False
    )
    return stretched_N1HW[:, 0].cpu().numpy()


def _settings(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json_text.read(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the folder of a network") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no settings")
    return content
