"""Demonstration data: a made genome, and what publishers would say of it, in their formats; nothing in it is real."""
