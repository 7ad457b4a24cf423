"""What every store must do, told by the two ports alone: run unchanged on each backend, bare and behind its actors."""
