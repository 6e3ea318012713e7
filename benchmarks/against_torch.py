"""Compares LPIPS, CLIP and DINOv2 with torch, on the same CPU with the same random weights.

Both alternate in one process, so that other load on the machine affects both equally. Only the
networks are measured: both get the same pixels, resized beforehand.
"""

import contextlib
import io
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import torch
import torch.nn.functional as F
import transformers
from flax import nnx

from benchmarks.timing import Row, number, seconds
from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import open_source
from painting_jax.evaluation import lpips_weights
from painting_jax.metrics import perceptual
from painting_jax.models.clip import params as clip_names
from painting_jax.models.clip.modeling import SIZES as CLIP_SIZES
from painting_jax.models.clip.modeling import CLIPVision
from painting_jax.models.dinov2 import params as dinov2_names
from painting_jax.models.dinov2.modeling import SIZES as DINO_SIZES
from painting_jax.models.dinov2.modeling import DINOv2
from painting_jax.models.vgg.modeling import DEPTHS, WIDTHS
from painting_jax.models.vit_blocks import for_inference

_TOLERANCE = 1e-4  # maximum difference, relative to the largest value


class Contest(NamedTuple):
    """The same computation in both implementations. Both functions return the same array.

    Attributes:
      what: Name of the computation.
      ours: Runs our implementation.
      theirs: Runs the other implementation.
      frames: Number of frames per run.
      note: Remark for the table.
    """

    what: str
    ours: Callable[[], np.ndarray]
    theirs: Callable[[], np.ndarray]
    frames: int
    note: str


