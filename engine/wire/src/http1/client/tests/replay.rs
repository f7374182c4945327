//! Feeds a receiver in every way bytes can arrive and compares what comes of it.

use super::super::{Arrival, Delimiter, ResponseHead, ResponseReceiver};
use crate::{Limits, Violation};

/// What a receiver made of some bytes, cuts between pieces of data left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) violation: Option<Violation>,
    /// What the end of the input at this point means.
    pub(super) at_end: Option<Result<bool, Violation>>,
    pub(super) trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Interim(u16),
    Head {
        code: u16,
        reason: Vec<u8>,
        delimiter: Delimiter,
        keep_alive: bool,
        fields: Vec<(Vec<u8>, Vec<u8>)>,
    },
    Data(Vec<u8>),
    End,
}

fn own((name, value): (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
    (name.to_vec(), value.to_vec())
}

fn describe(head: &ResponseHead) -> Event {
    Event::Head {
        code: head.code(),
        reason: head.reason().to_vec(),
        delimiter: head.delimiter(),
        keep_alive: head.keep_alive(),
        fields: head.fields().map(own).collect(),
    }
}

fn replay<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    head_request: bool,
    limits: &Limits,
) -> Outcome {
    let mut receiver = ResponseReceiver::new();
    receiver.begin(head_request);
    let mut outcome = Outcome::default();
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let (consumed, step) = match receiver.advance(&waiting, limits) {
                Ok(progress) => progress,
                Err(violation) => {
                    assert_eq!(receiver.advance(b"", limits).unwrap_err(), violation);
                    outcome.violation = Some(violation);
                    return outcome;
                }
            };
            assert!(consumed <= waiting.len());
            let done = matches!(step, Arrival::NeedMore);
            match step {
                Arrival::NeedMore => {}
                Arrival::Interim(head) => outcome.events.push(Event::Interim(head.code())),
                Arrival::Head(head) => outcome.events.push(describe(&head)),
                Arrival::Data(range) => match outcome.events.last_mut() {
                    Some(Event::Data(data)) => data.extend_from_slice(&waiting[range]),
                    _ => outcome.events.push(Event::Data(waiting[range].to_vec())),
                },
                Arrival::End => {
                    assert!(receiver.is_at_rest());
                    outcome.trailers = receiver.trailers().map(own).collect();
                    outcome.events.push(Event::End);
                }
            }
            waiting.drain(..consumed);
            if done {
                break;
            }
        }
    }
    outcome.at_end = Some(receiver.end_of_input());
    outcome
}

/// Replays `input` whole, byte by byte and cut in two at every byte; all have to give the same.
pub(super) fn every_way(input: &[u8], head_request: bool, limits: &Limits) -> Outcome {
    let whole = replay([input].into_iter(), head_request, limits);
    let shown = input.escape_ascii();
    let dripped = replay(input.chunks(1), head_request, limits);
    assert_eq!(dripped, whole, "byte by byte: {shown}");
    for at in 1..input.len() {
        let (first, rest) = input.split_at(at);
        let cut = replay([first, rest].into_iter(), head_request, limits);
        assert_eq!(cut, whole, "cut at {at}: {shown}");
    }
    whole
}

/// An answer to a GET, with the default limits.
pub(super) fn read(input: impl AsRef<[u8]>) -> Outcome {
    every_way(input.as_ref(), false, &Limits::default())
}
