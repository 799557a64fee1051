"""Makes data/digits: scikit-learn's handwritten digits on a larger canvas, each with its box.

The digits are from the test set of the UCI data set "Optical Recognition of Handwritten Digits" (E. Alpaydin and
C. Kaynak, 1998), which ships inside scikit-learn. Each is enlarged, put three times at a place of the canvas by chance,
and written as a PNG file in a column of bytes; `sample` says which rows are of the same digit.
"""

import struct
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
from _tables import argument_parser, sample_rows, write_parquet
from sklearn.datasets import load_digits

SEED = 7
CANVAS = 32
SCALE = 2
COPIES = 3
NOISE = 20

SCHEMA = pa.schema({"sample": pa.int64(), "image": pa.binary(), "digit": pa.int64(), "box": pa.list_(pa.float32())})


def prepare(rows: int | None) -> pd.DataFrame:
    """A row per digit and copy."""
    digits = load_digits()
    # RandomState: its stream is frozen, that of default_rng may change between numpy's versions
    random = np.random.RandomState(SEED)
    samples = np.tile(np.arange(len(digits.images)), COPIES)
    placed = [_placed(digits.images[sample], random) for sample in samples]
    frame = pd.DataFrame(
        {
            "sample": samples,
            "image": [png for png, _ in placed],
            "digit": digits.target[samples],
            "box": [box for _, box in placed],
        }
    )
    return sample_rows(frame, rows, SEED)


def _placed(image: np.ndarray, random: np.random.RandomState) -> tuple[bytes, list[float]]:
    """A canvas as PNG, and the box around the digit's ink: top, left, bottom, right as shares of the canvas."""
    large = np.kron(image * (255 / 16), np.ones((SCALE, SCALE)))
    top, left = random.randint(CANVAS - len(large) + 1, size=2)
    canvas = random.uniform(0, NOISE, size=(CANVAS, CANVAS))
    canvas[top : top + len(large), left : left + len(large)] += large
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    box = [top + rows[0], left + columns[0], top + rows[-1] + 1, left + columns[-1] + 1]
    return _png(np.clip(canvas, 0, 255).astype(np.uint8)), [float(edge) / CANVAS for edge in box]


def _png(grey: np.ndarray) -> bytes:
    """An image of 8-bit grey as a PNG file."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    height, width = grey.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), grey], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def main() -> None:
    """Parses the command line, prepares and writes."""
    arguments = argument_parser(__doc__, "data/digits").parse_args()
    write_parquet(prepare(arguments.rows), SCHEMA, arguments.output / f"{arguments.output.name}.parquet")


if __name__ == "__main__":
    main()
