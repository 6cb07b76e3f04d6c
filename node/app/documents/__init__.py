"""Documents in and out: submitted, checked, taken with their effects, and the orders that they make."""
