"""Networks of transformers that find what they are told: loaded from safetensors, without code.

torch is an extra and takes seconds to import: whoever does not ask for a network does without it.
"""

import contextlib
import importlib.util
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from painting_jax import json_text
from painting_jax.checkpoints import hub
from painting_jax.errors import UserError

if TYPE_CHECKING:
    import torch

_EXTRA = "networks"
_MAX_SIDE = 4096  # pixels; a config that asks for larger pictures is damaged


def require_torch(flag: str) -> None:
    """Checks that the extra for networks is installed.

    Raises:
      UserError: If it is not; it names the option and the extra.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError(f"{flag} needs the package torch: pip install 'painting_jax[{_EXTRA}]'")


def folder(name: str) -> pathlib.Path:
    """The folder of a network; one on the hub is downloaded first.

    Raises:
      UserError: If there is none, or it has no weights in safetensors.
    """
    path = hub.local(name)
    if not path.is_dir():
        raise UserError(f"{name} is no folder: name one with config.json and model.safetensors")
    if not any(path.glob("*.safetensors")):
        raise UserError(f"{name} holds no .safetensors file: pickles are not read")
    return path


def model_type(path: pathlib.Path) -> str:
    """The architecture that the config of a network names.

    Raises:
      UserError: If there is no readable config.
    """
    return str(_settings(path / "config.json").get("model_type"))


def model(path: pathlib.Path, model_class: Any) -> Any:
    """A network without gradients, on CUDA if torch has it.

    Args:
      path: Its folder.
      model_class: Class of transformers.

    Raises:
      UserError: If it cannot be read, or lacks weights, which would be random.
    """
    import torch  # noqa: PLC0415

    # The library raises errors of any type for files that it does not understand, and for code.
    with _refused(path), _quietly():
        network, told = model_class.from_pretrained(
            os.fspath(path),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if lacking := sorted(told["missing_keys"]) + sorted(map(str, told["mismatched_keys"])):
        raise UserError(
            f"{path} lacks {len(lacking)} tensors of {model_class.__name__} or has them in another "
            f"shape, such as {lacking[0]}: its weights and its config.json do not belong together"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return network.eval().requires_grad_(False).to(device)


def processor(path: pathlib.Path, processor_class: Any) -> Any:
    """The processor or tokenizer of a network.

    Raises:
      UserError: If it cannot be read.
    """
    with _refused(path), _quietly():
        return processor_class.from_pretrained(
            os.fspath(path), local_files_only=True, trust_remote_code=False
        )


def normalization(
    path: pathlib.Path, default: tuple[Sequence[float], Sequence[float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the pictures that a network takes, float32[3] each, of 1.

    Its image processor says them. Those of SAM 2 and SAM 3 need torchvision, which the rest of the
    house does without, so only their settings are read.

    Raises:
      UserError: If there are settings that are damaged.
    """
    settings: dict[str, Any] = {}
    for name in ("processor_config.json", "preprocessor_config.json"):
        if not settings and (path / name).exists():
            content = _settings(path / name)
            settings = content.get("image_processor", content)
    found = [
        settings.get(key, value)
        for key, value in zip(("image_mean", "image_std"), default, strict=True)
    ]
    with _refused(path):
        mean_3, std_3 = (np.asarray(value, np.float32).reshape(3) for value in found)
    return mean_3, std_3


def square_side(side: Any, path: pathlib.Path) -> int:
    """The side of the square pictures that a network takes, from its config.

    Raises:
      UserError: If it is none.
    """
    sides = side if isinstance(side, list | tuple) else [side]
    if not all(isinstance(one, int) and 0 < one <= _MAX_SIDE for one in sides) or len({*sides}) > 1:
        raise UserError(f"{path}: a network for pictures of {side} pixels is none that is known")
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


@contextlib.contextmanager
def _refused(path: pathlib.Path) -> Iterator[None]:
    """Makes one line of whatever a library raises while it reads a folder."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} holds no network that can be read: {reason}") from error


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps the library's bars and reports off the console."""
    from transformers.utils import logging  # noqa: PLC0415

    before, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if had_bar:
            logging.enable_progress_bar()


# Where frames show what was asked for: uint8[N, H, W, 3] to bool[N, H, W].
Finder = Callable[[UInt8[np.ndarray, "n h w 3"]], np.ndarray]
