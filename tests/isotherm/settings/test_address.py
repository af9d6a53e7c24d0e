from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.settings.address import Address, parse_address, parse_host_port

SCHEMES = {"mqtt": 1883, "mqtts": 8883}


@pytest.mark.parametrize(
    ("text", "address"),
    (
        ("mqtt://broker", Address("mqtt", "broker", 1883)),
        ("mqtts://broker/", Address("mqtts", "broker", 8883)),
        ("mqtt://10.0.0.7:1884", Address("mqtt", "10.0.0.7", 1884)),
        ("mqtt://[::1]:1884", Address("mqtt", "::1", 1884)),
        ("mqtt://[fe80::1]", Address("mqtt", "fe80::1", 1883)),
        ("mqtt://[fe80::1%br-LAN.7]", Address("mqtt", "fe80::1%br-LAN.7", 1883)),
        ("mqtt://Broker.Example", Address("mqtt", "broker.example", 1883)),
        ("mqtt://ann@broker", Address("mqtt", "broker", 1883, "ann")),
        ("mqtt://ann%40home@broker", Address("mqtt", "broker", 1883, "ann@home")),
    ),
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text, SCHEMES) == address


@pytest.mark.parametrize(
    "text",
    (
        "",
        "broker",
        "broker:1883",
        "http://broker",
        "mqtt:/broker",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://broker:0",
        "mqtt://broker:65536",
        "mqtt://broker:x",
        "mqtt://broker:-1",
        "mqtt://broker/topic",
        "mqtt://broker?x=1",
        "mqtt://broker#x",
        "mqtt://[::1",
        "mqtt://[broker]x:1",
    ),
)
def test_what_is_no_address_is_answered_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|a number from 1 to 65535"):
        parse_address(text, SCHEMES)


@pytest.mark.parametrize("host", ("broker", "[::1", "bro\u2100ker", "broker:x", ""))
def test_a_password_is_refused_and_never_repeated(host: str) -> None:
    with pytest.raises(ValueError, match=r"password|HOST") as caught:
        parse_address(f"mqtt://ann:s3cret@{host}", SCHEMES)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    (
        ("kafka:9092", Address("", "kafka", 9092)),
        ("127.0.0.1:1", Address("", "127.0.0.1", 1)),
        ("[::1]:65535", Address("", "::1", 65535)),
        ("kafka", Address("", "kafka", 9092)),
    ),
)
def test_hosts_and_ports(text: str, address: Address) -> None:
    assert parse_host_port(text, 9092) == address


@pytest.mark.parametrize(
    "text",
    (
        "",
        ":9092",
        "kafka:0",
        "kafka:65536",
        "kafka:x",
        "kafka:9092/x",
        "kafka://kafka:9092",
        "ann@kafka:9092",
        "ann:s3cret@kafka:9092",
        "::1",
    ),
)
def test_what_is_no_host_and_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|a number from 1 to 65535") as caught:
        parse_host_port(text, 9092)
    assert "s3cret" not in str(caught.value)


def test_a_port_may_be_required() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_host_port("kafka")


hosts = st.from_regex(
    r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9]{0,5})?", fullmatch=True
) | st.ip_addresses(v=6).map(str)


@given(
    hosts,
    st.integers(1, 65535),
    st.none() | st.text(st.characters(codec="utf-8", min_codepoint=33), min_size=1),
)
def test_an_address_reads_back_as_it_is_shown(host: str, port: int, username: str | None) -> None:
    address = Address("mqtt", host, port, username)
    assert parse_address(str(address), SCHEMES) == address
    bare = Address("", host, port)
    assert parse_host_port(str(bare)) == bare
