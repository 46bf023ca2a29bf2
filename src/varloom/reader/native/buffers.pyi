from typing_extensions import Buffer

class NativeBuffer(Buffer):
    def __len__(self) -> int: ...
