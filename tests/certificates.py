"""A certificate for loopback that nobody has signed but itself."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_MADE_BY = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"


@dataclass(frozen=True)
class Certificate:
    """Its file, and its key's."""

    path: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        """For a server that shows it."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.path, self.key)
        return made

    def trusting(self) -> ssl.SSLContext:
        """For a client that trusts it, and no other."""
        return ssl.create_default_context(cafile=str(self.path))


def make(folder: Path) -> Certificate:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command = [*_MADE_BY.split(), *names, "-out", str(made.path), "-keyout", str(made.key)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made
