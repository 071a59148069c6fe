"""Architectures of networks.

By role, for any detector:

- :mod:`.table`: dense networks, as EGBAD's for KDD99.
- :mod:`.image`: convolutional networks, as EGBAD's for MNIST.
- :mod:`.dcgan`: DCGANs, as GANomaly's.
- :mod:`.residual`: residual networks and critics for WGAN-GP, as f-AnoGAN's.
- :mod:`.unet`: U-nets, as Skip-GANomaly's.

For one detector:

- :mod:`.pairs`: ALAD's encoder and discriminators.
- :mod:`.likelihood`: the VAE's decoder, a likelihood for each kind of input.
- :mod:`.energy`: DSEBM's energies.
- :mod:`.sub_generators`: MO-GAAL's generators.
- :mod:`.patch`, :mod:`.pseudo`: PatchDiscriminator's network and its pseudo-anomalies.
"""
