"""Wide tables: a question that asks for many rows, answered cell by cell, each with its words."""