def measure(frames: int, side: int, runs: int, tell: Callable[[str], None]) -> list[Row]:
    """Frames per second of both implementations, and the ratio of each pair of runs.

    Args:
      frames: Number of frames in a batch.
      side: Side of the frames for LPIPS, in pixels. CLIP and DINOv2 have a fixed size.
      runs: Number of runs of each.
      tell: Called with the name of each measurement.

    Raises:
      AssertionError: If the results of both differ.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = []
    for make in (lambda: _lpips(frames, side), lambda: _clip(frames), lambda: _dino(frames)):
        contest = make()
        tell(contest.what)
        rows += _contested(contest, runs)
    return rows


def _contested(contest: Contest, runs: int) -> list[Row]:
    # The first runs compile, and check that both results are equal.
    kept: list[np.ndarray] = []
    first = seconds(lambda: kept.append(contest.ours()))
    kept.append(contest.theirs())
    difference = np.abs(kept[0] - kept[1]).max() / np.abs(kept[1]).max()
    assert difference < _TOLERANCE, f"{contest.what}: numbers differ by {difference:.1e}"
    times = [(seconds(contest.ours), seconds(contest.theirs)) for _ in range(runs)]
    ours, theirs = ([contest.frames / t for t in side] for side in zip(*times, strict=True))
    compiled = first - min(t for t, _ in times)
    note = f"{contest.note}; compiled in {number(compiled)} s"
    return [
        Row(f"{contest.what}, ours", "frames/s", ours, note),
        Row(f"{contest.what}, torch", "frames/s", theirs),
        Row(
            f"{contest.what}, ours over torch",
            "times as fast",
            [b / a for a, b in times],
            f"numbers differ by {number(difference)} of the largest",
        ),
    ]


def _lpips(frames: int, side: int) -> Contest:
    """Distance of each frame to one picture, with the trunk applied to both."""
    torch.manual_seed(0)
    layers, inputs = [], 3
    for width, depth in zip(WIDTHS, DEPTHS, strict=True):
        for _ in range(depth):
            layers += [torch.nn.Conv2d(inputs, width, 3, padding=1), torch.nn.ReLU()]
            inputs = width
        layers.append(torch.nn.MaxPool2d(2))
    trunk = torch.nn.ModuleDict({"features": torch.nn.Sequential(*layers)}).eval()
    with _saved(trunk.state_dict()) as folder:
        distance = lpips_weights.load("vgg", open_source(folder))
    heads = [torch.from_numpy(np.array(head[...])) for head in distance.heads]
    rng = np.random.default_rng(0)
    pictures = rng.uniform(0, 1, (frames, side, side, 3)).astype(np.float32)
    finished = rng.uniform(0, 1, (1, side, side, 3)).astype(np.float32)
    their_pictures, their_finished = _channels_first(pictures), _channels_first(finished)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (distance.trunk.mean, distance.trunk.std))
    looks = np.cumsum([2 * depth + 1 for depth in DEPTHS]) - 2

    def activations(x):
        x = (x - mean) / std
        for place, layer in enumerate(trunk["features"][:-1]):
            x = layer(x)
            if place in looks:
                yield F.normalize(x, dim=1, eps=1e-10)

    def theirs() -> np.ndarray:
        with torch.inference_mode():
            pairs = zip(
                activations(their_pictures), activations(their_finished), heads, strict=True
            )
            return sum(
                F.conv2d((f - g) ** 2, head.view(1, -1, 1, 1)).mean((1, 2, 3))
                for f, g, head in pairs
            ).numpy()

    return Contest(
        "LPIPS (VGG16)",
        lambda: np.asarray(perceptual.distances(distance, pictures, finished)),
        theirs,
        frames,
        f"{frames} frames of {side}x{side} to one picture",
    )


def _clip(frames: int) -> Contest:
    config = CLIP_SIZES["vit_b_32"]
    torch.manual_seed(0)
    theirs = transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(projection_dim=config.projection_dim)
    ).eval()
    with _saved(theirs) as folder:
        ours = load_model(
            lambda: CLIPVision(config, rngs=nnx.Rngs(0)), open_source(folder), [clip_names.TABLE]
        )
    # As in `CLIPFeatures`.
    ours.blocks = for_inference(ours.blocks)
    return _of_pixels(
        "CLIP ViT-B/32",
        ours,
        lambda model, x: model.embed(x),
        lambda x: theirs(x).image_embeds,
        frames,
    )


def _dino(frames: int) -> Contest:
    config = DINO_SIZES["vit_s_14"]
    torch.manual_seed(0)
    theirs = transformers.Dinov2Model(
        transformers.Dinov2Config(
            hidden_size=config.dim,
            num_attention_heads=config.heads,
            image_size=config.image_size,
        )
    ).eval()
    with _saved(theirs) as folder:
        ours = load_model(
            lambda: DINOv2(config, rngs=nnx.Rngs(0)), open_source(folder), dinov2_names.TABLES
        )
    return _of_pixels(
        "DINOv2 ViT-S/14",
        ours,
        lambda model, x: model.embed(x),
        lambda x: theirs(x).pooler_output,
        frames,
    )


def _of_pixels(what: str, model: nnx.Module, ours, theirs, frames: int) -> Contest:
    pixels = np.random.default_rng(0).normal(size=(frames, 224, 224, 3)).astype(np.float32)
    graph, state = nnx.split(model)
    forward = jax.jit(lambda state, x: ours(_merged(graph, state), x))
    their_pixels = _channels_first(pixels)

    def their_forward() -> np.ndarray:
        with torch.inference_mode():
            return theirs(their_pixels).numpy()

    return Contest(
        what,
        lambda: np.asarray(forward(state, pixels)),
        their_forward,
        frames,
        f"{frames} frames of 224x224, float32",
    )


def _merged(graph, state) -> CLIPVision | DINOv2:
    return nnx.merge(graph, state)


@contextlib.contextmanager
def _saved(model):
    """A temporary folder with a model of `transformers`, or with named tensors."""
    import safetensors.torch  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        if isinstance(model, dict):
            safetensors.torch.save_file(model, pathlib.Path(folder, "model.safetensors"))
        else:
            model.save_pretrained(folder)
        yield folder


def _channels_first(x_NHWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x_NHWC).permute(0, 3, 1, 2).contiguous()
