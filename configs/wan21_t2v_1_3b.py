"""Wan2.1 text to video 1.3B: 81 frames of 480x832.

The model knows no pictures: it learns here to take one as its video's first latent frame, as Wan2.2
TI2V does, which takes no new parameter. Not trained yet by its authors; arguments as of the others:
`--config=configs/wan21_t2v_1_3b.py:lora,rank=32`, and `:lora,tiny` to try everything out.
"""

from configs import published


def get_config(arg: str | None = None):
    """Arguments: lora, rank, steps, tiny; see `published.parse`."""
    return published.base(
        "wan21_t2v_1_3b",
        "wan21",
        "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        frames=81,
        height=480,
        width=832,
        shift=3.0,
        arg=published.parse(arg),
    )
