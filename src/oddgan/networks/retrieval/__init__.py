"""Networks that compare a sample with its neighbours among training rows."""
