"""What happens to a grant application, its reviews and its award."""
