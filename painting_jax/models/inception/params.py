"""The Inception v3 of FID as pytorch-fid publishes it: tensor names."""

from painting_jax.errors import UserError
from painting_jax.models.inception.modeling import BLOCKS, STEM
from painting_jax.models.tensor_names import PublishedWeights, Rule, Table

_CLASSES = 1008  # classes of the classifier in FID's weights
_PARTS = {
    r"conv\.weight": ("kernel", "conv2d"),
    r"bn\.weight": ("scale", "same"),
    r"bn\.bias": ("bias", "same"),
    r"bn\.running_mean": ("mean", "same"),
    r"bn\.running_var": ("variance", "same"),
}


def _rules() -> list[Rule]:
    stem = "|".join(layer[0] for layer in STEM if layer)
    blocks = "|".join(BLOCKS)
    branches = "|".join(sorted({name for block in BLOCKS.values() for name in _names(block[0])}))
    rules = []
    for theirs, (ours, transform) in _PARTS.items():
        rules += [
            Rule(rf"(?P<first>{stem})\.{theirs}", rf"stem/\g<first>/{ours}", transform),
            Rule(
                rf"(?P<block>{blocks})\.(?P<branch>{branches})\.{theirs}",
                rf"mixed/\g<block>/convs/\g<branch>/{ours}",
                transform,
            ),
        ]
    return rules


def _names(branches) -> list[str]:
    """Names of the convolutions in nested tuples of steps."""
    if branches and isinstance(branches[0], str):
        return [branches[0]]
    return [name for inner in branches for name in _names(inner)]


TABLE: Table = (
    *_rules(),
    Rule(r".+\.num_batches_tracked", None),
    Rule(r"fc\.(weight|bias)", None),
)


def check(source: PublishedWeights) -> None:
    """Refuses other Inceptions, such as torchvision's, which has the same tensor names.

    Raises:
      UserError: if these are not the weights that define FID.
    """
    classifier = source.tensors.get("fc.weight")
    classes = classifier.shape[0] if classifier else _CLASSES
    if classes != _CLASSES or any(name.startswith("AuxLogits") for name in source.tensors):
        raise UserError(
            f"{source.name} is an Inception v3, but not FID's ({classes} classes instead of "
            f"{_CLASSES}): use pt_inception-2015-12-05 of pytorch-fid, as safetensors"
        )
