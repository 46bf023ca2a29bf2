import numpy as np
from numpy.typing import NDArray

ANY: int
NOT_TRIMMED: int
NOT_MOVED: int

def put_keys(
    position: NDArray[np.int64],
    ref_offsets: NDArray[np.int32],
    ref: NDArray[np.uint8],
    alt_offsets: NDArray[np.int32],
    alt: NDArray[np.uint8],
    last_position: int,
    kind: int,
    keys: NDArray[np.int64],
) -> None: ...
def put_places(known: NDArray[np.int64], keys: NDArray[np.int64], places: NDArray[np.int64]) -> int: ...
