"""Backups of this house: what belongs to one, where it is kept, and how it is brought back."""
