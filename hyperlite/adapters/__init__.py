"""hyperlite beneath other libraries."""
