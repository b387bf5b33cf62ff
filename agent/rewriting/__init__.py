"""Other queries for a question: strategies, what of them is trusted, and which of them pays."""
