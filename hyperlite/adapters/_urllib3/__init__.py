"""What stands in for urllib3's pools, connections and responses under requests."""
