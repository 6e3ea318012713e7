"""About a million parameters, 64x64 pixels, 9 frames: minutes on two CPU cores."""

from configs import common


def get_config(arg: str | None = None):
    """Arguments: none yet."""
    common.parse_arg(arg)
    config = common.base()
    return config
