"""Other clients beside hyperlite, against the hostile cases: `make hostile-clients` writes the page."""
