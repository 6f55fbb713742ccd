"""The demo: all of Postroad on real servers, and a player who is every recipient at once."""
