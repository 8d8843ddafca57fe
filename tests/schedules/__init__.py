"""Which thread goes on when: one stands still at a line of hyperlite's, and the other one runs meanwhile."""
