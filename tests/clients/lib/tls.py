"""A proxy that ends TLS before the gateway, for clients that open their sessions over TLS only."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What is read at once.
PIECE_BYTES_MAX = 64 << 10


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """An `https` address that leads to this one, and what to trust it by."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, port)
        # At the end of a case whatever is left open is let go of.
        with suppress(OSError, ssl.SSLError, asyncio.CancelledError):
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    with tempfile.TemporaryDirectory(prefix="gatehouse-tls-") as folder:
        own, path = server_side(Path(folder))
        trusts = ssl.create_default_context(cafile=path)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=own)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", trusts
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on whatever comes, and the end of it."""
    try:
        while piece := await reader.read(PIECE_BYTES_MAX):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


def server_side(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """How a server of this machine shows itself, and whom to trust for that."""
    authority = _named("an authority of this test")
    own = _named("127.0.0.1")
    issuer = _certificate(authority, authority, is_authority=True)
    shown = _certificate(own, authority, is_authority=False)
    trusted, chain, secret = folder / "authority.pem", folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(issuer.public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(shown.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        own[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, secret)
    return context, trusted


Party = tuple[x509.Name, ec.EllipticCurvePrivateKey]


def _named(name: str) -> Party:
    """Somebody with a key."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), ec.generate_private_key(ec.SECP256R1())


def _certificate(subject: Party, issuer: Party, *, is_authority: bool) -> x509.Certificate:
    """What one says of the other."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject[0])
        .issuer_name(issuer[0])
        .public_key(subject[1].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(here, critical=False)
    return builder.sign(issuer[1], hashes.SHA256())
