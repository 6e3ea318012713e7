"""The model whose weights come with the package: 128x128 pixels for its tokens, 17 frames.

Its head paints at any size, and is also trained on parts of the pictures at 256x256. `make weights`
trains it in two parts, as docs/weights.md describes: `:coarse` at 64x64 pixels in 9 frames, where a
step takes a tenth of the time, and from there at its own size.
"""

from painting_jax import config as config_lib


def get_config(arg: str | None = None):
    """Arguments: coarse (the first part); steps; batch."""
    arg = config_lib.parse_arg(arg, coarse=False, steps=0, batch=0)
    config = config_lib.base()
    config.model.dim = 192
    config.model.layers = 4
    config.model.heads = 6
    config.model.ffn_dim = 768
    config.model.vocabulary = 1024
    config.data.text_length = 32
    # Line drawings and grey photos are to become paintings in colour.
    config.data.variant_probability = 0.3
    config.objective.augment = 0.4
    config.checkpoint.every = 250
    if arg.coarse:
        config.steps = arg.steps or 3500
        config.data.batch_size = arg.batch or 4
        config.optimizer.learning_rate = 2e-3
        config.optimizer.warmup_steps = min(100, config.steps)
        config.optimizer.ema_decay = 0.998
    else:
        config.steps = arg.steps or 500
        config.data.batch_size = arg.batch or 2
        config.data.frames = 17
        config.data.height = config.data.width = 256
        config.model.spatial = 2
        # About the nearest by `python -m benchmarks.pace` at 64, 128 and 512 pixels.
        config.sampling.pace = (0.1, 0.3, 0.5)
        config.optimizer.learning_rate = 7e-4
        config.optimizer.warmup_steps = min(50, config.steps)
    return config
