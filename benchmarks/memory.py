"""What each setting for memory brings, from shapes alone: makes a table of docs/scale.md.

  python -m benchmarks.memory

Wan2.1 image to video 14B, one video of 81 frames of 480x832 with cached latents, on one device.
The arrays of the real training step are counted; nothing is allocated and nothing compiled.
"""

import functools

import jax
from ml_collections import ConfigDict

from configs import wan21_i2v_14b
from painting_jax import cli
from painting_jax.diffusion import reverse_painting
from painting_jax.planning import program
from painting_jax.sharding.mesh import make_mesh
from painting_jax.training.state import init_state

_VIDEO = {"frames": 81, "height": 480, "width": 832, "batch_size": 1, "buckets": ()}
_BASES = ("", "lora")
# Settings that are tried with all parameters trained, and with adapters.
_SETTINGS = (
    ({}, {"model.remat": "attention"}, {"optimizer.ema": False},
     {"optimizer.ema": False, "optimizer.momentum_dtype": "bfloat16"}),
    ({}, {"model.remat": "attention"}, {"model.remat": "attention_ffn"},
     {"model.remat": "attention_projections"}, {"model.remat": "offload"},
     {"model.remat": "none"}, {"pretrained.dtype": "int8"}),
)  # fmt: skip


def main() -> None:
    """Prints the table."""
    print("| trained | setting | trained state | frozen | kept for the backward pass |")
    print("|---|---|--:|--:|--:|")
    for arg, settings in zip(_BASES, _SETTINGS, strict=True):
        for changed in settings:
            config = wan21_i2v_14b.get_config(arg)
            config.data.update(_VIDEO)
            config.model.attention = "splash"  # One that keeps no matrix of scores anywhere.
            config.update_from_flattened_dict(changed)
            setting = ", ".join(f"`{name}={value}`" for name, value in changed.items())
            sizes = " | ".join(f"{size / 1e9:.1f} GB" for size in _sizes(config))
            what = "a LoRA of rank 32" if arg else "all parameters"
            print(f"| {what} | {setting or '`model.remat=full`'} | {sizes} |", flush=True)


def _sizes(config: ConfigDict) -> tuple[int, int, int]:
    """Bytes of the training state, of frozen arrays, and of what the backward pass needs."""
    mesh = make_mesh({"data": 1}, jax.devices()[:1])
    with jax.set_mesh(mesh):
        task = program.task_of(config)
        state = jax.eval_shape(lambda: init_state(task))
        frozen, batch = program.inputs(task, mesh)

        def kept(params, frozen, batch):
            """The residuals of the loss."""
            model, encoders = task.model, task.model.encoders(frozen)
            example = reverse_painting.draw_example(
                jax.random.key(0), batch, model, encoders, task.objective
            )

            def loss(params):
                predict = functools.partial(task.predict, params, frozen)
                return reverse_painting.loss(predict, example, model, task.objective).mean()

            return jax.vjp(loss, params)[1]

        residuals = jax.eval_shape(kept, state.params, frozen, batch)
    given = _bytes(state.params) + _bytes(frozen)
    return _bytes(state), _bytes(frozen), _bytes(residuals) - given


def _bytes(tree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


if __name__ == "__main__":
    cli.run(main)
