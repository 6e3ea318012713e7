"""Wan2.1 text to video 1.3B: 81 frames of 480x832.

The published model takes no picture. Here it learns to take one as the first latent frame of its
video, as Wan2.2 TI2V does. This needs no new parameters.

`--config=configs/wan21_t2v_1_3b.py:lora,rank=32` trains adapters. Without `lora` the whole
transformer is trained. `:lora,tiny` runs a tiny version on a laptop, to try everything out. The
authors have not trained this config yet.
"""

from painting_jax import config_wan


def get_config(arg: str | None = None):
    """Arguments: lora, rank, steps, tiny; see `config_wan.parse_arg`."""
    return config_wan.base(
        "wan21_t2v_1_3b",
        "wan21",
        "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        frames=81,
        height=480,
        width=832,
        shift=3.0,
        arg=config_wan.parse_arg(arg),
    )
