"""Files: graphs that run without the program that made them."""
