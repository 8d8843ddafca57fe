"""Many fetches at a time."""
