"""How far work is: events, and who shows them."""
