"""Wan2.1 image to video 14B, 480p: 81 frames of 480x832, the model of Loomis Painter.

`--config=configs/wan21_i2v_14b.py:lora,rank=32` trains adapters. Without `lora` the whole
transformer is trained. `:lora,tiny` runs a tiny version on a laptop, to try everything out. The
authors have not trained this config yet.
"""

from painting_jax import config_wan


def get_config(arg: str | None = None):
    """Arguments: lora, rank, steps, tiny; see `config_wan.parse_arg`."""
    return config_wan.base(
        "wan21_i2v_14b",
        "wan21",
        "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
        frames=81,
        height=480,
        width=832,
        shift=3.0,
        arg=config_wan.parse_arg(arg),
    )
