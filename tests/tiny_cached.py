"""Tiny experiments on published weights, the data for them, and their latents cached beforehand."""

import pathlib

import jax
import pytest
from ml_collections import ConfigDict

from configs import wan21_i2v_14b, wan22_ti2v_5b
from painting_jax.caching import job
from painting_jax.sharding.mesh import make_mesh
from tests import tiny_wan
from tests.synthetic import build_painted, write_photos

ONE_DEVICE = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
FRAMES, SIDE = 5, 32

# Kind in `tiny_wan` -> its experiment, and what differs in its sizes.
_KINDS = {
    "wan21_i2v": (wan21_i2v_14b, {"in_channels": 12, "image_dim": 8}),
    "wan22_ti2v": (wan22_ti2v_5b, {"in_channels": 6}),
}
# Kinds that are given the picture as a frame before the process.
FIRST_FRAME = ("wan22_ti2v",)


def experiment(kind: str, root: pathlib.Path, *, lora: bool = True) -> ConfigDict:
    """An experiment of a kind, with its weights and data of exactly as many frames as it takes.

    Args:
      kind: A kind of `tiny_wan.KINDS`.
      root: Folder for weights and data.
      lora: Whether it trains a LoRA.
    """
    module, sizes = _KINDS[kind]
    config = module.get_config(f"{'lora,' * lora}rank=3,steps=4,tiny")
    config.model.update(dim=24, layers=2, heads=2, ffn_dim=32, text_dim=16, remat="none", **sizes)
    if not (root / "weights").exists():
        tiny_wan.save(tiny_wan.pipeline(kind), root / "weights")
        write_photos(root / "photos", 4)
        frames = FRAMES - (kind in FIRST_FRAME)
        build_painted(root / "data", root / "photos", frames=frames)
    config.pretrained.path = str(root / "weights")
    config.data.data_dir = str(root / "data")
    config.data.update(frames=FRAMES, height=SIDE, width=SIDE, batch_size=2, buckets=())
    config.data.variant_probability = config.data.caption_probability = 0.5
    config.data.allow_upscaling = True
    config.objective.augment = 0.0
    config.sampling.update(steps=1, guidance=2.0, shift=3.0)
    config.log.update(every=1, samples=1, samples_every=4, eval_every=4)
    return config


def cache(config: ConfigDict, devices: int = 1, **options) -> pathlib.Path:
    """Caches an experiment's latents on some of the fake devices."""
    mesh = make_mesh({"data": devices}, jax.devices()[:devices])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "make_mesh", lambda sizes: mesh)
        return job.cache_latents(config, **options)
