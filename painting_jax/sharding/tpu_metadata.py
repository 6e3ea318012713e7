"""What the metadata server of a TPU VM tells of the slice that it belongs to."""

import re
import urllib.request
from collections.abc import Mapping

_SECONDS = 5


def workers(environment: Mapping[str, str]) -> tuple[list[str], int] | None:
    """The computers of the slice, in their order, and the number of this one.

    Args:
      environment: Environment variables; GCE_METADATA_IP is another address of the server.

    Returns:
      None where no server answers, as on a TPU that is no TPU VM.
    """
    endpoints = _attribute("worker-network-endpoints", environment)
    number = _attribute("agent-worker-number", environment)
    if not endpoints or number is None or not number.isdecimal():
        return None
    # Each is a host or, on older images, NAME:ID:IP.
    return [endpoint.rpartition(":")[2] for endpoint in endpoints.split(",")], int(number)


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of the slice, such as MEGASCALE_NUM_SLICES if it is one of several."""
    text = _attribute("tpu-env", environment) or ""
    return dict(re.findall(r"^(\w+): *'(.*)'$", text, re.MULTILINE))


def _attribute(name: str, environment: Mapping[str, str]) -> str | None:
    server = environment.get("GCE_METADATA_IP", "metadata.google.internal")
    request = urllib.request.Request(
        f"http://{server}/computeMetadata/v1/instance/attributes/{name}",
        headers={"Metadata-Flavor": "Google"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return answer.read().decode()
    except (OSError, ValueError):
        return None
