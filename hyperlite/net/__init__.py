"""From a name to a connected socket, and how threads and processes share it."""
