"""Plans as text and as JSON."""

from typing import Any

from painting_jax.planning.plan import Plan


def as_text(plan: Plan) -> str:
    """A plan for reading."""
    axes = (
        " x ".join(f"{axis} {size}" for axis, size in plan.mesh.items() if size > 1) or "one device"
    )
    what = "step" if plan.mode == "train" else f"sampling of {plan.repeated} steps"
    lines = [
        f"{plan.topology}: {plan.devices} x {plan.device}, {axes}; {plan.samples} videos a {what}"
    ]
    if plan.settings:
        lines.append(f"settings chosen   {plan.settings}")
    memory = "unknown" if plan.memory is None else f"{plan.memory / 1e9:.1f} GB"
    lines.append(f"memory a device   {memory} of {plan.memory_there / 1e9:.1f} GB")
    if not plan.fits:
        lines.append("it does NOT fit")
        lines += [f"  estimated to fit: {one.flags}" for one in plan.would_fit]
        return "\n".join(lines)
    work, times, n = plan.work, plan.times, plan.repeated
    lines += [
        f"useful FLOPs      {plan.useful_flops / 1e12:,.0f} TFLOP in all",
        f"FLOPs a device    {n * (work.product_flops + work.kernel_flops) / 1e12:,.0f} TFLOP, "
        f"{n * work.kernel_flops / 1e12:,.0f} of them in attention kernels",
        f"bytes a device    {n * work.bytes / 1e12:,.2f} TB read and written",
        "",
        "seconds of a device, by part",
        f"  matrix units    {n * times.matrix:8.2f}  at the peak",
        f"  memory          {n * times.memory:8.2f}  at its bandwidth",
        f"  compiler        {n * times.cycles:8.2f}  its cycles, without kernels and exchanges",
        f"  kernels         {n * times.kernels:8.2f}  attention, at its share of the peak",
    ]
    for named, seconds in sorted(times.interconnect.items()):
        lines.append(
            f"  interconnect    {n * seconds:8.2f}  over {' and '.join(named) or 'no axis'}"
        )
    lines += ["", "exchanges between devices"]
    for exchange, calls in sorted(work.calls.items(), key=lambda one: -work.sent[one[0]]):
        if exchange.devices > 1:
            lines.append(
                f"  {exchange.kind:18s} {n * calls:9,.0f} x, "
                f"{n * work.sent[exchange] / 1e9:8.2f} GB, "
                f"{exchange.devices} devices along {' and '.join(exchange.axes)}"
            )
    rate = plan.tokens * (n if plan.mode == "generate" else 1)
    lines += [
        "",
        f"predicted {what}: {plan.seconds:.2f} s, ideally {plan.ideal_seconds:.2f} s",
        f"tokens/s          {rate / plan.seconds:,.0f}",
        f"MFU               {100 * plan.mfu(plan.seconds):.1f} %, ideally "
        f"{100 * plan.mfu(plan.ideal_seconds):.1f} %",
        f"bound by          {times.bound}",
    ]
    return "\n".join(lines)


def as_json(plan: Plan) -> dict[str, Any]:
    """A plan for programs."""
    made = {
        name: getattr(plan, name)
        for name in (
            "topology", "device", "devices", "mesh", "settings", "mode", "samples", "memory",
            "memory_there", "fits", "useful_flops", "tokens",
        )
    }  # fmt: skip
    made["would_fit"] = [one.flags for one in plan.would_fit]
    if not plan.fits:
        return made
    work, times, n = plan.work, plan.times, plan.repeated
    return made | {
        "product_flops": n * work.product_flops,
        "kernel_flops": n * work.kernel_flops,
        "bytes": n * work.bytes,
        "seconds": {
            "matrix": n * times.matrix,
            "memory": n * times.memory,
            "cycles": n * times.cycles,
            "kernels": n * times.kernels,
            "interconnect": {" ".join(axes): n * s for axes, s in times.interconnect.items()},
            "predicted": plan.seconds,
            "ideal": plan.ideal_seconds,
        },
        "exchanges": [
            {
                "kind": exchange.kind,
                "axes": exchange.axes,
                "devices": exchange.devices,
                "calls": n * calls,
                "bytes": n * work.sent[exchange],
            }
            for exchange, calls in work.calls.items()
            if exchange.devices > 1
        ],
        "mfu": plan.mfu(plan.seconds),
        "mfu_ideal": plan.mfu(plan.ideal_seconds),
        "bound_by": times.bound,
    }
