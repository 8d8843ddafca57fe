"""What requests cost: hyperlite beside its peers (`make bench`), and where the time goes (`make profile`)."""
