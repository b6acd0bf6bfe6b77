"""Datasets, samplers, collation and loaders."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

import flambeau
from flambeau.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)


class Squares(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return index, float(index**2)


class Count(IterableDataset):
    def __init__(self, stop):
        self.stop = stop

    def __iter__(self):
        return iter(range(self.stop))

    def __len__(self):
        return self.stop


def test_batches_of_a_dataset():
    batches = list(DataLoader(Squares(), batch_size=3))
    assert [index.tolist() for index, _ in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches[0][1].tolist() == [0, 1, 4]
    assert batches[0][1].dtype is flambeau.float64
    assert len(list(DataLoader(Squares(), batch_size=3, drop_last=True))) == 2
    assert next(iter(DataLoader(Squares(), batch_size=None))) == [0, 0.0]
    assert len(DataLoader(Squares(), batch_size=3)) == 3


def test_shuffling_is_reproducible_and_complete():
    def order():
        flambeau.manual_seed(3)
        return [i for index, _ in DataLoader(Squares(), 2, shuffle=True) for i in index.tolist()]

    assert order() == order() != list(range(7))
    assert sorted(order()) == list(range(7))
    loader = DataLoader(Squares(), 7, shuffle=True)
    first, second = (next(iter(loader))[0].tolist() for _ in range(2))
    assert first != second


def test_tensor_dataset_batches_equal_collated_samples():
    x = flambeau.arange(20.0).view(10, 2)
    data = TensorDataset(x, flambeau.arange(10))
    part = Subset(data, [9, 3, 5])
    (fast,) = DataLoader(part, batch_size=3)
    slow = default_collate([part[i] for i in range(3)])
    assert all(flambeau.equal(a, b) for a, b in zip(fast, slow, strict=True))
    assert [kind.dtype for kind in fast] == [flambeau.float32, flambeau.int64]
    with pytest.raises(AssertionError, match="Size mismatch"):
        TensorDataset(x, flambeau.ones(3))


def test_streams():
    batches = list(DataLoader(Count(5), batch_size=2))
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert len(DataLoader(Count(5), batch_size=2, drop_last=True)) == 2
    assert list(DataLoader(Count(2), batch_size=None)) == [0, 1]
    assert list(ChainDataset([Count(2), Count(1)])) == [0, 1, 0]
    assert list(Count(1) + Count(2)) == [0, 0, 1]
    with pytest.raises(ValueError, match="expected unspecified shuffle"):
        DataLoader(Count(5), shuffle=True)


def test_joining_and_dividing():
    joined = Squares() + Squares()
    assert isinstance(joined, ConcatDataset)
    assert len(joined) == 14
    assert joined[8] == joined[-6] == (1, 1.0)
    with pytest.raises(ValueError, match="absolute value of index"):
        joined[-15]
    assert StackDataset(a=[1, 2], b=[3, 4])[1] == {"a": 2, "b": 4}
    parts = random_split(range(10), [3, 7])
    assert sorted(i for part in parts for i in part) == list(range(10))
    assert [len(part) for part in random_split(range(10), [0.25, 0.25, 0.5])] == [3, 2, 5]
    with pytest.raises(ValueError, match="does not equal the length"):
        random_split(range(10), [3, 3])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(1), [1.0, 0.0])


def test_samplers():
    flambeau.manual_seed(0)
    assert sorted(RandomSampler(range(5))) == list(range(5))
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=70))
    assert len(drawn) == 70
    assert set(drawn) == {0, 1, 2}
    assert len(list(RandomSampler(range(3), num_samples=7))) == 7
    assert sorted(SubsetRandomSampler([4, 2])) == [2, 4]
    assert set(WeightedRandomSampler([0.0, 1.0, 1.0], 50)) == {1, 2}
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, drop_last=False)) == 3
    with pytest.raises(ValueError, match="positive integer"):
        RandomSampler(range(3), num_samples=0)
    generators = [flambeau.Generator() for _ in range(2)]
    for generator in generators:
        generator.manual_seed(1)
    first, second = (list(RandomSampler(range(9), generator=g)) for g in generators)
    assert first == second


def test_collation_keeps_the_structure():
    Pair = namedtuple("Pair", "x y")
    samples = [
        {"a": np.float32(1), "b": [2, "s"], "c": Pair(np.ones(2), (True,))} for _ in range(2)
    ]
    batch = default_collate(samples)
    assert batch["a"].dtype is flambeau.float32
    assert batch["b"][0].tolist() == [2, 2]
    assert batch["b"][1] == ("s", "s")
    assert batch["c"].x.shape == (2, 2)
    assert batch["c"].y[0].tolist() == [True, True]
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="must contain tensors"):
        default_collate([object()])
    converted = default_convert({"a": np.ones(1), "b": (1, "s")})
    assert converted["a"].tolist() == [1]
    assert converted["b"] == [1, "s"]


def test_a_batch_sampler_or_collation_of_ones_own():
    loader = DataLoader(Squares(), batch_sampler=[[0, 6], [3]], collate_fn=list)
    assert list(loader) == [[(0, 0.0), (6, 36.0)], [(3, 9.0)]]
    assert len(loader) == 2
    assert [i.item() for i, _ in DataLoader(Squares(), sampler=[5, 1])] == [5, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_workers": -1}, "non-negative"),
        ({"timeout": -1}, "non-negative"),
        ({"persistent_workers": True}, "num_workers > 0"),
        ({"sampler": [0], "shuffle": True}, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "disables auto-batching"),
        ({"batch_size": 0}, "positive integer"),
    ],
)
def test_settings_that_contradict(settings, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(Squares(), **settings)


def test_settings_are_fixed_after_construction():
    loader = DataLoader(Squares(), num_workers=2, pin_memory=True)
    with pytest.raises(ValueError, match="should not be set"):
        loader.batch_size = 5
    assert len(list(loader)) == 7
