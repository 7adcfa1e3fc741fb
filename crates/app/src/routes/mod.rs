//! One file per route.

pub(crate) mod add;
pub(crate) mod assets;
pub(crate) mod consultation;
pub(crate) mod count;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod live;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod root;
pub(crate) mod status;
