"""All that is taken from one look at a frame equals what is taken one by one."""

import numpy as np
from flax import nnx

from painting_jax.metrics import look, texture
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.vgg.modeling import VGG16


def test_one_look_gives_distances_vectors_textures_and_their_drift():
    distance = LPIPS(trunk=VGG16(widths=(4, 4, 4, 4, 4), rngs=nnx.Rngs(0)), label="random")
    rng = np.random.default_rng(0)
    frames_THWC = rng.integers(0, 256, (8, 32, 48, 3), np.uint8)
    # From the third frame on an area stays; the last two frames are padding.
    frames_THWC[2:, :, :32] = frames_THWC[5, :, :32] + rng.integers(0, 3, (6, 32, 32, 3), np.uint8)
    frames_THWC[6:] = 0
    mask_1T = (np.arange(8) < 6)[None]
    done_TIJ = np.asarray(texture.finished(frames_THWC[None], mask_1T)[0], np.float32)
    before_TIJ = np.concatenate([np.zeros_like(done_TIJ[:1]), done_TIJ[:-1]])
    found = look.look(distance, frames_THWC, before_TIJ, done_TIJ)
    one_by_one = nnx.jit(
        lambda d, x: (d.embed(x), d.maps(x)[-1].mean((1, 2)), texture.statistics(d.trunk, x))
    )
    embedded_TD, vector_TC, statistics_TS = one_by_one(distance, frames_THWC)
    np.testing.assert_allclose(found.embedded_FD, embedded_TD, rtol=1e-5, atol=1e-6)
    size_T1 = np.sqrt(np.mean(np.asarray(vector_TC) ** 2, axis=1, keepdims=True))
    np.testing.assert_allclose(found.vector_FC, vector_TC / size_T1, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.texture_FS, statistics_TS, rtol=1e-4, atol=1e-6)
    drift = texture.drift(distance.trunk, frames_THWC[None], mask_1T).mean_B[0]
    assert drift > 0
    one_pass = texture.drift_of(found.before, found.after, done_TIJ.mean(axis=(1, 2)))
    np.testing.assert_allclose(one_pass, drift, rtol=1e-4)
