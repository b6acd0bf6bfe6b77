"""`tf.nn`: activations, losses and lookups. Convolution, pooling and recurrent cells come later."""

from __future__ import annotations

from flambeau.tf1.elementwise import (
    elu,
    leaky_relu,
    log_sigmoid,
    relu,
    relu6,
    selu,
    sigmoid,
    softplus,
    softsign,
    swish,
    tanh,
)
from flambeau.tf1.nn.basic import (
    batch_normalization,
    bias_add,
    crelu,
    dropout,
    embedding_lookup,
    in_top_k,
    l2_loss,
    log_softmax,
    moments,
    softmax,
    top_k,
    xw_plus_b,
    zero_fraction,
)
from flambeau.tf1.nn.cross_entropy import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from flambeau.tf1.nn.sampled import (
    log_uniform_candidate_sampler,
    nce_loss,
    sampled_softmax_loss,
    uniform_candidate_sampler,
)
from flambeau.tf1.reductions import l2_normalize
