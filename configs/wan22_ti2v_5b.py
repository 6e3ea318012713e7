"""Wan2.2 text and image to video 5B: 121 frames of 704x1280.

Its video begins with the picture itself; the 120 frames after it are the process. Not trained yet
by its authors; `--config=configs/wan22_ti2v_5b.py:lora,rank=32` trains adapters, without `lora` all
of the transformer; `:lora,tiny` tries everything out on a laptop.
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
