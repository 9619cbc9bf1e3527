"""What a script finds beside its machines; mypy reads this above each of them."""

from contextlib import AbstractContextManager

from machine import QemuMachine


def start_all() -> None: ...


def subtest(name: str) -> AbstractContextManager[None]: ...  # type: ignore[empty-body]


