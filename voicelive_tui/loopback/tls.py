"""TLS for the service: the user's certificate, or a self-signed one generated at the start."""

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

from voicelive_tui.errors import UserError

_DAYS = 30


class TlsError(UserError):
    """A certificate that cannot be used."""


def from_files(cert: str, key: str) -> ssl.SSLContext:
    """The context of a certificate and its key, both PEM. Raises `TlsError` where they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in (cert, key):
        if not Path(path).is_file():
            raise TlsError(f"there is no file {path}")
    try:
        context.load_cert_chain(cert, key, password="")  # an empty password, so that OpenSSL does not ask for one
    except (OSError, ValueError) as error:
        raise TlsError(f"cannot use the certificate {cert} with the key {key}: {error}") from None
    return context


def self_signed(host: str) -> tuple[ssl.SSLContext, str]:
    """A context with a fresh certificate for `localhost` and `host`, and the certificate as PEM.

    The key is never kept: it is on disk for a moment, readable by its owner only, since `ssl` reads files.
    """
    # Imported here: only `--tls` needs them, and they take 50 ms.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "voicelive-tui loopback")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    for address in dict.fromkeys(("127.0.0.1", "::1", host)):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            if address != "localhost":
                names.append(x509.DNSName(address))
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = cert.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory(prefix="voicelive-tui-") as folder:  # mode 0700
        chain = Path(folder, "chain.pem")
        chain.touch(0o600)
        chain.write_bytes(pem + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
    return context, pem.decode()
