"""One encoder per kind of feature: its preprocessing in Transform, and its layers in the network.

A new kind is one module and one line in `ENCODERS`.
"""

from trainer.encoders import categorical, cyclical, datetime, hashed, image, numeric, sequence, set, text, vector
from trainer.encoders.base import Encoder

ENCODERS: dict[str, Encoder] = {
    "numeric": Encoder(numeric.preprocess, numeric.encode),
    "categorical": Encoder(categorical.preprocess, categorical.encode),
    "hashed": Encoder(hashed.preprocess, hashed.encode),
    "cyclical": Encoder(cyclical.preprocess, cyclical.encode),
    "vector": Encoder(vector.preprocess, vector.encode),
    "datetime": Encoder(datetime.preprocess, datetime.encode, datetime.missing),
    "text": Encoder(text.preprocess, text.encode),
    "set": Encoder(set.preprocess, set.encode, set.missing),
    "image": Encoder(image.preprocess, image.encode, refusals=image.refusals),
    "sequence": Encoder(sequence.preprocess, sequence.encode, sequence.missing),
}
