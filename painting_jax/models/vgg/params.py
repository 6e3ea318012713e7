"""VGG16 and AlexNet as torchvision publishes them: tensor names. timm's VGG16 has the same."""

from painting_jax.models.tensor_names import Rule, Table, conv
from painting_jax.models.vgg.modeling import DEPTHS

# Indices of the convolutions in torchvision's list of layers, which also counts activations and
# pooling.
_ALEXNET = (0, 3, 6, 8, 10)
# The layers after the convolutions, which perceptual distances do not need.
_CLASSIFIER = Rule(r"(classifier|pre_logits|head)\..+", None)


def _vgg16() -> list[Rule]:
    rules, place = [], 0
    for block, depth in enumerate(DEPTHS):
        for layer in range(depth):
            rules += conv(rf"features\.{place}", f"blocks/{block}/{layer}", 2)
            place += 2  # the activation
        place += 1  # the pooling
    return rules


VGG16_TABLE: Table = (*_vgg16(), _CLASSIFIER)
ALEXNET_TABLE: Table = (
    *(
        rule
        for layer, place in enumerate(_ALEXNET)
        for rule in conv(rf"features\.{place}", f"convs/{layer}", 2)
    ),
    _CLASSIFIER,
)
