"""What a reader of the numbers has to know before believing them."""

from painting_jax.evaluation.result import Result


def notes(result: Result) -> list[str]:
    """A sentence or two each: what was measured with, what stands in for what, what was found."""
    return [
        *_of_networks(result),
        "The PDP follows the published description; its formula was not at hand. A profile can be "
        "won by a well-timed fade, so read it beside the frames in between and the final picture.",
        *result.notes,
    ]


def _of_networks(result: Result) -> list[str]:
    found = [f"The perceptual distance is {result.distance}."]
    if "distance" in result.stand_ins:
        found = [
            f"{result.distance} is a stand-in: the layers and the linear weights of LPIPS over a "
            "VGG16 that was fine-tuned for finding edges. Compare its numbers with each other, not "
            "with published LPIPS."
        ]
    if "features" in result.stand_ins and result.sets:
        found.append(
            f"FID and KID are taken of {result.labels['features']}'s features, which stand in for "
            "Inception's: compare them with each other, not with published FID."
        )
    return found
