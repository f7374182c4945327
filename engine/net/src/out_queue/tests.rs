use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use super::*;
use crate::testing::{allocations_of, file_of, patterned, read_exactly, tcp_pair, unix_pair};

/// An owner that tells when it is dropped.
struct Owner {
    bytes: Vec<u8>,
    dropped: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// Shared bytes and the count of how many of their owners are gone.
fn shared(bytes: &[u8]) -> (Bytes, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let owner = Owner {
        bytes: bytes.to_vec(),
        dropped: Arc::clone(&dropped),
    };
    (Bytes::from_owner(owner), dropped)
}

fn gone(dropped: &Arc<AtomicUsize>) -> usize {
    dropped.load(Ordering::SeqCst)
}

impl Chunk {
    /// Where the bytes of a shared owner are.
    fn start(&self) -> *const u8 {
        match self {
            Self::Bytes(bytes) => bytes.as_ptr(),
            Self::File(_) => std::ptr::null(),
        }
    }
}

/// Flushes until all is sent while a thread reads; returns what the peer got.
fn drain(mut queue: OutQueue, socket: Socket, mut peer: impl Read + Send + 'static) -> Vec<u8> {
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    while queue.flush(&socket).unwrap() == Flushed::Blocked {
        assert!(!queue.is_empty());
        std::thread::yield_now();
    }
    assert!(queue.is_empty());
    assert_eq!((queue.len(), queue.tail.capacity()), (0, 0));
    drop(socket);
    reader.join().unwrap()
}

#[test]
fn queue_is_small_and_empty_owns_nothing() {
    assert!(std::mem::size_of::<OutQueue>() <= 48);
    let mut queue = OutQueue::new();
    assert!(queue.is_empty());
    assert_eq!(allocations_of(|| drop(OutQueue::new())), 0);
    assert_eq!(queue.take_spare(), None);
    assert_eq!(queue.take_all().unwrap(), b"");
}

#[test]
fn flush_of_nothing_is_done() {
    let (socket, _peer) = tcp_pair();
    assert_eq!(OutQueue::new().flush(&socket).unwrap(), Flushed::Done);
}

#[test]
fn small_writes_leave_together_and_free_their_memory() {
    let (socket, mut peer) = tcp_pair();
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head ");
    queue.tail().extend_from_slice(b"body");
    assert_eq!((queue.len(), queue.is_empty()), (9, false));
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    assert_eq!((queue.len(), queue.is_empty()), (0, true));
    assert_eq!(queue.tail.capacity(), 0);
    assert_eq!(read_exactly(&mut peer, 9), b"head body");
}

#[test]
fn lent_spare_comes_back_after_the_flush() {
    let (socket, _peer) = tcp_pair();
    let mut queue = OutQueue::new();
    let mut spare = Vec::with_capacity(512);
    spare.extend_from_slice(b"left over");
    let memory = spare.as_ptr();
    queue.give_spare(spare);
    assert!(queue.is_empty());
    queue.tail().extend_from_slice(b"answer");
    assert_eq!(queue.take_spare(), None);
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    let spare = queue.take_spare().unwrap();
    assert_eq!((spare.as_ptr(), spare.len()), (memory, 0));
    assert_eq!(queue.tail.capacity(), 0);
    assert_eq!(queue.take_spare(), None);
}

/// Has each queue send something, all before any gives its memory back.
fn answer_in_a_batch(spares: &mut Spares, queues: &mut [OutQueue], socket: &Socket) {
    for queue in &mut *queues {
        spares.lend(queue);
        queue.tail().extend_from_slice(b"answer");
    }
    for queue in &mut *queues {
        assert_eq!(queue.flush(socket).unwrap(), Flushed::Done);
        spares.take_back(queue);
        assert_eq!(queue.tail.capacity(), 0);
    }
}

#[test]
fn spares_are_made_when_first_needed_and_used_again() {
    let (socket, _peer) = unix_pair();
    let mut spares = Spares::new(3);
    let mut queues = [OutQueue::new(), OutQueue::new(), OutQueue::new()];
    answer_in_a_batch(&mut spares, &mut queues, &socket);
    let allocations = allocations_of(|| answer_in_a_batch(&mut spares, &mut queues, &socket));
    assert_eq!(allocations, 0);
}

#[test]
fn no_more_spares_are_kept_than_are_allowed() {
    let (socket, _peer) = unix_pair();
    let mut spares = Spares::new(2);
    let mut queues = [OutQueue::new(), OutQueue::new(), OutQueue::new()];
    answer_in_a_batch(&mut spares, &mut queues, &socket);
    assert_eq!(spares.kept.len(), 2);
}

#[test]
fn unused_spare_comes_back_too() {
    let mut queue = OutQueue::new();
    queue.give_spare(Vec::with_capacity(64));
    assert!(queue.take_spare().is_some());
}

#[test]
fn spare_given_to_a_busy_queue_spoils_nothing() {
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"kept");
    queue.give_spare(Vec::with_capacity(64));
    assert_eq!(queue.take_all().unwrap(), b"kept");
    assert_eq!(queue.take_spare(), None);
}

