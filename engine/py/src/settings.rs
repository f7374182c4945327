//! The limits and time-outs of one site, as the engine uses them.

use std::sync::Arc;

use sennit_wire::Limits;

use crate::trust::Trust;

/// Coarse time: tenths of a second, as the timer wheel counts them.
pub type Ticks = u32;

/// One site's limits. The names that `Site` gives them are in `set`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the parser refuses.
    pub limits: Limits,
    /// Longest body of a request; `None`: no limit.
    pub max_body: Option<u64>,
    /// A body longer than this is kept in a temporary file.
    pub body_in_memory: u64,
    /// From the first byte of a head to its end.
    pub header_timeout: Option<Ticks>,
    /// Least bytes a second of a body, measured over windows of `body_grace`.
    pub min_body_rate: u64,
    /// Time that a body has before its rate is looked at.
    pub body_grace: Option<Ticks>,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Option<Ticks>,
    /// How long a client may take nothing of what is waiting for it.
    pub write_timeout: Option<Ticks>,
    /// How much of an unread body is thrown away so that the connection can be kept.
    pub max_drain: u64,
    /// How long a refused client may go on sending, so that it can read its answer.
    pub linger_timeout: Option<Ticks>,
    /// More than this waiting to be sent pauses the producer.
    pub high_water: usize,
    /// Less than this resumes it.
    pub low_water: usize,
    /// Connections at a time; `None`: no limit.
    pub max_connections: Option<usize>,
    /// The site's own proxies; `None`: there are none.
    pub trust: Option<Arc<Trust>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_body: Some(64 << 20),
            body_in_memory: 100_000,
            header_timeout: Some(150),
            min_body_rate: 512,
            body_grace: Some(100),
            idle_timeout: Some(600),
            write_timeout: Some(300),
            max_drain: 256 << 10,
            linger_timeout: Some(50),
            high_water: 64 << 10,
            low_water: 16 << 10,
            max_connections: None,
            trust: None,
        }
    }
}

impl Settings {
    /// Set the limit that `Site` calls `name`; false if there is none of that name.
    pub fn set(&mut self, name: &str, value: Option<f64>) -> bool {
        let count = whole(value);
        match name {
            "maxRequestLine" => self.limits.request_line = size(count),
            "maxHeaderBytes" => self.limits.header_bytes = size(count),
            "maxHeaders" => self.limits.header_count = size(count),
            "maxChunkLine" => self.limits.chunk_line = size(count),
            "maxTrailerBytes" => self.limits.trailer_bytes = size(count),
            "maxBody" => self.max_body = count,
            "bodyInMemory" => self.body_in_memory = count.unwrap_or(u64::MAX),
            "headerTimeout" => self.header_timeout = ticks(value),
            "minBodyRate" => self.min_body_rate = count.unwrap_or(0),
            "bodyGrace" => self.body_grace = ticks(value),
            "timeOut" => self.idle_timeout = ticks(value),
            "writeTimeout" => self.write_timeout = ticks(value),
            "maxDrain" => self.max_drain = count.unwrap_or(u64::MAX),
            "lingerTimeout" => self.linger_timeout = ticks(value),
            "writeHighWater" => self.high_water = size(count),
            "writeLowWater" => self.low_water = size(count),
            "maxConnections" => self.max_connections = count.map(|n| size(Some(n))),
            _ => return false,
        }
        true
    }
}

/// Seconds in ticks, one at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, which is what is wanted here"
)]
fn whole(value: Option<f64>) -> Option<u64> {
    value.map(|v| v as u64)
}

fn size(count: Option<u64>) -> usize {
    count.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// Seconds as ticks, one at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, which is what is wanted here"
)]
pub fn ticks(seconds: Option<f64>) -> Option<Ticks> {
    seconds.map(|s| ((s * 10.0).ceil() as Ticks).max(1))
}
