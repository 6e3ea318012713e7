"""Paints with the model of a run that trained published weights further."""

import dataclasses
import os
import pathlib

from jax.sharding import Mesh

from painting_jax.checkpoints.adapters import LoraSpec
from painting_jax.diffusion.stepwise import DISTILLED
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.generation.sampling_config import Wishes
from painting_jax.tasks import expert
from painting_jax.tasks.base_model import open_base
from painting_jax.tasks.exports import left_by
from painting_jax.tasks.wan_task import EMBEDDINGS
from painting_jax.training.checkpoint import read_config
from painting_jax.training.config_check import check_fields


def further_painter(
    workdir: str | os.PathLike,
    wishes: Wishes,
    *,
    mesh: Mesh | None = None,
    dtype: str | None = None,
    cache: str | None = None,
) -> PretrainedPainter:
    """The published model of a run with the run's LoRA, or with its transformer.

    Args:
      workdir: of the run.
      wishes: of the user; what is not asked for is as in the run's config.
      mesh: as of `PretrainedPainter`.
      dtype: as of `PretrainedPainter`; None = the run's.
      cache: folder of known text embeddings; None = the run's.

    Raises:
      UserError: if the run has left nothing to paint with yet, or its base has changed.
    """
    config = read_config(workdir)
    run = pathlib.Path(workdir)
    check_fields(config, run / "config.json")
    folder = open_base(config, run)
    left = left_by(run, config)
    data, sampling = config.data, config.sampling
    own = {"sampler": "unipc", "frames": data.frames, "area": data.height * data.width}
    if wishes.sampler not in DISTILLED:
        own |= {name: sampling[name] for name in ("steps", "shift", "guidance")}
    own = {name: value for name, value in own.items() if getattr(wishes, name) is None}
    place = expert.place(config)
    return PretrainedPainter(
        folder,
        dataclasses.replace(wishes, **own),
        mesh=mesh,
        dtype=dtype or config.model.dtype,
        loras=[*[()] * place, [LoraSpec(str(left))]] if config.lora.enabled else (),
        files=() if config.lora.enabled else (*[None] * place, str(left)),
        cache=cache or str(run / EMBEDDINGS),
    )
