"""Paints with the model of a run that trained published weights further."""

import dataclasses
import os
import pathlib

from jax.sharding import Mesh

from painting_jax.errors import UserError
from painting_jax.pretrained.adapters import Named
from painting_jax.pretrained.painter import PretrainedPainter
from painting_jax.pretrained.recipe import Wishes
from painting_jax.training.base_model import open_base
from painting_jax.training.checkpoint import read_config
from painting_jax.training.config_check import check_fields
from painting_jax.training.wan_task import EMBEDDINGS, LORA_FILE, TRANSFORMER


def further_painter(
    workdir: str | os.PathLike, wishes: Wishes, *, mesh: Mesh | None = None
) -> PretrainedPainter:
    """The published model of a run with the run's LoRA, or with its transformer.

    Args:
      workdir: of the run.
      wishes: of the user; what is not asked for is as in the run's config.
      mesh: as of `PretrainedPainter`.

    Raises:
      UserError: if the run has left nothing to paint with yet, or its base has changed.
    """
    config = read_config(workdir)
    run = pathlib.Path(workdir)
    check_fields(config, run / "config.json")
    folder = open_base(config, run)
    left = run / (LORA_FILE if config.lora.enabled else TRANSFORMER)
    if not left.exists():
        first = "has no checkpoint yet" if config.lora.enabled else "has not come to its end"
        raise UserError(f"{workdir} {first}: train it first")
    data, sampling = config.data, config.sampling
    wishes = dataclasses.replace(
        wishes,
        sampler="unipc",
        steps=wishes.steps or sampling.steps,
        shift=sampling.shift,
        guidance=sampling.guidance if wishes.guidance is None else wishes.guidance,
        frames=wishes.frames or data.frames,
        area=data.height * data.width,
    )
    return PretrainedPainter(
        folder,
        wishes,
        mesh=mesh,
        dtype=config.model.dtype,
        loras=[[Named(str(left))]] if config.lora.enabled else (),
        files=() if config.lora.enabled else (str(left),),
        cache=str(run / EMBEDDINGS),
    )
