"""REST, pages and health: a Quart-Trio app built over a running system. A leaf: it owns no task and no state."""
