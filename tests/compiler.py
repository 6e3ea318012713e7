"""How XLA compiles here: its time is most of the tests', so none of it makes the code fast."""

# The older emitters compile in half the time, and every part of a module costs some more of it.
_QUICK = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    " --xla_cpu_parallel_codegen_split_count=1"
)


def flags(devices: int = 1) -> str:
    """XLA_FLAGS of a process with so many fake devices."""
    return f"--xla_force_host_platform_device_count={devices} {_QUICK}"
