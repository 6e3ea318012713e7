"""The networks that flags of `prepare` choose, looked for before anything is read."""

from collections.abc import Sequence

from painting_jax.data.enrichment.editor import LOOKS
from painting_jax.data.enrichment.enrichment import Enrichment
from painting_jax.data.enrichment.network import Network
from painting_jax.errors import UserError


def chosen(
    *,
    segments: str | None = None,
    captions: str | None = None,
    medium: str | None = None,
    least_confidence: float = 0.5,
    variants: str | None = None,
    looks: Sequence[str] = (),
    steps: int = 30,
) -> Enrichment:
    """What folders or hub ids of networks add; None for what is done without a network.

    Raises:
      UserError: If there is no such network, a package is missing that runs it, or a look is none.
    """
    if variants is not None:
        unknown = [look for look in looks if look not in LOOKS]
        if unknown or not looks:
            raise UserError(f"--variant_media: unknown {unknown}: known are {', '.join(LOOKS)}")
    return Enrichment(
        segments=None if segments is None else Network.named("segments", segments),
        captions=None if captions is None else Network.named("captions", captions),
        # JAX runs it.
        medium=None if medium is None else Network.named("guess_medium", medium, needs=()),
        least_confidence=least_confidence,
        variants=None
        if variants is None
        else Network.named(
            "variants_model", variants, index="model_index.json", needs=("torch", "diffusers")
        ),
        looks=() if variants is None else tuple(dict.fromkeys(looks)),
        steps=steps,
    )
