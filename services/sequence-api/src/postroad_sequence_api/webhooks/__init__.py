"""Outbound webhooks: events become deliveries, deliveries are signed and posted until the receiver has them."""