#[test]
fn spare_that_grew_too_large_is_freed() {
    let (socket, mut peer) = unix_pair();
    let mut queue = OutQueue::new();
    queue.give_spare(Vec::with_capacity(64));
    queue.tail().resize(SPARE_LIMIT + 1, 1);
    let reader = std::thread::spawn(move || read_exactly(&mut peer, SPARE_LIMIT + 1));
    while queue.flush(&socket).unwrap() == Flushed::Blocked {
        std::thread::yield_now();
    }
    reader.join().unwrap();
    assert_eq!(queue.take_spare(), None);
    assert_eq!(queue.tail.capacity(), 0);
}

#[test]
fn hot_path_does_not_allocate() {
    let (socket, mut peer) = tcp_pair();
    let mut queue = OutQueue::new();
    let mut spare = Some(Vec::with_capacity(256));
    let mut buffer = [0; 256];
    for _ in 0..10 {
        std::io::Write::write_all(&mut peer, b"GET").unwrap();
        crate::testing::await_readable(&socket);
        let allocations = allocations_of(|| {
            socket.recv(&mut buffer).unwrap();
            queue.give_spare(spare.take().unwrap());
            queue.tail().extend_from_slice(b"HTTP");
            assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
            spare = queue.take_spare();
        });
        assert_eq!(allocations, 0);
        read_exactly(&mut peer, 4);
    }
}

#[test]
fn big_owner_is_referred_to_and_released_when_sent() {
    let (socket, mut peer) = tcp_pair();
    let body = patterned(COPY_BELOW);
    let (bytes, dropped) = shared(&body);
    let memory = bytes.as_ptr();
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head");
    queue.push_shared(bytes);
    queue.tail().extend_from_slice(b"foot");
    assert_eq!(queue.len(), 8 + body.len());
    assert_eq!(queue.ahead.as_ref().unwrap().chunks[1].start(), memory);
    assert_eq!(gone(&dropped), 0);
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    assert_eq!(gone(&dropped), 1);
    assert!(queue.ahead.is_none());
    let expected = [&b"head"[..], &body, b"foot"].concat();
    assert_eq!(read_exactly(&mut peer, expected.len()), expected);
}

#[test]
fn small_owner_is_copied_and_released_at_once() {
    let (bytes, dropped) = shared(&patterned(COPY_BELOW - 1));
    let mut queue = OutQueue::new();
    queue.push_shared(bytes);
    assert_eq!(gone(&dropped), 1);
    assert!(queue.ahead.is_none());
    queue.push_shared(Bytes::new());
    assert_eq!(queue.take_all().unwrap(), patterned(COPY_BELOW - 1));
}

#[test]
fn partly_sent_tail_goes_on_where_it_stopped() {
    let (socket, peer) = tcp_pair();
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, 32 * 1024).unwrap();
    let data = patterned(FLUSH_LIMIT);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(&data);
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Blocked);
    assert!(queue.len() < data.len(), "the first send took nothing");
    queue.tail().extend_from_slice(b"the end");
    let got = drain(queue, socket, peer);
    assert_eq!(got.len(), data.len() + 7);
    assert!(got == [&data[..], b"the end"].concat());
}

#[test]
fn blocked_queue_drains_in_order_and_releases_every_owner() {
    let (socket, peer) = unix_pair();
    let mut queue = OutQueue::new();
    let mut expected = Vec::new();
    let mut counts = Vec::new();
    for round in 0..40usize {
        let small = patterned(round + 1);
        queue.tail().extend_from_slice(&small);
        let big = patterned(COPY_BELOW + round * 1000);
        let (bytes, dropped) = shared(&big);
        queue.push_shared(bytes);
        expected.extend_from_slice(&small);
        expected.extend_from_slice(&big);
        counts.push(dropped);
    }
    assert_eq!(queue.len(), expected.len());
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Blocked);
    assert!(counts.iter().map(gone).sum::<usize>() < counts.len());
    assert!(drain(queue, socket, peer) == expected);
    assert!(counts.iter().all(|dropped| gone(dropped) == 1));
}

