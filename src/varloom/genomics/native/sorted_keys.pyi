from typing_extensions import Buffer

ANY: int
NOT_TRIMMED: int
NOT_MOVED: int

def put_keys(
    position: Buffer,
    ref_offsets: Buffer,
    ref: Buffer,
    alt_offsets: Buffer,
    alt: Buffer,
    last_position: int,
    kind: int,
    keys: Buffer,
) -> None: ...
def put_places(known: Buffer, keys: Buffer, places: Buffer) -> int: ...
