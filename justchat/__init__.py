"""JustChat, the product: wire protocol, rooms, connections, accounts, REST, front door, pages, command line, client."""

__version__ = "0.1.0"
