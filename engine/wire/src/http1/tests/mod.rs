//! Tests of HTTP/1: tables of bytes, each replayed in every way it can arrive.

mod bodies;
mod heads;
mod hostile;
mod last_head;
mod replay;
mod responses;
mod splits;
pub(super) mod work;
