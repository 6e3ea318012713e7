"""Published networks that tell of a picture: where they lie, and how they are loaded.

They are data: no code of a folder is run, and weights are read from safetensors alone.
"""

import contextlib
import dataclasses
import importlib.util
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import tqdm

from painting_jax.checkpoints import hub
from painting_jax.errors import UserError

# What every `from_pretrained` is told.
SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
WEIGHTS: dict[str, Any] = SAFE | {"use_safetensors": True}
_INSTALL = "pip install 'painting_jax[networks]'"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that a user named.

    Attributes:
      path: Its folder, or its id on the hub.
      contents: Hash of its files: records that it was used for follow from them.
    """

    path: str
    contents: str

    @classmethod
    def named(
        cls,
        flag: str,
        name: str,
        *,
        index: str = "config.json",
        needs: tuple[str, ...] = ("torch",),
    ) -> "Network":
        """The network of a flag; that of a hub id is downloaded first.

        Args:
          flag: Name of the flag.
          name: A folder or a hub id.
          index: File that such a folder has.
          needs: Packages that run it.

        Raises:
          UserError: If a package is missing, or there is no such network.
        """
        for package in needs:
            if importlib.util.find_spec(package) is None:
                raise UserError(f"--{flag} needs the package {package}: {_INSTALL}")
        folder = hub.local(name)
        if not (folder / index).is_file():
            raise UserError(f"--{flag}={name}: there is no {index} in it: name a network's folder")
        if next(folder.rglob("*.safetensors"), None) is None:
            raise UserError(
                f"--{flag}={name} holds no weights as .safetensors: other formats may run code, "
                "and are not loaded"
            )
        # Imported here, since workers do not need it, and it takes JAX.
        from painting_jax.text.embeddings import fingerprint  # noqa: PLC0415

        below = sorted(path for path in folder.rglob("*") if path.is_dir())
        return cls(name, fingerprint([folder, *below]))

    @property
    def folder(self) -> pathlib.Path:
        """Where it lies on this machine."""
        return hub.local(self.path)


@contextlib.contextmanager
def refusals_told(network: Network, doing: str) -> Iterator[None]:
    """Turns what libraries raise into one line: errors of any type, for files of any kind."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                f"{network.path} has code of its own, which is never run: name a network that "
                "transformers or diffusers know"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{network.path} cannot be used for {doing}: {reason}") from error


def loaded(
    network: Network, doing: str, model_class: str, processor_class: str, threads: int | None
) -> tuple[Any, Any]:
    """A network of transformers and its processor, on the device of torch.

    Args:
      network: Where it lies.
      doing: What it is for, in errors.
      model_class: Class of transformers that the network is of.
      processor_class: That of its processor.
      threads: Number of threads of torch; None leaves it.

    Raises:
      UserError: If it is of another class, or needs code of its own.
    """
    with refusals_told(network, doing):
        device = torch_device(threads)
        import transformers  # noqa: PLC0415

        folder = str(network.folder)
        processor = getattr(transformers, processor_class).from_pretrained(folder, **SAFE)
        model = getattr(transformers, model_class).from_pretrained(
            folder, dtype="float32", **WEIGHTS
        )
        return model.to(device).eval(), processor


def torch_device(threads: int | None) -> str:
    """The device of torch, once it may use so many threads; None leaves their number.

    Warnings and progress bars of transformers are turned off: they would tear up the program's own.
    """
    # Imported here, since torch is an extra.
    import torch  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # Even a bar that nobody sees takes a lock of several processes, which a killed worker leaves.
    tqdm.tqdm.set_lock(threading.RLock())
    if threads is not None:
        torch.set_num_threads(threads)
    return "cuda" if torch.cuda.is_available() else "cpu"
