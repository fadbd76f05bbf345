"""Lets Pillow write HEIC, with a package that the product does without. What reads it stays the product's."""

import pi_heif
import pillow_heif

pillow_heif.register_heif_opener()
pi_heif.register_heif_opener()  # the last one reads
