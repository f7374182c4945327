//! Feeds a receiver in every way bytes can arrive and compares what comes of it.

use crate::{Framing, LastHead, Limits, Receiver, Step, Version, Violation};

/// What a receiver made of some bytes, cuts between pieces of data left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) violation: Option<Violation>,
    /// What the end of the input at this point would mean.
    pub(super) at_end: Option<Violation>,
    /// Whether the receiver says that nothing of a next request has come.
    pub(super) between: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Head(HeadFacts),
    Data(Vec<u8>),
    End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeadFacts {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) version: Version,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    pub(super) upgrade: bool,
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Outcome {
    pub(super) fn heads(&self) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, Event::Head(_)))
            .count()
    }

    /// The one head there is.
    pub(super) fn head(&self) -> &HeadFacts {
        match self.events.as_slice() {
            [Event::Head(head), ..] => head,
            _ => panic!("no head: {self:?}"),
        }
    }

    /// The data of all bodies together.
    pub(super) fn body(&self) -> Vec<u8> {
        let data = self.events.iter().filter_map(|event| match event {
            Event::Data(data) => Some(data.as_slice()),
            _ => None,
        });
        data.collect::<Vec<_>>().concat()
    }
}

/// Gives `pieces` to a new receiver one after the other, keeping what it doesn't consume, going on to the next
/// request at each end.
pub(super) fn replay<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    limits: &Limits,
    body_limit: Option<u64>,
) -> Outcome {
    let mut receiver = Receiver::new();
    let mut last = LastHead::default();
    let mut outcome = Outcome::default();
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let (consumed, step) = match receiver.advance_after(&mut last, &waiting, limits) {
                Ok(result) => result,
                Err(violation) => {
                    assert_eq!(
                        receiver
                            .advance(b"GET / HTTP/1.0\r\n\r\n", limits)
                            .unwrap_err(),
                        violation
                    );
                    outcome.violation = Some(violation);
                    outcome.at_end = receiver.end_of_input().err();
                    return outcome;
                }
            };
            assert!(consumed <= waiting.len());
            let done = matches!(step, Step::NeedMore);
            note(&mut outcome, &mut receiver, step, &waiting, body_limit);
            waiting.drain(..consumed);
            if done {
                break;
            }
        }
    }
    outcome.at_end = receiver.end_of_input().err();
    outcome.between = receiver.is_between_requests();
    outcome
}

fn note(
    outcome: &mut Outcome,
    receiver: &mut Receiver,
    step: Step,
    input: &[u8],
    body_limit: Option<u64>,
) {
    match step {
        Step::NeedMore => {}
        Step::Head(head) => {
            receiver.set_body_limit(body_limit);
            assert!(receiver.in_body() && !receiver.is_between_requests());
            let own = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
            outcome.events.push(Event::Head(HeadFacts {
                method: head.method().to_vec(),
                target: head.target().to_vec(),
                version: head.version(),
                framing: head.framing(),
                keep_alive: head.keep_alive(),
                expects_continue: head.expects_continue(),
                upgrade: head.upgrade_requested(),
                fields: head.fields().map(own).collect(),
            }));
        }
        Step::Data(range) => {
            assert!(!range.is_empty());
            match outcome.events.last_mut() {
                Some(Event::Data(data)) => data.extend_from_slice(&input[range]),
                _ => outcome.events.push(Event::Data(input[range].to_vec())),
            }
        }
        Step::End => {
            assert!(receiver.is_complete() && !receiver.in_body());
            outcome.events.push(Event::End);
            receiver.next_request();
        }
    }
}

/// Replays `input` whole, byte by byte, cut in two at every byte and, if it is short, in three at every two; all have
/// to give the same.
pub(super) fn every_way(input: &[u8], limits: &Limits, body_limit: Option<u64>) -> Outcome {
    let whole = replay([input].into_iter(), limits, body_limit);
    let shown = input.escape_ascii();
    let dripped = replay(input.chunks(1), limits, body_limit);
    assert_eq!(dripped, whole, "byte by byte: {shown}");
    for at in 1..input.len() {
        let (first, rest) = input.split_at(at);
        assert_eq!(
            replay([first, rest].into_iter(), limits, body_limit),
            whole,
            "cut at {at}: {shown}"
        );
        if input.len() > 36 {
            continue;
        }
        for second_at in 1..rest.len() {
            let (second, third) = rest.split_at(second_at);
            let cut = replay([first, second, third].into_iter(), limits, body_limit);
            assert_eq!(cut, whole, "cut at {at} and {second_at} later: {shown}");
        }
    }
    whole
}

/// Replays `input` in every way with the default limits.
pub(super) fn read(input: impl AsRef<[u8]>) -> Outcome {
    every_way(input.as_ref(), &Limits::default(), None)
}

/// Checks that `input` is refused with `violation` in every way it can arrive, and that a request behind it isn't
/// served, as it must not be when the offence was a smuggling attempt.
pub(super) fn assert_refused(input: impl AsRef<[u8]>, violation: Violation) {
    let input = input.as_ref();
    let alone = read(input);
    assert_eq!(alone.violation, Some(violation), "{}", input.escape_ascii());
    assert_eq!(alone.at_end, Some(violation));
    let evil = [input, b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    let followed = every_way(&evil, &Limits::default(), None);
    assert_eq!(followed.violation, Some(violation));
    assert!(!followed
        .events
        .iter()
        .any(|event| matches!(event, Event::Head(head) if head.target == b"/evil")));
}
