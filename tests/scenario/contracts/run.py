#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls against servers by others: prism, which holds each request against an OpenAPI document, and json-server, which keeps what it is sent."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import contracts  # noqa: E402
import life  # noqa: E402
import servers  # noqa: E402
import styles  # noqa: E402
import support as s  # noqa: E402

if __name__ == "__main__":
    s.main(contracts.no_contract_is_violated, styles.prism_reads_what_was_mapped, life.json_server_life, servers.they_stay_at_home)
