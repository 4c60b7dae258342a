"""Certificate authorities and the certificates that they sign, as clusters and companies have them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Authority:
    """One certificate and its key. `plain`: without the identifiers and usages that RFC 5280 asks for."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    plain: bool = False
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def make(cls, name: str, *, plain: bool = False) -> Authority:
        """A root."""
        return cls._signed(name, None, plain=plain)

    def intermediate(self, name: str) -> Authority:
        """An authority below this one."""
        return self._signed(name, self, plain=self.plain)

    def server(self, hosts: list[str], common_name: str = "server") -> Authority:
        """A server's certificate for names and addresses; none of them: only a common name."""
        return self._signed(common_name, self, plain=self.plain, hosts=hosts)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        how: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            how = serialization.BestAvailableEncryption(passphrase)
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.pem())
        return path

    def context(self, folder: Path) -> ssl.SSLContext:
        """A server's TLS context with this certificate and the intermediates above it."""
        file = folder / "server.pem"
        file.write_bytes(
            self.pem() + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain) + self.key_pem()
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    @classmethod
    def _signed(cls, name: str, issuer: Authority | None, *, plain: bool, hosts: list[str] | None = None) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        signer = issuer.key if issuer else key
        is_authority = hosts is None
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer.certificate.subject if issuer else _name(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        if is_authority:
            # Not critical, as in the plain ones of old installers: RFC 5280 wants it critical.
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=not plain)
        if not plain:
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            usage = x509.KeyUsage(True, False, False, False, False, is_authority, is_authority, False, False)
            builder = builder.add_extension(usage, critical=True)
        if hosts:
            names = [_alternative(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        chain = (issuer.certificate, *issuer.chain) if issuer and issuer.chain_needed() else ()
        return cls(builder.sign(signer, hashes.SHA256()), key, plain, chain)

    def chain_needed(self) -> bool:
        """Whether a server has to send this one: a root it need not."""
        return self.certificate.issuer != self.certificate.subject


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
