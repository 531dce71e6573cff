//! What the exporter shows, read back by those who would read it.
//!
//! The modules say `cfg(test)` for clippy, which otherwise would not see that their helpers are tests too.

#[cfg(test)]
mod activity;
#[cfg(test)]
#[cfg(feature = "http")]
mod client;
#[cfg(test)]
#[cfg(feature = "prometheus-client")]
mod collector;
#[cfg(test)]
#[cfg(feature = "http")]
mod config;
#[cfg(test)]
mod custom;
#[cfg(test)]
#[cfg(feature = "http")]
mod dashboard;
#[cfg(test)]
#[cfg(feature = "http")]
mod endpoints;
#[cfg(test)]
mod exposition;
#[cfg(test)]
#[cfg(feature = "metrics")]
mod facade;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod health;
#[cfg(test)]
#[cfg(feature = "http")]
mod health_endpoints;
#[cfg(test)]
#[cfg(feature = "http")]
mod history;
#[cfg(test)]
#[cfg(feature = "http")]
mod http;
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are written and read back exactly")]
mod invariants;
#[cfg(test)]
#[cfg(feature = "log-sink")]
mod log_sink;
#[cfg(test)]
#[cfg(feature = "log-sink")]
mod logged;
#[cfg(test)]
mod openmetrics;
#[cfg(test)]
mod process;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod rendering;
#[cfg(test)]
mod schema;
#[cfg(test)]
#[cfg(feature = "http")]
mod security;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tls;
