"""Real broker and database for tests, throw-away and quick."""
