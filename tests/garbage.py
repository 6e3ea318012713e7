"""How often the tests' processes look for garbage: tracing makes millions of objects that stay."""

import gc


def look_less() -> None:
    """Looks seldom, and no more at what there is: both take a tenth of the time of tracing."""
    gc.set_threshold(50_000, 20, 50)
    gc.freeze()
