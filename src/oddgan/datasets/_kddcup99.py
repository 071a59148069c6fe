"""KDD Cup 1999: network connections, the 10 % sample."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from oddgan.datasets._base import Dataset, Entry
from oddgan.datasets._files import DataFileError, RemoteFile, find, read

_NAME = "kddcup.data_10_percent.gz"
_FILE = RemoteFile(
    "kddcup99",
    _NAME,
    (
        f"https://archive.ics.uci.edu/ml/machine-learning-databases/kddcup99-mld/{_NAME}",
        f"http://kdd.ics.uci.edu/databases/kddcup99/{_NAME}",
        "https://ndownloader.figshare.com/files/5976042",
    ),
    "8045aca0d84e70e622d1148d7df782496f6333bf6eb979a1b0837c42a9fd9561",
)

# Text, not a list: with one name per line it would fill a screen.
_COLUMN_TEXT = """
duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot
num_failed_logins logged_in num_compromised root_shell su_attempted num_root
num_file_creations num_shells num_access_files num_outbound_cmds is_host_login
is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate srv_rerror_rate
same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count
dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate
dst_host_srv_diff_host_rate dst_host_serror_rate dst_host_srv_serror_rate
dst_host_rerror_rate dst_host_srv_rerror_rate
"""
COLUMNS = tuple(_COLUMN_TEXT.split())
# `su_attempted` is documented as binary too, but it also has the value 2, so it stays a number.
_BINARY = ("land", "logged_in", "is_host_login", "is_guest_login")
_TEXT = ("protocol_type", "service", "flag")
_CLASS_TEXT = """
back. buffer_overflow. ftp_write. guess_passwd. imap. ipsweep. land. loadmodule. multihop.
neptune. nmap. normal. perl. phf. pod. portsweep. rootkit. satan. smurf. spy. teardrop.
warezclient. warezmaster.
"""
_CLASSES = tuple(_CLASS_TEXT.split())


def parse_kdd(data: bytes) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the 41 columns and the labels of the gzipped KDD Cup 1999 text.

    Raises
    ------
    DataFileError
        If the rows do not have 41 columns and a label.
    """
    frame = pd.read_csv(io.BytesIO(data), header=None, compression="gzip")
    if frame.shape[1] != len(COLUMNS) + 1:
        raise DataFileError(
            f"KDD rows have 41 columns and a label, but these have {frame.shape[1]}"
        )
    frame.columns = pd.Index([*COLUMNS, "label"])
    y = frame.pop("label").to_numpy(dtype=str)
    return frame.astype(dict.fromkeys(_TEXT, str) | dict.fromkeys(_BINARY, bool)), y


def _read(home: Path, progress: bool) -> Dataset:
    X, y = parse_kdd(read(_FILE, home, progress))
    return Dataset(
        name="kddcup99",
        kind="table",
        X=X,
        y=y,
        train=None,
        note="KDD Cup 1999, 10 % sample: 494,021 simulated network connections, 41 columns, "
        "original file; only 145,586 rows are distinct, and one raw column (minus count) all but "
        "solves it.",
    )


KDDCUP99 = Entry(
    name="kddcup99",
    kind="table",
    n_samples=494_021,
    shape=(len(COLUMNS),),
    classes=_CLASSES,
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/130",
    present=lambda home: find(_FILE, home) is not None,
    read=_read,
)
