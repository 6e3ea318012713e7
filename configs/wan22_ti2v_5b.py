"""Wan2.2 text and image to video 5B: 121 frames of 704x1280.

The first frame of its video is the picture itself. The 120 frames after it are the process.

`--config=configs/wan22_ti2v_5b.py:lora,rank=32` trains adapters. Without `lora` the whole
transformer is trained. `:lora,tiny` runs a tiny version on a laptop, to try everything out. The
authors have not trained this config yet.
"""

from painting_jax import config_wan


def get_config(arg: str | None = None):
    """Arguments: lora, rank, steps, tiny; see `config_wan.parse_arg`."""
    return config_wan.base(
        "wan22_ti2v_5b",
        "wan22",
        "Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        frames=121,
        height=704,
        width=1280,
        shift=5.0,
        arg=config_wan.parse_arg(arg),
    )
