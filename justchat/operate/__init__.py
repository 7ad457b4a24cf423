"""What operators do with a whole site besides serving it: check its projections, and move it into another store."""
