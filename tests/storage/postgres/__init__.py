"""What is PostgreSQL's own: its server, its errors, its plans and its schema, all on a real server."""
