"""The quotas of REST, made from the configuration, and what each request counts as."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from justchat.config.settings import Config
from justchat.limiting.quota import Quota, Quotas

# Busy callers of one process. At some hundred bytes each, all of the tables full are about 30 MB.
_KEYS_MAX = 20_000


class RateClass(StrEnum):
    """What a request counts as. The first four count by user, the last by address.

    A session is renewed and ended by secrets that nobody can guess: that needs no guard for the address, behind which
    there may be a whole office.
    """

    READ = "read"
    WRITE = "write"
    SEARCH = "search"
    SESSION = "session"
    AUTH = "auth"


class RequestQuotas(Struct, frozen=True):
    """The quotas by class, and `address` for whoever does not say who calls."""

    by_class: dict[RateClass, Quotas]
    address: Quotas


def request_quotas(config: Config) -> RequestQuotas:
    """Make the quotas that are configured."""
    rates = {
        RateClass.READ: config.read_rate,
        RateClass.WRITE: config.write_rate,
        RateClass.SEARCH: config.search_rate,
        RateClass.SESSION: config.session_rate,
        RateClass.AUTH: config.auth_rate,
    }
    return RequestQuotas(
        by_class={kind: _quotas(kind.value, rate) for kind, rate in rates.items()},
        address=_quotas("address", config.address_rate),
    )


def _quotas(name: str, per_minute: float) -> Quotas:
    # Requests come whole.
    return Quotas(Quota(name, max(1, int(per_minute))), keys_max=_KEYS_MAX)
