use std::collections::HashSet;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::*;
use crate::socket::{Received, Sent, Socket};
use crate::testing::{allocations_of, await_readable, tcp_pair, unix_pair, PATIENCE};

const SOON: Option<Duration> = Some(PATIENCE);
const NOW: Option<Duration> = Some(Duration::ZERO);
/// Whether the backend is Linux's own, which tells a half close as a hang-up.
const NATIVE: bool = cfg!(all(target_os = "linux", not(feature = "portable")));

fn wait(poller: &Poller, timeout: Option<Duration>) -> Vec<Readiness> {
    let mut events = Events::new();
    let woken = poller.wait(&mut events, timeout).unwrap();
    let found: Vec<_> = events.iter().collect();
    match woken {
        Woken::Ready(count) => assert_eq!(count, found.len()),
        Woken::TimedOut => assert!(found.is_empty()),
        Woken::Interrupted => panic!("no signal was sent"),
    }
    found
}

fn watched(token: u64, interest: Interest) -> (Poller, Socket, TcpStream) {
    let (socket, peer) = tcp_pair();
    let poller = Poller::new().unwrap();
    poller.add(&socket, token, interest).unwrap();
    (poller, socket, peer)
}

#[test]
fn poller_and_events_can_move_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Poller>();
    check::<Events>();
}

#[test]
fn readable_is_told_until_it_is_read() {
    let (poller, socket, mut peer) = watched(5, Interest::READ);
    assert_eq!(wait(&poller, NOW), []);
    peer.write_all(b"x").unwrap();
    let expected = [Readiness {
        token: 5,
        readable: true,
        writable: false,
        hangup: false,
    }];
    for _ in 0..3 {
        assert_eq!(wait(&poller, SOON), expected);
    }
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), Received::Bytes(1));
    assert_eq!(wait(&poller, NOW), []);
}

#[test]
fn edge_is_told_once_for_each_arrival() {
    let (poller, socket, mut peer) = watched(5, Interest::READ_EDGE);
    for _ in 0..2 {
        peer.write_all(b"xy").unwrap();
        assert_eq!(wait(&poller, SOON).len(), 1);
        // Other backends go on telling.
        assert_eq!(wait(&poller, NOW).is_empty(), NATIVE);
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), Received::Bytes(2));
    }
    assert_eq!(wait(&poller, NOW), []);
}

#[test]
fn modify_tells_again_what_is_left_behind_an_edge() {
    let (poller, socket, mut peer) = watched(5, Interest::READ_EDGE);
    peer.write_all(b"xyz").unwrap();
    assert_eq!(wait(&poller, SOON).len(), 1);
    assert_eq!(socket.recv(&mut [0; 2]).unwrap(), Received::Bytes(2));
    poller.modify(&socket, 5, Interest::READ_EDGE).unwrap();
    assert_eq!(wait(&poller, SOON).len(), 1);
}

#[test]
fn edge_of_bytes_tells_of_the_end_behind_them() {
    let (poller, socket, mut peer) = watched(5, Interest::READ_EDGE);
    peer.write_all(b"xyz").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    await_readable(&socket);
    let told = wait(&poller, SOON);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].hangup, NATIVE);
}

#[test]
fn tokens_come_back_whole() {
    for token in [0, 1, u64::from(u32::MAX) + 1, 1 << 63, u64::MAX - 1] {
        let (poller, socket, _peer) = watched(token, Interest::WRITE);
        assert_eq!(wait(&poller, SOON)[0].token, token);
        poller
            .modify(&socket, !token >> 1, Interest::WRITE)
            .unwrap();
        assert_eq!(wait(&poller, SOON)[0].token, !token >> 1);
    }
}

