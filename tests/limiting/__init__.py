"""Quotas, paces, addresses, sockets and origins: pure, with times that the tests choose."""
