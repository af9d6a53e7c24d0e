"""A mosquitto and a Kafka that demand certificates and passwords, beside a plain listener each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Self

from deploy.local.ports import LOOPBACK
from deploy.local.process import Guard
from deploy.local.services.kafka import Kafka, create_topics
from deploy.local.services.mosquitto import Mosquitto
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

USER: Final = "bridge"
PASSWORD: Final = "Tell-Nobody 1% 'secret'"  # noqa: S105 of a broker that lives for a test


class SecureMosquitto(Mosquitto):
    """Listeners: plain; TLS; TLS under a wrong name; TLS for clients with a certificate."""

    usual_ports: ClassVar[tuple[int, ...]] = (0, 0, 0, 0)

    def configure(self, *ports: int) -> None:
        """Add the listeners that demand TLS."""
        super().configure(*ports)
        self.listeners = dict(zip(("plain", "tls", "elsewhere", "mutual"), ports, strict=True))
        with self._config.open("a", encoding="utf-8") as config:
            for name, port in list(self.listeners.items())[1:]:
                server = self.folder.parent / (
                    "elsewhere.pem" if name == "elsewhere" else "server.pem"
                )
                config.write(f"\nlistener {port} {LOOPBACK}\ncertfile {server}\nkeyfile {server}\n")
                config.write(f"cafile {self.folder.parent / 'ca.pem'}\n")
                if name == "mutual":
                    config.write("require_certificate true\n")


class SecureKafka(Kafka):
    """Listeners: plain; SSL for clients with a certificate; SASL_SSL; SASL_PLAINTEXT."""

    usual_ports: ClassVar[tuple[int, ...]] = (0, 0, 0, 0, 0)
    format_options: ClassVar[tuple[str, ...]] = tuple(
        word
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for word in ("--add-scram", f'{mechanism}=[name="{USER}",password="{PASSWORD}"]')
    )

    def properties(self, *ports: int) -> str:
        """The profile with further listeners."""
        port, controller, ssl, sasl_ssl, sasl_plaintext = ports
        self.listeners = {"SSL": ssl, "SASL_SSL": sasl_ssl, "SASL_PLAINTEXT": sasl_plaintext}
        addresses = {"PLAINTEXT": port, **self.listeners}
        advertised = ",".join(f"{name}://{LOOPBACK}:{at}" for name, at in addresses.items())
        folder = self.folder.parent
        lines = [
            super().properties(port, controller),
            f"listeners={advertised},CONTROLLER://{LOOPBACK}:{controller}",
            f"advertised.listeners={advertised}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,"
            + ",".join(f"{name}:{name}" for name in addresses),
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={folder / 'server.pem'}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={folder / 'ca.pem'}",
            "listener.name.ssl.ssl.client.auth=required",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        ]
        jaas = "sasl.jaas.config=org.apache.kafka.common.security"
        user = f'user_{USER}="{PASSWORD}"'
        for prefix in ("listener.name.sasl_ssl", "listener.name.sasl_plaintext"):
            lines += [
                f"{prefix}.plain.{jaas}.plain.PlainLoginModule required {user};",
                f"{prefix}.scram-sha-256.{jaas}.scram.ScramLoginModule required;",
                f"{prefix}.scram-sha-512.{jaas}.scram.ScramLoginModule required;",
            ]
        return "\n".join(lines) + "\n"


class SecureBrokers:
    """Both, with the certificates that they show and demand.

    Args:
        folder: for everything.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = Authority(folder, "ca")
        self.authority = authority.file
        self.stranger = Authority(folder, "stranger").file
        authority.issue("server", LOOPBACK, "localhost")
        authority.issue("elsewhere", "broker.example.org")
        self.client = authority.issue("client")
        self._guard = Guard()
        self._mosquitto = SecureMosquitto(folder, self._guard, None, usual_ports=False)
        self._kafka = SecureKafka(folder, self._guard, None, usual_ports=False, report=print)

    def __enter__(self) -> Self:
        try:
            for service in (self._mosquitto, self._kafka):
                service.prepare()
                service.launch()
            for service in (self._mosquitto, self._kafka):
                service.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.stop(kill=True)
        self._mosquitto.stop(kill=True)
        self._guard.close()

    @property
    def plain_kafka(self) -> str:
        """For looking in from outside."""
        return f"{LOOPBACK}:{self._kafka.port}"

    @property
    def plain_mqtt(self) -> str:
        """For publishing."""
        return self.mqtt("plain")

    def mqtt(self, listener: str) -> str:
        """The address of a listener of mosquitto."""
        scheme = "mqtt" if listener == "plain" else "mqtts"
        return f"{scheme}://{LOOPBACK}:{self._mosquitto.listeners[listener]}"

    def kafka(self, protocol: str) -> str:
        """The address of a listener of Kafka."""
        return f"{LOOPBACK}:{self._kafka.listeners[protocol]}"

    def create_topics(self, *names: str) -> None:
        """As `Stack.create_topics`."""
        create_topics(self.plain_kafka, dict.fromkeys(names, 1))
