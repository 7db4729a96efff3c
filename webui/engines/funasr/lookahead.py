"""Preparing the next group of a sequence in other threads while the caller is busy with the one before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def prepared(groups: Sequence[Sequence[T]], prepare: Callable[[T], R], threads: int) -> Generator[list[R], None, None]:
    """`prepare` of every item, group by group in order, one group ahead of the caller; `threads` 0 = none of it ahead.

    What `prepare` raises is raised when its group's turn comes. Close the iterator: no thread outlives it.
    """
    if threads == 0 or sum(map(len, groups)) <= 1:
        yield from ([prepare(item) for item in group] for group in groups)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
    try:
        coming = [pool.submit(prepare, item) for item in groups[0]]
        for following in (*groups[1:], ()):
            ready = [future.result() for future in coming]
            coming = [pool.submit(prepare, item) for item in following]
            yield ready
    finally:
        pool.shutdown(cancel_futures=True)
