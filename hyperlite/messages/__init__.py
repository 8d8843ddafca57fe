"""What is said, on either protocol: requests, fields, responses and their rules."""
