"""What is MongoDB's own: documents, inserts without a transaction, its errors and its checks, on a real server."""
