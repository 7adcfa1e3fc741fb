//! Remote repositories: a directory, and a bucket of a real S3 server on loopback, with faults between where wanted.

mod damage;
mod encryption;
mod faults;
mod order;
mod proxy;
mod prune;
mod refused;
mod round_trip;
mod store;
