"""The same five routes with Flask: a connection for each request, and SQLite as it comes."""

import os
import sqlite3
from datetime import datetime, timezone

from flask import Flask, jsonify, request

app = Flask(__name__)


def connect():
    return sqlite3.connect(os.environ["DB_PATH"], timeout=30)


@app.get("/")
def root():
    return jsonify(status="Bonjour tout le monde !")


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.get("/add")
def add():
    timestamp, message = datetime.now(timezone.utc).isoformat(), request.args.get("message", "")
    connection = connect()
    added = connection.execute("INSERT INTO message (timestamp, message) VALUES (?, ?)", (timestamp, message))
    connection.commit()
    connection.close()
    return jsonify(status="added", id=added.lastrowid, timestamp=timestamp, message=message)


@app.get("/count")
def count():
    connection = connect()
    (counted,) = connection.execute("SELECT count(*) FROM message").fetchone()
    connection.close()
    return jsonify(count=counted)


@app.get("/consultation")
def consultation():
    connection = connect()
    rows = connection.execute("SELECT id, timestamp, message FROM message ORDER BY id DESC LIMIT 50").fetchall()
    connection.close()
    return jsonify([dict(zip(("id", "timestamp", "message"), row)) for row in rows])
