"""Codecs: raw samples to tensors for the networks, and back."""
