"""What is measured on a GPU: the published sizes, at 81 frames of 480x832."""

from typing import NamedTuple

from ml_collections import ConfigDict

from configs import wan21_i2v_14b, wan21_t2v_1_3b, wan22_ti2v_5b

_EXPERIMENTS = {
    "14B": wan21_i2v_14b.get_config,
    "5B": wan22_ti2v_5b.get_config,
    "1.3B": wan21_t2v_1_3b.get_config,
}
_VIDEO = {"frames": 81, "height": 480, "width": 832}


class Case(NamedTuple):
    """A measurement.

    Attributes:
      name: its name in the table.
      size: a key of `_EXPERIMENTS`.
      lora: whether adapters are trained, of rank 64, rather than all parameters.
      layers: number of blocks; 0 = all of them.
      remat: what the backward pass keeps, a name in `models.remat.POLICIES`.
      sampling_steps: 0 = a training step; otherwise a video is painted in that many steps.
      guidance: scale of guidance of a sampled video.
      sides: who is measured.
    """

    name: str
    size: str
    lora: bool = False
    layers: int = 0
    remat: str = "attention"
    sampling_steps: int = 0
    guidance: float = 1.0
    sides: tuple[str, ...] = ("ours", "diffusers")

    def config(self, tiny: bool) -> ConfigDict:
        """The experiment; tiny: with a small model, to try the benchmark out on any machine."""
        arguments = ["rank=8" if tiny else "rank=64", *["lora"] * self.lora, *["tiny"] * tiny]
        config = _EXPERIMENTS[self.size](",".join(arguments))
        config.data.buckets = ()
        config.model.remat = self.remat
        config.optimizer.ema = False
        if not tiny:
            config.data.update(_VIDEO)
            config.model.layers = self.layers or config.model.layers
        return config


CASES = (
    Case("14B LoRA", "14B", lora=True, remat="attention_projections", sides=("ours",)),
    Case("1.3B full", "1.3B", remat="attention_projections"),
    Case("14B LoRA, 8 of 40 blocks", "14B", lora=True, layers=8),
    Case("14B LoRA, 8 blocks, all kept", "14B", lora=True, layers=8, remat="none", sides=("ours",)),
    Case("5B LoRA", "5B", lora=True, remat="none"),
    Case("14B full, 6 of 40 blocks", "14B", layers=6, remat="attention_projections"),
    Case("1.3B painting, 4 steps", "1.3B", sampling_steps=4, sides=("ours",)),
    Case("1.3B painting, 50 steps", "1.3B", sampling_steps=50, guidance=5.0, sides=("ours",)),
)
