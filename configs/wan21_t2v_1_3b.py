"""Wan2.1 text to video 1.3B: 81 frames of 480x832.

The model knows no pictures: it learns here to take one as its video's first latent frame, as Wan2.2
TI2V does, which takes no new parameter. Not trained yet by its authors; arguments as of the others:
`--config=configs/wan21_t2v_1_3b.py:lora,rank=32`, and `:lora,tiny` to try everything out.
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
