"""A batch-size study for people: a table in the terminal, pictures, and one page for the browser."""
