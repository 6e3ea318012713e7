"""Wan2.2 image to video A14B, two experts of 14B each: 81 frames of 480x832.

One expert is trained at a time, on its side of the noise level where the first hands over to the
second: `--config=configs/wan22_i2v_a14b.py:lora,rank=32` trains adapters of that for high noise,
which decides on composition, with `--config.pretrained.expert=low` of that for low noise, which
decides on detail. Both are held, the other one to paint the sheets with. Not trained yet by its
authors; without `lora` all of the expert is trained, `:lora,tiny` tries everything out on a laptop.
"""

from painting_jax import config_wan


def get_config(arg: str | None = None):
    """Arguments: lora, rank, steps, tiny; see `config_wan.parse_arg`."""
    config = config_wan.base(
        "wan22_i2v_a14b",
        "wan21",
        "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
        frames=81,
        height=480,
        width=832,
        shift=5.0,
        arg=config_wan.parse_arg(arg),
    )
    config.pretrained.expert = "high"
    config.sampling.guidance = 3.5
    return config
