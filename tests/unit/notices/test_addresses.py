"""Notices go to names on the public internet, over https."""

import pytest

from shared.domain.notices.webhooks import host_of, is_public

PRIVATE = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "0.0.0.0",  # noqa: S104 - an address that must be refused
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "fc00::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_address_is_admitted(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.contoso.example/",
        "https://hooks.contoso.example:8443/",
        "https://hooks.contoso.example:99999/",
        "https://ada:secret@hooks.contoso.example/",
        "https://hooks.contoso.example/#part",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1./",
        "https://[::1]/",
        "https://",
        "ftp://hooks.contoso.example/",
    ],
)
def test_address_that_no_notice_is_sent_to(url: str) -> None:
    assert host_of(url, local=False) is None


def test_host_of_an_address_is_shown_without_its_path() -> None:
    assert host_of("https://Hooks.Contoso.example/x?y=z", local=False) == "hooks.contoso.example"
    assert host_of("https://hooks.contoso.example:443/", local=False) == "hooks.contoso.example"


def test_only_a_local_service_sends_to_this_machine() -> None:
    assert host_of("http://127.0.0.1:8080/hook", local=True) == "127.0.0.1:8080"
    assert host_of("http://127.0.0.1:8080/hook", local=False) is None
