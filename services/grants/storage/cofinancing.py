"""Tables and queries of co-financing."""
