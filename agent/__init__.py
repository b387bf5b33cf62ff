"""The research graph: plan, dispatch, integrate, write, verify; its state, events and sessions."""
