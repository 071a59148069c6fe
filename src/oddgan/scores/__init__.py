"""The scores room."""
