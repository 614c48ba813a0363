"""Where the public data sets lie, under which licence, and which of their files a preparation needs.

Command lines import this file for their help, so it imports nothing heavy.
"""

import dataclasses
import os
import re
import urllib.parse

from transplant.errors import OptionError

PHYSIONET = "https://physionet.org/files"
MIRROR_VARIABLE = "TRANSPLANT_MIRROR"
CHECKSUM_LIST = "SHA256SUMS.txt"


@dataclasses.dataclass(frozen=True)
class Publication:
    """One version of a data set as its publisher keeps it.

    Attributes:
        name: what `--dataset` takes.
        title: the publisher's title.
        slug, version: its place in PhysioNet's file tree, `<slug>/<version>/`.
        licence: licence of the data.
        file_pattern: matches the paths, below that place, that a preparation
            needs. A group named `record` holds the record's name where the
            files can be chosen by record; without it all are needed.
        citation: BibTeX of the publication to cite.
    """

    name: str
    title: str
    slug: str
    version: str
    licence: str
    file_pattern: re.Pattern
    citation: str

    @property
    def homepage(self):
        """Page of this version at the publisher."""
        return f"https://physionet.org/content/{self.slug}/{self.version}/"

    def url(self, path, mirror=None):
        """Return the address of a file.

        Args:
            path: path below the data set's place, with "/" between its parts.
            mirror: root of the file tree. Defaults to `mirror_root()`.
        """
        return f"{mirror or mirror_root()}/{self.slug}/{self.version}/{urllib.parse.quote(path)}"


def mirror_root(mirror=None):
    """Return the root of the file tree to fetch from, without a slash at its end.

    Args:
        mirror: http or https address. Defaults to the environment variable
            TRANSPLANT_MIRROR, and without that to PhysioNet.

    Raises:
        OptionError: if it is no http or https address.
    """
    root = (mirror or os.environ.get(MIRROR_VARIABLE) or PHYSIONET).rstrip("/")
    parts = urllib.parse.urlsplit(root)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise OptionError(
            f"--mirror (or {MIRROR_VARIABLE}) is an http or https address. Received: {root}; name a folder on disk "
            "with --source"
        )
    return root


_GOLDBERGER = """
@article{goldberger2000physiobank,
  title={PhysioBank, PhysioToolkit, and PhysioNet: components of a new research resource for complex physiologic signals},
  author={Goldberger, Ary L. and Amaral, Luis A. N. and Glass, Leon and Hausdorff, Jeffrey M. and Ivanov, Plamen Ch. and Mark, Roger G. and Mietus, Joseph E. and Moody, George B. and Peng, Chung-Kang and Stanley, H. Eugene},
  journal={Circulation},
  volume={101},
  number={23},
  pages={e215--e220},
  year={2000}
}"""  # noqa: E501

PUBLICATIONS = {
    publication.name: publication
    for publication in (
        Publication(
            name="mitdb",
            title="MIT-BIH Arrhythmia Database",
            slug="mitdb",
            version="1.0.0",
            licence="Open Data Commons Attribution License v1.0",
            # 102-0.atr, mitdbdir/ and x_mitdb/ are earlier annotations, text and excerpts.
            file_pattern=re.compile(r"(?P<record>\d{3})\.(?:hea|dat|atr)"),
            citation="""\
@article{moody2001impact,
  title={The impact of the MIT-BIH Arrhythmia Database},
  author={Moody, George B. and Mark, Roger G.},
  journal={IEEE Engineering in Medicine and Biology Magazine},
  volume={20},
  number={3},
  pages={45--50},
  year={2001}
}"""
            + _GOLDBERGER,
        ),
        Publication(
            name="icentia11k",
            title="Icentia11k Single Lead Continuous Raw Electrocardiogram Dataset",
            slug="icentia11k-continuous-ecg",
            version="1.0",
            licence="Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International",
            file_pattern=re.compile(r"p\d{2}/p\d{5}/(?P<record>p\d{5}_s\d+)\.(?:hea|dat|atr)"),
            citation="""\
@inproceedings{tan2021icentia11k,
  title={Icentia11k: an unsupervised representation learning dataset for arrhythmia subtype discovery},
  author={Tan, Shawn and Androz, Guillaume and Ortiz-Gagn{\\'e}, Satya and Chamseddine, Ahmad and Fecteau, Pierre and Courville, Aaron and Bengio, Yoshua and Cohen, Joseph Paul},
  booktitle={Computing in Cardiology Conference (CinC)},
  year={2021}
}"""  # noqa: E501
            + _GOLDBERGER,
        ),
        Publication(
            name="challenge2017",
            title="AF Classification from a Short Single Lead ECG Recording: the PhysioNet/Computing in Cardiology "
            "Challenge 2017",
            slug="challenge-2017",
            version="1.0.0",
            licence="Open Data Commons Attribution License v1.0",
            file_pattern=re.compile(r"training2017\.zip|REFERENCE-v[123]\.csv"),
            citation="""\
@inproceedings{clifford2017af,
  title={AF classification from a short single lead ECG recording: the PhysioNet/Computing in Cardiology Challenge 2017},
  author={Clifford, Gari D. and Liu, Chengyu and Moody, Benjamin and Lehman, Li-wei H. and Silva, Ikaro and Li, Qiao and Johnson, Alistair E. and Mark, Roger G.},
  booktitle={2017 Computing in Cardiology (CinC)},
  doi={10.22489/CinC.2017.065-469},
  year={2017}
}"""  # noqa: E501
            + _GOLDBERGER,
        ),
    )
}
