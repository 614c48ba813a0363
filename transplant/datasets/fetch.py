"""Fetch one file over HTTP: resumed, retried, verified, and whole or absent."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import re
import ssl
import sys
import threading
import urllib.error
import urllib.request

from transplant.errors import DataError
from transplant.training.progress import Progress

# Seconds to wait after the first, second, ... failure in a row; then it is given up.
PAUSES_S = (1, 2, 4, 8, 16)
TIMEOUT_S = 60
_CHUNK = 1 << 18
_MIB = 1 << 20
# A file with more to come than this shows its own progress.
_LARGE = 32 * _MIB
# Answers that a later attempt may not get.
_PASSING = (408, 425, 429)


class _TryAgain(Exception):
    """A failure that may pass."""


def file_sha256(path):
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remote_size(url):
    """Return the size in bytes that the server tells of a file, None where it does not."""
    try:
        with urllib.request.urlopen(_request(url, method="HEAD"), timeout=TIMEOUT_S) as response:
            return _length(response)
    except (OSError, http.client.HTTPException):
        # Only an estimate: what is wrong shows itself when the file is fetched.
        return None


def fetch_file(url, destination, sha256=None, stop=None, log=None):
    """Fetch a file, or keep the one that is there.

    What arrives is kept in `<destination>.part` until it is whole, and an
    interrupted file goes on from there, in this call or a later one. It gets
    its name only when its SHA-256 is right.

    Args:
        url: http or https address.
        destination: where the file shall be; folders are made.
        sha256: the publisher's SHA-256 in hexadecimal. Defaults to None: a file
            that is there is kept, a new one is whole when its announced length is there.
        stop: `threading.Event` that ends the transfer, keeping what arrived. Defaults to none.
        log: function that takes a line about a failure that is tried again.
            Defaults to writing to stderr.

    Raises:
        DataError: if the server does not have the file, cannot be reached after
            several attempts, or serves one with another SHA-256 (which is removed).
    """
    destination = pathlib.Path(destination)
    if destination.is_file() and (sha256 is None or file_sha256(destination) == sha256):
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(destination.name + ".part")
    stop = stop or threading.Event()
    log = log or (lambda line: print(line, file=sys.stderr))
    resumed = _receive_all(url, part, stop, log)
    if sha256 is not None and file_sha256(part) != sha256:
        part.unlink()
        if resumed:
            log(f"{destination.name}: what an earlier attempt left does not fit; fetching it from its start")
            _receive_all(url, part, stop, log)
        if not resumed or file_sha256(part) != sha256:
            part.unlink(missing_ok=True)
            raise DataError(
                f"{url}: the file must have the SHA-256 that its publisher lists, {sha256}. Received: another, "
                "removed; run the same command again, or fetch from elsewhere (--mirror)"
            )
    with open(part, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(part, destination)


def _receive_all(url, part, stop, log):
    """Append to `part` until it is whole; return whether it began with what an earlier call left."""
    resumed = part.exists()
    failures = 0
    while True:
        before = _size(part)
        try:
            _receive(url, part, stop)
            return resumed
        except _TryAgain as failure:
            # A connection that brings something each time may break as often as it likes.
            failures = 1 if _size(part) > before else failures + 1
            if failures > len(PAUSES_S):
                raise DataError(
                    f"{url}: the download stopped. Received: {failure}, {failures} times in a row; "
                    "run the same command again: it goes on from where it stopped"
                ) from failure
            pause = PAUSES_S[failures - 1]
            log(f"{part.stem}: {failure}; trying again in {pause} s")
            _check(stop, url, pause)


def _receive(url, part, stop):
    """Receive what is missing of a file in one request."""
    have = _size(part)
    response = _open(url, part, have)
    if response is None:
        return
    with response:
        if response.status == 206:
            if _range_start(response) != have:
                part.unlink()
                raise _TryAgain("the server sent another part of the file than was asked for")
        else:
            have = 0
        length = _length(response)
        progress = None
        if length is not None and length >= _LARGE:
            progress = Progress(length // _MIB, f"MiB of {part.stem}")
        received = 0
        with open(part, "ab" if have else "wb") as stream:
            while chunk := _read(response):
                stream.write(chunk)
                if progress is not None:
                    for _ in range((received + len(chunk)) // _MIB - received // _MIB):
                        progress.step()
                received += len(chunk)
                _check(stop, url)
    if length is not None and received != length:
        raise _TryAgain(f"the connection ended after {have + received:,} of {have + length:,} bytes")


def _open(url, part, have):
    """Return the response to a request for what is missing, None if nothing is."""
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        return urllib.request.urlopen(_request(url, headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            if error.code == 416 and have:
                if (error.headers.get("Content-Range") or "").strip() == f"bytes */{have}":
                    return None
                part.unlink()
                raise _TryAgain("the file is shorter than what an earlier attempt left of it") from error
            if error.code >= 500 or error.code in _PASSING:
                raise _TryAgain(f"the server answered {error.code} ({error.reason})") from error
            raise DataError(
                f"{url}: the server must have the file. Received: {error.code} ({error.reason}); check the address "
                "(--mirror), or fetch the files by other means and name their folder (--source)"
            ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DataError(
                f"{url}: the server must prove who it is. Received: {reason.verify_message}; check clock and proxy"
            ) from error
        raise _TryAgain(f"no connection ({reason or type(error).__name__})") from error


def _read(response):
    # Apart from writing: a full disk is no failure of the connection.
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(f"the connection broke ({error or type(error).__name__})") from error


def _request(url, headers=(), method="GET"):
    # Without the encoding named, a proxy might compress, and lengths would not be the file's.
    fixed = {"User-Agent": "transplant-ecg", "Accept-Encoding": "identity"}
    return urllib.request.Request(url, headers=fixed | dict(headers), method=method)


def _length(response):
    text = response.headers.get("Content-Length")
    return int(text) if text and text.isdigit() else None


def _range_start(response):
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(found.group(1)) if found else None


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _check(stop, url, pause=0):
    """Wait `pause` seconds; raise when the transfer shall end."""
    if stop.is_set() or (pause and stop.wait(pause)):
        raise DataError(f"{url}: the download was stopped; run the same command again to go on")
