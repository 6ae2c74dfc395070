"""Finds or starts a broker and a database: given URLs, containers, private local instances."""