#[test]
fn reserved_token_is_refused() {
    let (socket, _peer) = tcp_pair();
    let poller = Poller::new().unwrap();
    let error = poller.add(&socket, u64::MAX, Interest::READ).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    poller.add(&socket, 1, Interest::READ).unwrap();
    let error = poller.modify(&socket, u64::MAX, Interest::READ);
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn interest_decides_what_is_told() {
    let (poller, socket, mut peer) = watched(1, Interest::BOTH);
    peer.write_all(b"x").unwrap();
    await_readable(&socket);
    let told = |poller: &Poller| {
        let events = wait(poller, NOW);
        (
            events.iter().any(|event| event.readable),
            events.iter().any(|event| event.writable),
        )
    };
    assert_eq!(told(&poller), (true, true));
    for (interest, expected) in [
        (Interest::READ, (true, false)),
        (Interest::WRITE, (false, true)),
        (Interest::NONE, (false, false)),
    ] {
        poller.modify(&socket, 1, interest).unwrap();
        assert_eq!(told(&poller), expected);
    }
}

#[test]
fn writable_is_told_when_a_full_socket_drains() {
    let (socket, mut peer) = unix_pair();
    let poller = Poller::new().unwrap();
    let mut total = 0;
    while let Sent::Bytes(count) = socket.send(&[0; 4096]).unwrap() {
        total += count;
    }
    poller.add(&socket, 1, Interest::WRITE).unwrap();
    assert_eq!(wait(&poller, NOW), []);
    crate::testing::read_exactly(&mut peer, total);
    assert!(wait(&poller, SOON)[0].writable);
}

#[test]
fn removed_descriptor_is_silent_and_can_come_back() {
    let (poller, socket, mut peer) = watched(1, Interest::READ);
    peer.write_all(b"x").unwrap();
    assert_eq!(wait(&poller, SOON).len(), 1);
    poller.remove(&socket).unwrap();
    assert_eq!(wait(&poller, NOW), []);
    assert!(poller.modify(&socket, 1, Interest::READ).is_err());
    assert!(poller.remove(&socket).is_err());
    poller.add(&socket, 2, Interest::READ).unwrap();
    assert_eq!(wait(&poller, SOON)[0].token, 2);
}

#[test]
fn closing_ends_the_watch() {
    let (poller, socket, mut peer) = watched(1, Interest::READ);
    peer.write_all(b"x").unwrap();
    assert_eq!(wait(&poller, SOON).len(), 1);
    drop(socket);
    assert_eq!(wait(&poller, NOW), []);
    // The number of the closed descriptor is soon another's.
    let (again, _peer) = tcp_pair();
    poller.add(&again, 2, Interest::WRITE).unwrap();
    assert_eq!(wait(&poller, SOON)[0].token, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn descriptor_added_twice_is_an_error() {
    let (poller, socket, _peer) = watched(1, Interest::READ);
    let error = poller.add(&socket, 2, Interest::READ).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn half_close_is_readable_and_goes_quiet_without_interest_in_reading() {
    let (poller, socket, peer) = watched(1, Interest::READ);
    peer.shutdown(Shutdown::Write).unwrap();
    let event = wait(&poller, SOON)[0];
    assert!(event.readable && !event.writable);
    assert_eq!(event.hangup, NATIVE);
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), Received::Eof);
    poller.modify(&socket, 1, Interest::NONE).unwrap();
    assert_eq!(wait(&poller, NOW), []);
}

#[cfg(target_os = "linux")]
#[test]
fn reset_is_told_unasked() {
    let (poller, socket, peer) = watched(1, Interest::NONE);
    let peer = Socket::from_fd(peer.into()).unwrap();
    peer.reset_on_close().unwrap();
    drop(peer);
    let expected = Readiness {
        token: 1,
        readable: true,
        writable: true,
        hangup: true,
    };
    assert_eq!(wait(&poller, SOON), [expected]);
    assert!(socket.recv(&mut [0; 8]).is_err());
}

#[test]
fn wait_without_events_takes_its_time() {
    let (poller, _socket, _peer) = watched(1, Interest::READ);
    let mut events = Events::new();
    let begun = Instant::now();
    let pause = Duration::from_millis(30);
    assert_eq!(
        poller.wait(&mut events, Some(pause)).unwrap(),
        Woken::TimedOut
    );
    assert!(begun.elapsed() >= pause);
    assert_eq!(poller.wait(&mut events, NOW).unwrap(), Woken::TimedOut);
}

#[test]
fn shortest_wait_is_rounded_up_and_longest_is_taken() {
    let (poller, socket, _peer) = watched(1, Interest::READ);
    let begun = Instant::now();
    assert_eq!(wait(&poller, Some(Duration::from_nanos(1))), []);
    assert!(begun.elapsed() >= Duration::from_nanos(1));
    poller.modify(&socket, 1, Interest::WRITE).unwrap();
    assert_eq!(wait(&poller, Some(Duration::MAX)).len(), 1);
    assert_eq!(wait(&poller, None).len(), 1);
}

#[test]
fn events_are_cleared_before_they_are_filled() {
    let (poller, socket, _peer) = watched(1, Interest::WRITE);
    let mut events = Events::default();
    assert_eq!(poller.wait(&mut events, SOON).unwrap(), Woken::Ready(1));
    assert_eq!((events.len(), events.get(0).unwrap().token), (1, 1));
    poller.remove(&socket).unwrap();
    assert_eq!(poller.wait(&mut events, NOW).unwrap(), Woken::TimedOut);
    assert!(events.is_empty() && events.get(0).is_none());
}

/// A poller with `count` writable sockets, their tokens counted from 0.
fn crowd(count: u64) -> (Poller, Vec<Socket>) {
    let poller = Poller::new().unwrap();
    let mut sockets = Vec::new();
    for token in (0..count).step_by(2) {
        let (ours, theirs) = unix_pair();
        let theirs = Socket::from_fd(theirs.into()).unwrap();
        poller.add(&ours, token, Interest::WRITE).unwrap();
        poller.add(&theirs, token + 1, Interest::WRITE).unwrap();
        sockets.extend([ours, theirs]);
    }
    (poller, sockets)
}

#[test]
fn more_ready_than_fit_come_in_turn() {
    let (poller, _sockets) = crowd(100);
    let mut events = Events::with_capacity(16);
    let mut told = HashSet::new();
    for _ in 0..2 * 100_usize.div_ceil(16) {
        assert_eq!(poller.wait(&mut events, NOW).unwrap(), Woken::Ready(16));
        told.extend(events.iter().map(|event| event.token));
    }
    assert_eq!(told.len(), 100);
}

#[test]
fn many_ready_are_told_in_one_wait() {
    let (poller, _sockets) = crowd(256);
    let told: HashSet<_> = wait(&poller, SOON)
        .iter()
        .map(|event| event.token)
        .collect();
    assert_eq!(told, (0..256).collect());
}

#[test]
fn listener_is_readable_while_its_queue_is_not_empty() {
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = bound.local_addr().unwrap();
    let listener = crate::Listener::from_fd(bound.into()).unwrap();
    let poller = Poller::new().unwrap();
    poller.add(listener.fd(), 9, Interest::READ).unwrap();
    let _clients = [
        TcpStream::connect(addr).unwrap(),
        TcpStream::connect(addr).unwrap(),
    ];
    for _ in 0..2 {
        assert_eq!(wait(&poller, SOON)[0].token, 9);
        assert!(listener.accept().unwrap().is_some());
    }
    assert_eq!(wait(&poller, NOW), []);
}

#[test]
fn descriptor_of_the_poller_is_readable_while_something_is_ready() {
    let (inner, socket, mut peer) = watched(1, Interest::READ);
    let outer = Poller::new().unwrap();
    // SAFETY: `inner` and with it the descriptor live to the end of the test.
    let fd = unsafe { BorrowedFd::borrow_raw(inner.as_raw_fd()) };
    outer.add(fd, 2, Interest::READ).unwrap();
    assert_eq!(wait(&outer, NOW), []);
    peer.write_all(b"x").unwrap();
    assert_eq!(wait(&outer, SOON)[0].token, 2);
    // A wait in between takes nothing away as long as the bytes are there.
    assert_eq!(wait(&inner, NOW).len(), 1);
    assert_eq!(wait(&outer, NOW).len(), 1);
    socket.recv(&mut [0; 8]).unwrap();
    assert_eq!(wait(&outer, NOW), []);
}

#[test]
fn wait_does_not_allocate() {
    let (poller, _socket, _peer) = watched(1, Interest::WRITE);
    let mut events = Events::new();
    poller.wait(&mut events, SOON).unwrap();
    let allocations = allocations_of(|| {
        for _ in 0..10 {
            poller.wait(&mut events, SOON).unwrap();
        }
    });
    assert_eq!(allocations, 0);
}

extern "C" fn ignore_signal(_: libc::c_int) {}

#[test]
fn signal_ends_the_wait() {
    let handler: extern "C" fn(libc::c_int) = ignore_signal;
    // SAFETY: the handler does nothing. glibc's `signal` asks for calls to be restarted, which these are not.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    let (poller, _socket, _peer) = watched(1, Interest::READ);
    // SAFETY: no preconditions.
    let this_thread = unsafe { libc::pthread_self() };
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let sender = std::thread::spawn(move || {
        // Again and again, in case a signal comes before the wait has begun.
        while stopped.recv_timeout(Duration::from_millis(20)).is_err() {
            // SAFETY: the thread that waits joins this one before it ends.
            unsafe { libc::pthread_kill(this_thread, libc::SIGUSR1) };
        }
    });
    let mut events = Events::new();
    let woken = poller.wait(&mut events, SOON);
    stop.send(()).unwrap();
    sender.join().unwrap();
    assert_eq!(woken.unwrap(), Woken::Interrupted);
    assert!(events.is_empty());
}
