"""Wan2.2 image to video A14B, two experts of 14B each: 81 frames of 480x832.

One expert is trained at a time, on its side of the noise level at which the first expert hands over
to the second. `--config=configs/wan22_i2v_a14b.py:lora,rank=32` trains adapters of the expert for
high noise, which decides the composition. With `--config.pretrained.expert=low` it trains those of
the expert for low noise, which decides the details. Both experts are kept in memory, since contact
sheets need both.

Without `lora` the whole expert is trained. `:lora,tiny` runs a tiny version on a laptop, to try
everything out. The authors have not trained this config yet.
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
