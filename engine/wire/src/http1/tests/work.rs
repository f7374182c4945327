//! Counts bytes looked at while a head arrives, so that linear time is tested without a clock; and the tests that do.

use std::cell::Cell;

use super::replay::{replay, Outcome};
use crate::{Limits, Violation};

thread_local! {
    static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
}

/// Called by the code under test for each run over `bytes` bytes.
pub(in crate::http1) fn add(bytes: usize) {
    LOOKED_AT.set(LOOKED_AT.get() + bytes);
}

fn counted(pieces: &[&[u8]], limits: &Limits) -> (usize, Outcome) {
    LOOKED_AT.set(0);
    let outcome = replay(pieces.iter().copied(), limits, None);
    (LOOKED_AT.get(), outcome)
}

fn pieces_of(input: &[u8], size: usize) -> Vec<&[u8]> {
    input.chunks(size).collect()
}

/// `A:1` over and over, P18.
fn many_small_fields(count: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    head.extend(b"A:1\r\n".repeat(count));
    head
}

fn roomy() -> Limits {
    Limits {
        header_bytes: 1 << 20,
        header_count: 100_000,
        request_line: 1 << 20,
        ..Limits::default()
    }
}

#[test]
fn head_dripped_byte_by_byte_is_looked_at_twice_at_most_per_byte() {
    let mut head = many_small_fields(12_000);
    head.extend(b"\r\n");
    let (work, outcome) = counted(&pieces_of(&head, 1), &roomy());
    assert_eq!(outcome.heads(), 1);
    assert!(
        work <= 4 * head.len(),
        "{work} bytes looked at for {}",
        head.len()
    );
}

#[test]
fn head_in_pieces_of_any_size_costs_the_same() {
    let mut head = many_small_fields(2_000);
    head.extend(b"\r\n");
    for size in [2, 3, 7, 64, 1460, 9_000] {
        let (work, outcome) = counted(&pieces_of(&head, size), &roomy());
        assert_eq!(outcome.heads(), 1);
        assert!(
            work <= 4 * head.len(),
            "{work} bytes looked at for {} in pieces of {size}",
            head.len()
        );
    }
}

#[test]
fn bad_byte_at_the_end_of_many_fields_costs_three_passes() {
    let mut head = many_small_fields(12_000);
    head.extend(b"\0:1\r\n\r\n");
    for size in [1, 1000, head.len()] {
        let (work, outcome) = counted(&pieces_of(&head, size), &roomy());
        assert_eq!(outcome.violation, Some(Violation::FieldNameMalformed));
        assert!(
            work <= 4 * head.len(),
            "{work} bytes looked at for {}",
            head.len()
        );
    }
}

#[test]
fn endless_line_is_dropped_at_its_limit() {
    let endless = vec![b'a'; 1 << 20];
    let (work, outcome) = counted(&pieces_of(&endless, 1), &Limits::default());
    assert_eq!(outcome.violation, Some(Violation::RequestLineTooLong));
    assert!(work <= 4 * 8192, "{work} bytes looked at");
}
