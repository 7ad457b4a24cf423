"""What is special about a journal in two databases: whatever ends in between, nothing is lost and all is found."""
