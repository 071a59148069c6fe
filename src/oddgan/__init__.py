"""OddGAN: anomaly detection with generative adversarial networks, in images and in tables."""
