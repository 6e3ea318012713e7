"""What an experiment trains: the one object that the training loop asks."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from etils import epath
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8
from ml_collections import ConfigDict

from painting_jax.data.pipeline import Source
from painting_jax.diffusion.reverse_painting import Objective
from painting_jax.models.codec import Codec
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.text.conditioner import TextConditioner

# A noisy latent video, its noise level in (0, 1) and conditions to a prediction.
Model = Callable[[Float[Array, "b t h w c"], Float[Array, " b"], Any], Float[Array, "b t h w c"]]


class Task(Protocol):
    """A model with what is trained of it, and what it is trained on.

    `params` are the trained parameters, which a checkpoint holds; `frozen` is a tree of arrays that
    the functions need besides and nothing changes. Both are arguments of what is compiled. All
    methods but those that read files are pure, and may be traced.

    Attributes:
      config: of the experiment.
      objective: how a training sample is drawn and judged.
      transformer: its sizes.
      codec: the picture space; where it has parameters they are in `frozen`, and this tells
        its extents alone.
      frames: of a recorded process that the model is shown.
      whole: whether all of the transformer is trained, rather than adapters of it.
      origin: where the parameters come from that training starts with, in words.
    """

    config: ConfigDict
    objective: Objective
    transformer: WanConfig
    codec: Codec
    frames: int
    whole: bool
    origin: str

    def load_params(self, mesh: Mesh) -> dict | None:
        """Trained parameters to start from, read from files; None if `init_params` makes them."""
        ...

    def load_frozen(self, mesh: Mesh, text_conditioner: TextConditioner) -> dict:
        """The frozen parameters, read from files."""
        ...

    def text_conditioner(
        self, workdir: epath.PathLike, sources: Sequence[Source], mesh: Mesh
    ) -> TextConditioner:
        """The text conditioner.

        Args:
          workdir: of the run, where what is made for it is kept.
          sources: whose processes will be, the first of them trained on. May be empty for a run
            that has begun.
          mesh: for a text encoder, which is freed again.
        """
        ...

    def init_params(self) -> dict:
        """Trained parameters to start from, made from the seed."""
        ...

    def model(self, params: dict, frozen: dict) -> Model:
        """The network."""
        ...

    def encode(
        self, batch: dict[str, Array], reference_BHWC: Float[Array, "b h w 3"], frozen: dict
    ) -> tuple[Float[Array, "b t h w c"], Any]:
        """Clean latents of the batch's processes played backwards, and what the model is told.

        Args:
          batch: see `data.pipeline`.
          reference_BHWC: the conditioning pictures, RGB in [-1, 1].
          frozen: see above.
        """
        ...

    def drop(self, key: PRNGKeyArray, conditions: Any, frozen: dict) -> Any:
        """The conditions with some of them missing, each with its probability."""
        ...

    def export(self, params: dict, workdir: epath.PathLike, *, final: bool) -> None:
        """Leaves averaged parameters in the run's folder for other programs, where there are any.

        All processes must call it.

        Args:
          params: to leave there.
          workdir: of the run.
          final: whether they are those that the run ends with.
        """
        ...

    def paint(
        self,
        params: dict,
        frozen: dict,
        batch: dict[str, Array],
        seed_B: Int[Array, " b"],
        *,
        steps: int,
        guidance: float,
    ) -> UInt8[Array, "b t h w 3"]:
        """Paints each picture of a batch, blank canvas first; see `diffusion.painting.paint`."""
        ...
