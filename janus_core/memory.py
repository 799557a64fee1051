"""How much memory there is."""

from pathlib import Path


def available_memory() -> int:
    """Bytes that can be used without swapping, within the container's limit."""
    available = 4 << 30
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists():
        text = limit.read_text(encoding="ascii").strip()
        if text.isdigit():
            available = min(available, int(text))
    return available
