"""Backups: one moment of several databases and what belongs to them, in one sealed file, and the way back."""
