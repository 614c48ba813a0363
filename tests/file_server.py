"""A web server on this machine that keeps files like PhysioNet's, and misbehaves on demand, for tests."""

import contextlib
import hashlib
import http.server
import threading


class FileServer(http.server.ThreadingHTTPServer):
    """Serves `files` (path -> bytes) from a free port.

    Attributes:
        files: {path without leading slash: content}.
        faults: {path: list of faults}, one used up by each GET of the path:
            an int (a status without the file), ("cut", n) (the connection ends
            after n bytes), ("wrong", i) (byte i is flipped), "no range" (Range
            is ignored) or None (served as it should be).
        gets: list of (path, Range header or None), in the order of arrival.
    """

    daemon_threads = True

    def __init__(self, files):
        self.files = dict(files)
        self.faults = {}
        self.gets = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def publish(self, slug, version, files):
        """Add a data set with its list of checksums, one line `SHA-256 path` a file."""
        listing = "".join(f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in files.items())
        for path, content in {**files, "SHA256SUMS.txt": listing.encode()}.items():
            self.files[f"{slug}/{version}/{path}"] = content


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        path = self.path.lstrip("/")
        asked = self.headers.get("Range")
        fault = None
        if body:
            self.server.gets.append((path, asked))
            waiting = self.server.faults.get(path)
            fault = waiting.pop(0) if waiting else None
        if isinstance(fault, int) or path not in self.server.files:
            self.send_error(fault or 404)
            return
        content = self.server.files[path]
        if isinstance(fault, tuple) and fault[0] == "wrong":
            content = bytearray(content)
            content[fault[1]] ^= 0xFF
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "no range" else 0
        if start >= len(content) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            rest = bytes(content[start:])
            self.wfile.write(rest[: fault[1]] if isinstance(fault, tuple) and fault[0] == "cut" else rest)


@contextlib.contextmanager
def serving(files=()):
    """Yield a running `FileServer`."""
    server = FileServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
