"""`tf.train`: optimizers, learning-rate decays, checkpoints."""

from __future__ import annotations

from flambeau.tf1.train.averages import ExponentialMovingAverage
from flambeau.tf1.train.decays import (
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    natural_exp_decay,
    piecewise_constant,
    polynomial_decay,
)
from flambeau.tf1.train.global_step import (
    create_global_step,
    get_global_step,
    get_or_create_global_step,
    global_step,
)
from flambeau.tf1.train.optimizer import Optimizer
from flambeau.tf1.train.optimizers import (
    AdadeltaOptimizer,
    AdagradOptimizer,
    AdamOptimizer,
    GradientDescentOptimizer,
    MomentumOptimizer,
    RMSPropOptimizer,
)
from flambeau.tf1.train.saver import (
    CheckpointState,
    Saver,
    checkpoint_exists,
    get_checkpoint_state,
    latest_checkpoint,
    list_variables,
    load_variable,
)
