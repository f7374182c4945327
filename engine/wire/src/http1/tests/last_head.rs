//! A head after another one: what it says is the same as on its own.

use crate::{Head, LastHead, Limits, Receiver, Step, Violation};

fn head_after(last: &mut LastHead, input: &[u8], limits: &Limits) -> Result<Head, Violation> {
    match Receiver::new().advance_after(last, input, limits)? {
        (consumed, Step::Head(head)) => {
            assert!(input[..consumed].ends_with(head.bytes()));
            Ok(head)
        }
        other => panic!("{other:?} for {}", input.escape_ascii()),
    }
}

/// Whether both are one head in memory.
fn is_one(one: &Head, other: &Head) -> bool {
    std::ptr::eq(one.bytes(), other.bytes())
}

const HEADS: [&[u8]; 8] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\nX: 3\r\nX: 4\r\nX: 5\r\nX: 6\r\n\r\n",
];

fn facts(head: &Head) -> String {
    let said = (
        head.keep_alive(),
        head.expects_continue(),
        head.upgrade_requested(),
    );
    let fields: Vec<_> = head.fields().collect();
    format!("{head:?} {:?} {said:?} {fields:?}", head.version())
}

#[test]
fn head_after_another_says_what_it_says_alone() {
    let limits = Limits::default();
    for first in HEADS {
        for second in HEADS {
            for first_is_still_there in [false, true] {
                let mut last = LastHead::default();
                let kept = head_after(&mut last, first, &limits).unwrap();
                let before = facts(&kept);
                let kept = first_is_still_there.then_some(kept);
                let alone = head_after(&mut LastHead::default(), second, &limits).unwrap();
                let after = head_after(&mut last, second, &limits).unwrap();
                assert_eq!(facts(&after), facts(&alone));
                if let Some(kept) = kept {
                    assert_eq!(facts(&kept), before);
                    assert_eq!(is_one(&kept, &after), first == second);
                }
            }
        }
    }
}

#[test]
fn same_head_again_is_not_parsed_again() {
    let limits = Limits::default();
    let mut last = LastHead::default();
    let first = head_after(&mut last, HEADS[0], &limits).unwrap();
    let pipelined = [HEADS[0], HEADS[1]].concat();
    assert!(is_one(
        &head_after(&mut last, &pipelined, &limits).unwrap(),
        &first
    ));
    let with_leading_line = [b"\r\n", HEADS[0]].concat();
    assert!(is_one(
        &head_after(&mut last, &with_leading_line, &limits).unwrap(),
        &first
    ));
}

#[test]
fn part_of_the_last_head_is_no_head() {
    let limits = Limits::default();
    for head in HEADS {
        for length in 0..head.len() {
            let mut last = LastHead::default();
            head_after(&mut last, head, &limits).unwrap();
            let mut receiver = Receiver::new();
            let (used, step) = receiver
                .advance_after(&mut last, &head[..length], &limits)
                .unwrap();
            assert!(
                matches!(step, Step::NeedMore),
                "{length} of {}",
                head.escape_ascii()
            );
            let (_, step) = receiver
                .advance_after(&mut last, &head[used..], &limits)
                .unwrap();
            assert!(matches!(step, Step::Head(_)));
        }
    }
}

#[test]
fn same_head_is_judged_by_the_limits_of_its_receiver() {
    let mut last = LastHead::default();
    head_after(&mut last, HEADS[7], &Limits::default()).unwrap();
    let few = Limits {
        header_count: 3,
        ..Limits::default()
    };
    let refused = head_after(&mut last, HEADS[7], &few).unwrap_err();
    assert_eq!(refused, Violation::TooManyHeaders);
    head_after(&mut last, HEADS[7], &Limits::default()).unwrap();
}

#[test]
fn head_with_secrets_is_parsed_each_time() {
    let limits = Limits::default();
    for secret in [
        "Cookie: a=b",
        "authorization: Basic eA==",
        "Proxy-Authorization: Basic eA==",
    ] {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{secret}\r\n\r\n");
        let mut last = LastHead::default();
        let first = head_after(&mut last, input.as_bytes(), &limits).unwrap();
        let second = head_after(&mut last, input.as_bytes(), &limits).unwrap();
        assert!(!is_one(&first, &second), "{secret}");
        assert_eq!(facts(&first), facts(&second));
    }
}
