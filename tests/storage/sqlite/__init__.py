"""What only a SQLite file does: its settings, its threads, its schema, its plans and its faults."""
