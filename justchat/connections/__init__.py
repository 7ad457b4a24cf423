"""Connections: one per socket, with its subscriptions, its catch-up from the journal, and the sweep over all."""
