# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the programs that write a document from the code have in common: their command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What `ansible_collections` lies in: links in a checkout, the collections' path where this is installed.
COLLECTIONS = ROOT / 'collections' if (ROOT / 'collections').is_dir() else ROOT.parents[2]


def settle(description: str | None, documents: dict[Path, str]) -> None:
    """Write the documents; with --check write nothing, and fail where one is not what would be written."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing')
    check = parser.parse_args().check
    for path, wanted in documents.items():
        if not check:
            path.write_text(wanted, encoding='utf-8')
        elif not path.exists() or path.read_text(encoding='utf-8') != wanted:
            sys.exit(f'{path.relative_to(ROOT)} is stale: run {Path(sys.argv[0]).resolve().relative_to(ROOT)}')
