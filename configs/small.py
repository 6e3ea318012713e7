"""A picture-space model for one GPU or TPU chip: 128x128 pixels, 17 frames.

The authors have not trained it yet. It runs the same code as the demo, with a width and a batch
size that keep an accelerator busy. Prepare its data with --size=128 --frames=33.
"""

from painting_jax import config as config_lib


def get_config(arg: str | None = None):
    """Arguments: steps."""
    arg = config_lib.parse_arg(arg, steps=100_000)
    config = config_lib.base()
    config.steps = arg.steps
    config.data.data_dir = "data"
    config.data.batch_size = 64
    config.data.frames = 17
    config.data.height = config.data.width = 128
    config.model.dim = 512
    config.model.layers = 12
    config.model.heads = 8
    config.model.ffn_dim = 2048
    config.model.pixel_layers = 8
    config.model.dtype = "bfloat16"
    config.model.remat = "full"
    config.optimizer.learning_rate = 3e-4
    config.optimizer.warmup_steps = min(2000, arg.steps // 10)
    config.optimizer.ema_decay = 0.9995
    config.sampling.steps = 20
    config.checkpoint.every = 2000
    config.log.every = 100
    config.log.samples_every = config.log.eval_every = 5000
    return config
