"""What is said to Redis, with the replies made by hand."""
