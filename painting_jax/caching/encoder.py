"""Encodes processes on the mesh: latents of their reversed clips, conditions of their pictures."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from painting_jax.data import pipeline
from painting_jax.data.cached_latents import TEXT, CachedPicture, CachedProcess
from painting_jax.data.pipeline import Batch
from painting_jax.data.prefetch import prefetch
from painting_jax.data.process import Process
from painting_jax.diffusion import reverse_painting
from painting_jax.models.codec import to_float
from painting_jax.models.family import VideoModel
from painting_jax.sharding.rules import batch_sharding
from painting_jax.text.embeddings import LENGTH


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A process with its arrays of a batch: of the finished picture, then of each variant."""

    index: int
    process: Process
    rows: list[Batch]


class Encoder:
    """Frozen networks that encode on all devices of a mesh, a picture or a clip on each.

    Args:
      model: Model that latents and conditions are made for.
      frozen: Parameters of its encoders, see `VideoModel.encoders`.
      examples: Maker of rows of pictures, with the text encoder.
      mesh: Mesh whose devices are all along `data`.
    """

    def __init__(self, model: VideoModel, frozen: Mapping, examples: pipeline.Examples, mesh: Mesh):
        self._model, self._frozen, self._examples, self._mesh = model, frozen, examples, mesh

    def encode(
        self, source: pipeline.DataSource, indices: Sequence[int]
    ) -> Iterator[tuple[int, CachedProcess]]:
        """Yields the row and the encoded process of each row of a split, in another order.

        Those of one shape are encoded together, as many as there are devices.

        Args:
          source: The split.
          indices: Rows of the split.

        Raises:
          UserError: If a record or a picture is damaged.
        """
        groups: dict[tuple[int, int], list[int]] = {}
        for index in indices:
            row = source.rows[index]
            groups.setdefault(self._examples.shapes.of((row.height, row.width)), []).append(index)
        chunks = [chunk for group in groups.values() for chunk in _chunked(group, self._mesh.size)]

        def load(chunk: Sequence[int]) -> list[_Loaded]:
            return [self._load(source, index) for index in chunk]

        for _, loaded in prefetch(load, chunks):
            pictures = self._pictures(loaded)
            for one, encoded in zip(loaded, pictures, strict=True):
                yield one.index, self._process(one, encoded)

    def _load(self, source: pipeline.DataSource, index: int) -> _Loaded:
        process = source.record(index)
        finished = self._examples.of(process, index, None)
        canvas = self._examples.canvas(process)
        variants = [
            finished
            | {
                "reference_BHWC": canvas.picture(variant.image),
                "other_look_B": np.bool_(variant.other_look),
            }
            for variant in process.variants
        ]
        return _Loaded(index, process, [finished, *variants])

    def _pictures(self, loaded: Sequence[_Loaded]) -> list[list[CachedPicture]]:
        """The encoded pictures of processes of one shape."""
        finished = [one.rows[0] for one in loaded]
        variants = [row for one in loaded for row in one.rows[1:]]
        # A model that is given the picture as a frame has it in its latents.
        encode = _with_latents if self._model.conditioning_frames else _conditions
        firsts = iter(self._on_mesh(_with_latents, finished))
        others = iter(self._on_mesh(encode, variants))
        return [[next(firsts), *(next(others) for _ in one.rows[1:])] for one in loaded]

    def _on_mesh(self, encode: Callable, rows: Sequence[Batch]) -> Iterator[CachedPicture]:
        for chunk in _chunked(rows, self._mesh.size):
            # The last row fills up the devices: another size would be compiled anew.
            filled = [*chunk, *[chunk[-1]] * (self._mesh.size - len(chunk))]
            batch = pipeline.stack(filled)
            del batch["index_B"]
            batch = jax.device_put(batch, batch_sharding(self._mesh))
            latents, conditions = jax.device_get(encode(self._model, self._frozen, batch))
            for place, row in enumerate(chunk):
                yield CachedPicture(
                    bool(row["other_look_B"]),
                    {name: array[place] for name, array in conditions.items()},
                    None if latents is None else latents[place],
                )

    def _process(self, one: _Loaded, pictures: Sequence[CachedPicture]) -> CachedProcess:
        process = one.process
        encode = self._examples.text_conditioner.encode
        text, uncaptioned = (
            unpadded(encode(caption, {process.medium: 1.0})[TEXT])
            for caption in (process.caption, "")
        )
        return CachedProcess(
            id=process.id,
            medium=process.medium,
            caption=process.caption,
            source=process.source,
            licence=process.licence,
            frames=len(process.frames),
            picture_HW=process.frame_HW,
            pictures=pictures,
            text_LD=text,
            uncaptioned_LD=uncaptioned,
        )


def numbers(
    model: VideoModel, frozen: Mapping, frames: int, shape_HW: tuple[int, int], text_dim: int
) -> tuple[int, int]:
    """How many numbers are stored of a clip with its picture, and of each further picture.

    Args:
      model: Model that latents and conditions are made for.
      frozen: Parameters of its encoders.
      frames: Number of frames of a recorded process.
      shape_HW: Height and width of the frames.
      text_dim: Width of the text embeddings.
    """
    batch = {
        "frames_BTHWC": jax.ShapeDtypeStruct((1, frames, *shape_HW, 3), jnp.uint8),
        "progress_BT": jax.ShapeDtypeStruct((1, frames), jnp.float32),
        "reference_BHWC": jax.ShapeDtypeStruct((1, *shape_HW, 3), jnp.uint8),
        TEXT: jax.ShapeDtypeStruct((1, LENGTH, text_dim), jnp.float32),
    }
    encode = functools.partial(_with_latents, model)
    latents, conditions = jax.eval_shape(encode, frozen, batch)
    picture = sum(array.size for array in conditions.values())
    return latents.size + picture, picture + latents.size * bool(model.conditioning_frames)


@functools.partial(jax.jit, static_argnums=0)
def _with_latents(model: VideoModel, frozen: Mapping, batch: Batch):
    """Latents of the clips, and the conditions that depend on their pictures, by name."""
    reference_BHWC = to_float(batch["reference_BHWC"])
    latents_BTHWC, conditions = reverse_painting.encode(
        batch, reference_BHWC, model, model.encoders(frozen)
    )
    return latents_BTHWC, _of_pictures(conditions)


@functools.partial(jax.jit, static_argnums=0)
def _conditions(model: VideoModel, frozen: Mapping, batch: Batch):
    """No latents, and the conditions that depend on the pictures, by name."""
    conditions = model.family.condition(
        model.config, model.encoders(frozen), batch, to_float(batch["reference_BHWC"])
    )
    return None, _of_pictures(conditions)


def _of_pictures(conditions) -> dict[str, jax.Array]:
    given = reverse_painting.by_name(conditions)
    return {name: array for name, array in given.items() if name != TEXT}


def unpadded(text_LD: np.ndarray) -> np.ndarray:
    """An embedding without the zeros that it was padded with."""
    filled = np.flatnonzero(text_LD.any(1))
    return text_LD[: filled[-1] + 1 if len(filled) else 0]


def _chunked(items: Sequence, size: int) -> Iterator[Sequence]:
    return (items[first : first + size] for first in range(0, len(items), size))
