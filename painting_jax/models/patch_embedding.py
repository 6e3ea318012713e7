"""The first layer of vision transformers: each patch of a picture to a token."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models.layers import patchify


class PatchConv(nnx.Conv):
    """A convolution of RGB whose windows lie side by side, with float32 parameters.

    It is computed as the one product that it is: on a CPU a convolution takes twice as long.
    """

    def __init__(self, dim: int, patch: int, *, bias: bool = True, dtype, rngs: nnx.Rngs):
        window = (patch, patch)
        super().__init__(3, dim, window, strides=window, use_bias=bias, dtype=dtype, rngs=rngs)

    def __call__(self, pixels_BHWC: Float[Array, "b h w 3"]) -> Float[Array, "b h2 w2 d"]:
        """A token a patch; a rest of a patch is cut off."""
        patch, dim = self.kernel_size[0], self.out_features
        height, width = (side - side % patch for side in pixels_BHWC.shape[1:3])
        video_B1HWC = pixels_BHWC[:, None, :height, :width].astype(self.dtype)
        patches_BhwP = patchify(video_B1HWC, (1, patch, patch))[:, 0]
        kernel_PD = self.kernel[...].reshape(-1, dim).astype(self.dtype)
        tokens_BhwD = jnp.einsum("bhwp,pd->bhwd", patches_BhwP, kernel_PD)
        return tokens_BhwD if self.bias is None else tokens_BhwD + self.bias[...].astype(self.dtype)
