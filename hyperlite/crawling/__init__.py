"""crawl(): many URLs, in a way that survives the end of the process."""
