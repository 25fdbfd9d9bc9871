#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls against servers by others: json-server keeps what it is sent."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import life  # noqa: E402
import servers  # noqa: E402
import support as s  # noqa: E402

if __name__ == "__main__":
    s.main(life.json_server_life, servers.they_stay_at_home)
