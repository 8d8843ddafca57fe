"""What the programs of `programs/` ask for: what the real service would answer, one module for each."""