#[test]
fn big_tail_is_sent_up_to_the_limit_of_a_flush() {
    let (socket, mut peer) = tcp_pair();
    let data = patterned(2500);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(&data);
    for (left, flushed) in [
        (1500, Flushed::Blocked),
        (500, Flushed::Blocked),
        (0, Flushed::Done),
    ] {
        assert_eq!(queue.flush_within(&socket, 1000).unwrap(), flushed);
        assert_eq!(queue.len(), left);
    }
    assert_eq!(read_exactly(&mut peer, 2500), data);
}

#[test]
fn many_pieces_are_sent_up_to_the_limit_of_a_flush() {
    let (socket, mut peer) = tcp_pair();
    let mut queue = OutQueue::new();
    let mut expected = Vec::new();
    for piece in 0..20 {
        let big = patterned(COPY_BELOW + piece);
        queue.push_shared(shared(&big).0);
        queue.tail().push(b'.');
        expected.extend_from_slice(&big);
        expected.push(b'.');
    }
    // The first limit cuts a piece, the second ends with one, the third needs more than one call.
    let mut left = expected.len();
    for limit in [5000, COPY_BELOW - 903 + 2, 17 * COPY_BELOW] {
        let flushed = queue.flush_within(&socket, limit).unwrap();
        assert_eq!(flushed, Flushed::Blocked);
        left -= limit;
        assert_eq!(queue.len(), left);
        let sent = read_exactly(&mut peer, limit);
        assert!(sent == expected[..limit]);
        expected.drain(..limit);
    }
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    assert!(read_exactly(&mut peer, left) == expected);
}

#[test]
fn spare_is_given_up_to_a_shared_owner_behind_it() {
    let (socket, _peer) = tcp_pair();
    let mut queue = OutQueue::new();
    queue.give_spare(Vec::with_capacity(64));
    queue.tail().extend_from_slice(b"head");
    queue.push_shared(shared(&patterned(COPY_BELOW)).0);
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    assert_eq!(queue.take_spare(), None);
}

#[test]
fn full_socket_keeps_what_waits() {
    let (socket, _peer) = unix_pair();
    while socket.send(&[0; 4096]).unwrap() != Sent::WouldBlock {}
    let mut queue = OutQueue::new();
    queue.give_spare(Vec::with_capacity(16));
    queue.tail().extend_from_slice(b"waits");
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Blocked);
    assert_eq!(queue.len(), 5);
    assert_eq!(queue.take_spare(), None);
    let (bytes, dropped) = shared(&patterned(COPY_BELOW));
    queue.push_shared(bytes);
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Blocked);
    assert_eq!((queue.len(), gone(&dropped)), (5 + COPY_BELOW, 0));
}

#[test]
fn failed_stream_keeps_the_queue_until_cleared() {
    let (socket, peer) = unix_pair();
    drop(peer);
    let (bytes, dropped) = shared(&patterned(COPY_BELOW));
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head");
    queue.push_shared(bytes);
    let error = queue.flush(&socket).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(gone(&dropped), 0);
    queue.clear();
    assert!(queue.is_empty());
    assert_eq!(gone(&dropped), 1);
}

#[test]
fn clear_returns_a_lent_spare() {
    let mut queue = OutQueue::new();
    queue.give_spare(Vec::with_capacity(16));
    queue.tail().push(1);
    queue.clear();
    assert_eq!(queue.take_spare().map(|spare| spare.len()), Some(0));
}

#[test]
fn take_all_joins_everything_in_order() {
    let body = patterned(COPY_BELOW * 2);
    let (bytes, dropped) = shared(&body);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"a");
    queue.push_shared(bytes);
    queue.tail().extend_from_slice(b"z");
    assert!(queue.take_all().unwrap() == [&b"a"[..], &body, b"z"].concat());
    assert!(queue.is_empty());
    assert_eq!((gone(&dropped), queue.tail.capacity()), (1, 0));
}

#[test]
fn take_all_after_a_partial_send_has_the_unsent_bytes_alone() {
    let (socket, mut peer) = unix_pair();
    let data = patterned(FLUSH_LIMIT);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(&data);
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Blocked);
    let rest = queue.take_all().unwrap();
    let sent = read_exactly(&mut peer, data.len() - rest.len());
    assert!([sent, rest].concat() == data);
}

