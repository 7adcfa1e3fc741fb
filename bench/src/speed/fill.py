"""Fills a database: fill.py FILE MESSAGES BYTES adds as many messages of as many bytes, which compress badly."""

import sqlite3
import sys

BATCH = 100_000

path, messages, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = sqlite3.connect(path)
connection.execute("PRAGMA synchronous = OFF")
connection.execute(
    "CREATE TABLE IF NOT EXISTS message"
    " (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL)"
)
for begin in range(0, messages, BATCH):
    with connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO message (timestamp, message)"
            " SELECT '2026-11-22T18:09:35.449812Z', hex(randomblob(?)) FROM n",
            (min(BATCH, messages - begin), size // 2),
        )
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
connection.close()
