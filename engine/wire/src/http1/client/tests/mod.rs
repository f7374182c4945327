//! Tests of the client's side: each answer replayed in every way it can arrive.

mod answers;
mod forwarding;
mod replay;
mod requests;