#[test]
fn file_goes_out_between_what_is_before_and_after_it() {
    let data = patterned(3 * FLUSH_LIMIT);
    let file = file_of(&data);
    for (socket, peer) in [
        {
            let (socket, peer) = tcp_pair();
            (socket, Box::new(peer) as Box<dyn Read + Send>)
        },
        {
            let (socket, peer) = unix_pair();
            (socket, Box::new(peer) as Box<dyn Read + Send>)
        },
    ] {
        let mut queue = OutQueue::new();
        queue.tail().extend_from_slice(b"head");
        let all = FileSpan::new(Arc::clone(&file), 0, data.len() as u64);
        queue.push_file(all);
        queue.tail().extend_from_slice(b"between");
        queue.push_file(FileSpan::new(Arc::clone(&file), 100, 50));
        queue.tail().extend_from_slice(b"end");
        assert_eq!(queue.len(), 4 + data.len() + 7 + 50 + 3);
        let expected = [b"head", &data[..], b"between", &data[100..150], b"end"].concat();
        assert!(drain(queue, socket, peer) == expected);
    }
    assert_eq!(Arc::strong_count(&file), 1);
}

#[test]
fn file_is_sent_in_turns_of_bounded_size() {
    let (socket, mut peer) = tcp_pair();
    let data = patterned(100_000);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head");
    queue.push_file(FileSpan::new(file_of(&data), 0, data.len() as u64));
    for limit in [4, 5000, 30_000] {
        let before = queue.len();
        let flushed = queue.flush_within(&socket, limit).unwrap();
        assert_eq!((flushed, before - queue.len()), (Flushed::Blocked, limit));
    }
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    assert_eq!(read_exactly(&mut peer, 4), b"head");
    assert!(read_exactly(&mut peer, data.len()) == data);
}

#[test]
fn file_that_has_become_shorter_fails_the_stream() {
    let (socket, mut peer) = tcp_pair();
    let file = file_of(b"only this");
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head ");
    queue.push_file(FileSpan::new(Arc::clone(&file), 0, 20));
    queue.tail().extend_from_slice(b"never sent");
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Blocked);
    let error = queue.flush(&socket).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(read_exactly(&mut peer, 14), b"head only this");
    queue.clear();
    assert_eq!(Arc::strong_count(&file), 1);
    drop(socket);
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn file_that_grows_is_sent_as_far_as_was_said() {
    let (socket, mut peer) = tcp_pair();
    let file = file_of(b"0123456789");
    let mut queue = OutQueue::new();
    queue.push_file(FileSpan::new(file, 2, 3));
    assert_eq!(queue.flush(&socket).unwrap(), Flushed::Done);
    drop(socket);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"234");
}

#[test]
fn descriptor_that_the_kernel_cannot_send_from_is_read() {
    let (socket, peer) = tcp_pair();
    let data = patterned(2 * READ_PIECE + 5);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head");
    queue.push_file(FileSpan::new(file_of(&data), 0, data.len() as u64));
    // What `flush` does where `sendfile` says that it can't.
    queue.flush_within(&socket, 4).unwrap();
    queue.read_front(FLUSH_LIMIT).unwrap();
    assert_eq!(queue.len(), data.len());
    assert!(matches!(
        queue.ahead.as_ref().unwrap().chunks[0],
        Chunk::Bytes(_)
    ));
    assert!(drain(queue, socket, peer) == [b"head", &data[..]].concat());
}

#[test]
fn take_all_reads_files_in_pieces() {
    let data = patterned(2 * FLUSH_LIMIT);
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head");
    queue.push_file(FileSpan::new(file_of(&data), 0, data.len() as u64));
    queue.tail().extend_from_slice(b"end");
    let mut got = Vec::new();
    loop {
        let piece = queue.take_all().unwrap();
        assert!(piece.len() <= READ_PIECE + 3);
        if piece.is_empty() {
            break;
        }
        got.extend_from_slice(&piece);
    }
    assert!(got == [b"head", &data[..], b"end"].concat());
    assert!(queue.is_empty());
}

#[test]
fn take_all_gives_what_is_before_a_missing_end_and_then_fails() {
    let mut queue = OutQueue::new();
    queue.tail().extend_from_slice(b"head ");
    queue.push_file(FileSpan::new(file_of(b"this"), 0, 5));
    queue.tail().extend_from_slice(b"never");
    assert_eq!(queue.take_all().unwrap(), b"head this");
    let error = queue.take_all().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
