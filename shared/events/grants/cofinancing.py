"""What happens to a co-financing agreement with a lead firm."""
