"""Small images in files' formats, made without a library of images but where a format needs one."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def png(pixels: np.ndarray) -> bytes:
    """8-bit grey [height, width] or colour [height, width, 3] as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def huge_png(height: int = 50_000, width: int = 50_000) -> bytes:
    """A PNG file whose header claims so many pixels, in a hundred bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def cmyk_jpeg(pixels: np.ndarray) -> bytes:
    """Colour [height, width, 3] as a JPEG file of four inks."""
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert("CMYK").save(file, "JPEG", quality=95)
    return file.getvalue()


def animated_gif(first: np.ndarray, second: np.ndarray) -> bytes:
    """Two frames of 8-bit grey as a GIF file."""
    file = io.BytesIO()
    frames = [Image.fromarray(pixels.astype(np.uint8)) for pixels in (first, second)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()
