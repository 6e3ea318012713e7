"""A bucket of Cloud Storage on this machine: gcp-storage-emulator, and what it lacks for a run.

It lacks preconditions and generations in answers, by which TensorStore and locks know that nobody
else has written an object meanwhile, and answers one request at a time.
"""

import contextlib
import functools
import http.server
import json
import logging
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

NAME = "bucket"

# Objects that are not there are no news.
logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
logging.getLogger("api").setLevel(logging.CRITICAL)


class _Refused(Exception):
    """Raised with the status of the answer if an object may not be changed."""


class Bucket(Storage):
    """What the bucket holds.

    Attributes:
      environment: Environment of programs that are to find it.
      refuse: Status with which a request is refused, of its method and its object, as far as it
        names one; 0 = it is not. All that changes an object is asked again as POST.
      expected: Generation that the object of the present request must have; None = any.
    """

    environment: dict[str, str]
    refuse: Callable[[str, str], int] = staticmethod(lambda method, name: 0)
    expected: str | None = None

    def names(self) -> list[str]:
        """Names of all objects."""
        return sorted(self.objects.get(NAME, {}))

    def copy(self, source: str, target: str) -> None:
        """Copies all objects of a folder."""
        for name in self.names():
            if name.startswith(f"{source}/"):
                there = self.get_file_obj(NAME, name)
                copied = target + name.removeprefix(source)
                content = self.get_file(NAME, name)
                self.create_file(NAME, copied, content, there | {"name": copied})

    def generation(self, bucket: str, name: str) -> str:
        """Generation of an object; 0 if there is none."""
        return self.objects.get(bucket, {}).get(name, {}).get("generation", "0")

    def create_file(self, bucket_name, file_name, *args, **options):
        self._check(bucket_name, file_name)
        super().create_file(bucket_name, file_name, *args, **options)

    def delete_file(self, bucket_name, file_name):
        self._check(bucket_name, file_name)
        super().delete_file(bucket_name, file_name)

    def _check(self, bucket: str, name: str) -> None:
        # Requests do not always name the object that they write.
        if status := self.refuse("POST", name):
            raise _Refused(status)
        if self.expected not in (None, self.generation(bucket, name)):
            raise _Refused(http.HTTPStatus.PRECONDITION_FAILED)

    def _write_config_to_file(self) -> None:
        """Nothing outlives this process: the emulator would write all metadata at each change."""


class _Handler(RequestHandler):
    """Answers a request if its preconditions hold, and tells the generation of its object."""

    def __init__(self, lock: threading.Lock, storage: Bucket, *args):
        self._lock = lock
        super().__init__(storage, *args)

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        with self._lock:  # All threads share what the bucket holds.
            bucket, name, query = self._asked()
            self.storage.expected = query.get("ifGenerationMatch", [None])[0]
            status = self.storage.refuse(self.command, name)
            if query.get("ifGenerationNotMatch") == [self.storage.generation(bucket, name)]:
                status = http.HTTPStatus.NOT_MODIFIED
            if status:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._end(status)
            else:
                try:
                    getattr(self, f"do_{self.command}")()
                except _Refused as refused:
                    self._end(refused.args[0])
            self.wfile.flush()

    def end_headers(self) -> None:
        bucket, name, _ = self._asked()
        if there := self.storage.objects.get(bucket, {}).get(name):
            self.send_header("x-goog-generation", there["generation"])
            self.send_header("x-goog-stored-content-length", str(there["size"]))
        super().end_headers()

    def _asked(self) -> tuple[str, str, dict[str, list[str]]]:
        """Bucket and name of the object that is asked for, and the parameters."""
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        bucket, _, name = url.path.partition("/b/")[2].partition("/o")
        name = urllib.parse.unquote(name.removeprefix("/").removesuffix("/compose"))
        return bucket, name or query.get("name", [""])[0], query

    def _end(self, status: int) -> None:
        """Ends a request without doing it."""
        said = json.dumps({"error": {"code": int(status), "message": "it may not be touched"}})
        content = b"" if status == http.HTTPStatus.NOT_MODIFIED else said.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Says nothing of clients that are gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def emulated() -> Iterator[Bucket]:
    """Serves an empty bucket; programs that are started meanwhile find it, too.

    Yields:
      The bucket.
    """
    storage = Bucket(use_memory_fs=True)
    buckets.create_bucket(NAME, storage)
    handler = functools.partial(_Handler, threading.Lock(), storage)
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    storage.environment = {
        # For gcsfs and Google's client, for the reader of ArrayRecord, and for TensorStore.
        "STORAGE_EMULATOR_HOST": address,
        "CLOUD_STORAGE_EMULATOR_ENDPOINT": address,
        "TENSORSTORE_GCS_HTTP_URL": address,
        # Else gcsfs asks Google of what kind the bucket is.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in storage.environment.items():
            environment.setenv(name, value)
        try:
            yield storage
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
