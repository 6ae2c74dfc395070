"""How Tamga is put on a machine of its own: images, containers, and what their operator runs."""
