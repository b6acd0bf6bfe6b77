"""`tf.random`: random tensors under the names of later versions of TensorFlow 1."""

from __future__ import annotations

from flambeau.tf1.randoms import multinomial, set_random_seed, truncated_normal
from flambeau.tf1.randoms import random_normal as normal
from flambeau.tf1.randoms import random_shuffle as shuffle
from flambeau.tf1.randoms import random_uniform as uniform
