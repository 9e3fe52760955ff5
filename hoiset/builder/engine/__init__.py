"""Units of work: what is cached, what is done, and what runs them."""
