//! `--protect sync`: what was acknowledged survives the loss of the database's volume.

mod damage;
mod fenced;
mod going_back;
mod killed;
mod migrated;
mod policy;
mod power;
mod pruned;
mod recovered;
mod shim;
mod volumes;
