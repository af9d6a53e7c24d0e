"""What a broker means that answers but refuses access, with the setting that mends it."""

from __future__ import annotations

import re
from typing import Final

_NOISE: Final = re.compile(r" \((?:after \d+ms in state \w+|_ssl\.c:\d+)\)")

# In the order in which they are looked for, in the words of OpenSSL, Python, Java and all three
# Kafka clients.
_MEANINGS: Final = (
    (
        r"(?:hostname|ip address) mismatch|no subject alternative|no name matching",
        "its certificate is for another host name than the one in {section}.{address}",
    ),
    (
        r"certificate has expired|CertificateExpired|validity check failed",
        "its certificate has expired",
    ),
    (
        # OpenSSL 3: X509_V_FLAG_X509_STRICT (RFC 5280), and security levels above 0.
        (
            r"missing (?:authority|subject) key identifier|does not include key usage"
            r"|basic constraints of ca cert not|invalid ca certificate"
            r"|key too (?:small|weak)|(?:md|algorithm) too weak|unsuitable certificate purpose"
        ),
        (
            "its certificate, or that of its authority, is not made as a TLS library of today "
            "wants it (RFC 5280; key length, extensions): have it made anew"
        ),
    ),
    (
        # librdkafka says the same twice: with the first words, and with OpenSSL's alone.
        r"certificate could not be verified|certificate verify failed(?!: )",
        "its certificate is not signed by an authority in {section}.ca_file, or has another name",
    ),
    (
        r"certificate.verify.failed|PKIX path|valid certification path",
        "its certificate is not signed by an authority in {section}.ca_file",
    ),
    (
        r"alert:? (?:certificate|bad.certificate|unknown.ca|handshake.failure)",
        "it wants a client certificate that it trusts: {section}.cert_file, {section}.key_file",
    ),
    (r"wrong version number|unrecognized SSL message", "it does not speak TLS at this port"),
    (
        r"mechanism handshake failed|UnsupportedSaslMechanism|IllegalSaslState",
        "it does not take {section}.sasl_mechanism; ask its operator which it does",
    ),
    (
        r"authentication error|AuthenticationFailed|SaslAuthentication",
        "it does not take {section}.username with the password in {section}.password_file",
    ),
)


def refusal(section: str, words: str) -> str | None:
    """A sentence for a person, with the library's words behind it.

    Args:
        section: of the settings: ``mqtt`` or ``kafka``.
        words: what the library says.

    Returns:
        None if it is no refusal: the broker is away, or whatever else may pass by itself.
    """
    address = "url" if section == "mqtt" else "brokers"
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, words, re.IGNORECASE):
            return f"{meaning.format(section=section, address=address)}: {_NOISE.sub('', words)}"
    return None
