"""Patches: large images, cut for networks that see one patch at a time.

In the order that an image passes them:

- `codec`: `PatchCodec`, which scales and resizes an image and corrects its illumination;
- `illumination`: the illumination correction, and its inverse;
- `patches`: `PatchedImage`, which cuts an image into patches and blends their maps;
- `source`: `Patches`, patches at random locations for training.
"""
