"""Owns time: places every next step, emits due steps, settles outcomes."""
