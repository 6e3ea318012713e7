"""About two million parameters, 64x64 pixels, 9 frames: eight minutes on two CPU cores."""

from configs import common


def get_config(arg: str | None = None):
    """Takes no arguments."""
    common.parse_arg(arg)
    config = common.base()
    config.data.data_dir = "runs/data"  # where `make demo` puts it
    config.steps = 1400
    config.model.layers = 3
    # Many small steps: with Adam a parameter moves by the learning rate a step at most, and the
    # gates of the pixel head have far to go.
    config.data.batch_size = 4
    config.optimizer.warmup_steps = 50
    config.optimizer.ema_decay = 0.995
    config.checkpoint.every = 250
    config.log.every = 50
    config.log.samples_every = 500
    return config
