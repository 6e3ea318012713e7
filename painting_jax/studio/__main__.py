"""A studio in the browser: people drop pictures, have them painted, and keep what was painted.

  python -m painting_jax.studio
  python -m painting_jax.studio --output=FOLDER --workdir=RUN
  python -m painting_jax.studio --host=0.0.0.0 --password_file=FILE

By default, only this machine can reach the studio, at the address that it prints. With --host,
other machines can, with the password in the first line of a file. The studio paints one picture
after the other and keeps each in --output, where it is found again after a restart. A painting that
a restart interrupted is offered again.

The page offers the weights that come with the package, and those that --workdir and --pretrained
name. A browser cannot name a file or a model of its own.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import os
import pathlib
import socket

from absl import flags

from painting_jax import cli
from painting_jax.errors import UserError
from painting_jax.files import check_destination, in_use
from painting_jax.locking import alone
from painting_jax.studio import limits

_OUTPUT = flags.DEFINE_string("output", "studio", "Folder of the gallery.")
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen at. If others can reach it, --password_file is needed."
)
_PORT = flags.DEFINE_integer("port", 8765, "Port to listen at; 0 takes any free port.")
_PASSWORD_FILE = flags.DEFINE_string(
    "password_file",
    None,
    "File whose first line is the password [default: the environment variable "
    "PAINTING_JAX_STUDIO_PASSWORD, else no password].",
)
_WORKDIR = flags.DEFINE_multi_string(
    "workdir", [], "Training run whose model the page offers, too."
)
_PRETRAINED = flags.DEFINE_string(
    "pretrained",
    None,
    "Published weights that the page offers, too: a diffusers folder, or a hub id.",
)
_LORA = flags.DEFINE_multi_string("lora", [], "LoRAs for --pretrained, as generate takes them.")
_LORA_2 = flags.DEFINE_multi_string(
    "lora_2", [], "LoRAs for the second transformer of --pretrained."
)
_MAX_AREA = flags.DEFINE_integer(
    "max_area", None, "Maximum pixels per frame of --pretrained [default: as it was trained]."
)

_PASSWORD = "PAINTING_JAX_STUDIO_PASSWORD"


def main() -> None:
    """Serves the studio until it is interrupted."""
    paths = (_OUTPUT, _PASSWORD_FILE, _WORKDIR, _PRETRAINED, _LORA, _LORA_2)
    cli.refuse_empty(*paths, _HOST)
    cli.check_runs(_WORKDIR)
    cli.refuse_remote(*(flag for flag in paths if flag is not _WORKDIR))
    cli.require_from_to(_PORT, 0, 65535)
    cli.require_from_to(_MAX_AREA, 1)
    check_destination("output", _OUTPUT.value, folder=True)
    for flag in (_LORA, _LORA_2, _MAX_AREA):
        if flag.value and not _PRETRAINED.value:
            raise UserError(f"--{flag.name} goes with --pretrained: it is for published weights")
    try:
        # Imported here, since they belong to an extra, and checks come before the slow ones.
        import uvicorn  # noqa: PLC0415

        from painting_jax.studio import access  # noqa: PLC0415
    except ImportError:
        raise UserError(
            "the studio needs packages of its extra: pip install 'painting_jax[studio]', or in the "
            "repository pip install -c constraints.txt -e '.[studio]'"
        ) from None
    host = _HOST.value
    password = access.password_of(host, _PASSWORD_FILE.value, os.environ.get(_PASSWORD))
    folder = pathlib.Path(_OUTPUT.value)
    with alone(folder, in_use("output", folder, "studio")), _listening(host) as listening:
        # These take seconds.
        from painting_jax.compiled_programs import kept  # noqa: PLC0415
        from painting_jax.studio.offers import Offers  # noqa: PLC0415
        from painting_jax.studio.server import Studio  # noqa: PLC0415

        offers = Offers.of(
            _WORKDIR.value, _PRETRAINED.value, _LORA.value, _LORA_2.value, _MAX_AREA.value
        )
        studio = Studio(folder, offers, password=password, local=access.is_loopback(host))
        config = uvicorn.Config(
            studio.app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=limits.CONNECTIONS,
            timeout_graceful_shutdown=3,
        )
        print(f"the studio is open at {_address(host, listening)}", flush=True)
        with kept():
            uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str) -> socket.socket:
    """A socket that listens at the host and at --port.

    Raises:
      UserError: If the address cannot be listened at.
    """
    bare, port = host.strip("[]"), _PORT.value
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((bare, port))
        listening.listen()
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise UserError(
            f"--host={host} --port={port} cannot be listened at: {reason}; name another --port"
        ) from None
    return listening


def _address(host: str, listening: socket.socket) -> str:
    bare = host.strip("[]")
    shown = f"[{bare}]" if ":" in bare else bare
    return f"http://{shown}:{listening.getsockname()[1]}"


if __name__ == "__main__":
    cli.run(main)
