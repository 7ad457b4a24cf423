"""Whose word is taken for where a caller is, and what counts as one address."""

from __future__ import annotations

import logging

import pytest

from justchat.limiting.addresses import Proxies, address_group, is_loopback

CALLER, PROXY, FRONT = "203.0.113.9", "10.0.0.1", "10.0.0.2"
TRUSTED = Proxies(("10.0.0.0/8", "2001:db8:ffff::/48"))


@pytest.mark.parametrize(
    ("peer", "header", "caller"),
    [
        (PROXY, CALLER, CALLER),
        (PROXY, f"  {CALLER}  ", CALLER),
        (PROXY, None, PROXY),
        # Two proxies of ours: the last stranger is the caller, and what it claimed itself is not looked at.
        (PROXY, f"{CALLER}, {FRONT}", CALLER),
        (PROXY, f"127.0.0.1, {CALLER}, {FRONT}", CALLER),
        (PROXY, f"127.0.0.1,{CALLER}", CALLER),
        (PROXY, f"<script>, {CALLER}", CALLER),
        # All of them are ours: the one farthest away asked.
        (PROXY, f"10.9.9.9, {FRONT}", "10.9.9.9"),
        # Ports and brackets, as some proxies write them.
        (PROXY, f"{CALLER}:51234", CALLER),
        (PROXY, "[2001:db8::7]:443", "2001:db8::7"),
        (PROXY, "[2001:db8::7]", "2001:db8::7"),
        (PROXY, "2001:DB8::7", "2001:db8::7"),
        (PROXY, f"::ffff:{CALLER}", CALLER),
        ("2001:db8:ffff::1", CALLER, CALLER),
        (f"::ffff:{PROXY}", CALLER, CALLER),
    ],
)
def test_a_chain_of_trusted_proxies_is_followed_to_the_first_stranger(
    peer: str, header: str | None, caller: str
) -> None:
    """Read from the right, past proxies of ours, and no further than the first that is none."""
    assert TRUSTED.caller(peer, header) == caller


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", ",", "unknown", "_hidden", "localhost", "203.0.113", "203.0.113.9.1", "1.2.3.4:", "1.2.3.4:x"),
        *("1.2.3.4:-1", "1.2.3.4:999999", "[1.2.3.4]", "[::1", "[::1]x", "::1]:80", "fe80::1%eth0", "10.0.0.0/8"),
        *("1.2.3.4;5.6.7.8", "٣.1.1.1", "1" * 4000, f"{CALLER}, rubbish, {FRONT}", f"{CALLER}, "),
    ],
)
def test_a_header_without_an_address_where_one_is_needed_is_no_evidence(header: str) -> None:
    """The caller is then the proxy itself, which is strict for its callers and spoils nothing for others."""
    assert TRUSTED.caller(PROXY, header) == PROXY


@pytest.mark.parametrize("proxies", [Proxies(()), Proxies(("10.0.0.0/8",))])
@pytest.mark.parametrize("header", [None, "127.0.0.1", f"{FRONT}, {PROXY}", "rubbish"])
def test_a_stranger_may_claim_what_it_likes(proxies: Proxies, header: str | None) -> None:
    """From anybody but a trusted proxy the header means nothing."""
    assert proxies.caller(CALLER, header) == CALLER
    assert not proxies.trusts(CALLER)


def test_a_peer_that_is_no_address_is_passed_on() -> None:
    """There is none to be had behind some sockets."""
    assert TRUSTED.caller("<local>", CALLER) == "<local>"
    assert not TRUSTED.trusts("<local>")


def test_an_ignored_header_is_told_to_the_operator_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever forgot the setting finds it in the log, and a flood of requests does not fill the log."""
    proxies = Proxies(())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            proxies.caller(PROXY, "a secret\nline")
    assert caplog.messages == [f"event=forwarded_for_ignored peer={PROXY} setting=trusted_proxies"]


@pytest.mark.parametrize(
    ("peer", "header", "scheme"),
    [
        (PROXY, "https", "https"),
        (PROXY, " HTTPS , http", "https"),
        (PROXY, "http", "http"),
        (PROXY, "ftp", None),
        (PROXY, None, None),
        (CALLER, "https", None),
    ],
)
def test_only_a_trusted_proxy_tells_the_scheme(peer: str, header: str | None, scheme: str | None) -> None:
    """The first of several is what the caller spoke; of a stranger it is not known."""
    assert TRUSTED.scheme(peer, header) == scheme


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("a unix socket", "a unix socket"),
    ],
)
def test_what_one_customer_can_choose_from_is_one_address(address: str, group: str) -> None:
    """An IPv6 caller has 2**64 addresses and still only one quota."""
    assert address_group(address) == group


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), (CALLER, False), ("", False)],
)
def test_this_machine_is_known_by_all_of_its_names(address: str, here: bool) -> None:
    """Loopback in both families, also mapped from one into the other."""
    assert is_loopback(address) is here
