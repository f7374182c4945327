//! What waits to be sent on one stream.
//!
//! ```text
//!   sent first  ahead: [ shared ][ what was the tail ][ shared ] ...   tail: [ small writes ]  sent last
//! ```
//!
//! Nearly every answer is small, goes into the tail and leaves by one `send(2)`; `ahead` then stays `None`.
//! A big body is put ahead by reference. A tail that the kernel took in part moves ahead as well, so the tail
//! itself never holds a sent byte.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

use crate::socket::{Sent, Socket};

/// The most bytes that one [`OutQueue::flush`] sends, so that a fast reader of a big body does not keep the
/// loop from the other connections.
pub const FLUSH_LIMIT: usize = 1 << 20;

/// Shared owners smaller than this are copied into the tail: a page costs less to copy than to refer to.
pub const COPY_BELOW: usize = 4096;

/// The largest spare that a drained queue keeps for [`OutQueue::take_spare`]; one answer that was larger must
/// not make a caller's spares grow for good.
pub const SPARE_LIMIT: usize = 64 * 1024;

/// How many pieces one `sendmsg(2)` gathers.
const MAX_PIECES: usize = 16;

/// What [`OutQueue::flush`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All is sent.
    Done,
    /// Bytes are left, since the kernel's buffer is full or [`FLUSH_LIMIT`] is reached: flush again when the
    /// stream is writable (level triggered, the poller says so at once in the second case).
    Blocked,
}

/// A queue of bytes for one stream: 40 bytes when empty, and then it owns no memory, unless a spare was lent.
#[derive(Debug, Default)]
pub struct OutQueue {
    tail: Vec<u8>,
    ahead: Option<Box<Ahead>>,
    /// Whether the tail's memory came by `give_spare` and waits for `take_spare`.
    lent: bool,
}

/// What is to be sent before the tail; never empty.
#[derive(Debug, Default)]
struct Ahead {
    chunks: VecDeque<Bytes>,
    /// The bytes in `chunks`.
    len: usize,
}

impl OutQueue {
    /// An empty queue; allocates nothing.
    pub const fn new() -> Self {
        Self {
            tail: Vec::new(),
            ahead: None,
            lent: false,
        }
    }

    /// The buffer to append small writes to. It holds unsent bytes alone; a caller only adds to it.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Adds bytes that someone else owns. From [`COPY_BELOW`] on they are sent from where they are, and the
    /// owner is dropped, during a flush or a clear, as soon as the last of them is sent; smaller ones are
    /// copied and their owner is dropped at once.
    pub fn push_shared(&mut self, owner: Bytes) {
        if owner.len() < COPY_BELOW {
            self.tail.extend_from_slice(&owner);
            return;
        }
        self.move_tail_ahead(0);
        self.push_ahead(owner);
    }

    /// How many bytes wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.tail.len() + self.ahead.as_ref().map_or(0, |ahead| ahead.len)
    }

    /// Whether none wait.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.ahead.is_none()
    }

    /// Sends what waits, at most [`FLUSH_LIMIT`] bytes: one `send(2)` when the tail is all there is, else one
    /// `sendmsg(2)` for every 16 pieces. A call that takes less than it was offered is the last, for the
    /// kernel's buffer is full then.
    ///
    /// # Errors
    /// The stream's failure; what waits is kept for the caller to [`Self::clear`].
    #[inline]
    pub fn flush(&mut self, socket: &Socket) -> io::Result<Flushed> {
        self.flush_within(socket, FLUSH_LIMIT)
    }

    /// [`Self::flush`] of at most `limit` bytes.
    #[inline]
    fn flush_within(&mut self, socket: &Socket, limit: usize) -> io::Result<Flushed> {
        if self.ahead.is_some() || self.tail.len() > limit {
            return self.flush_gathered(socket, limit);
        }
        if self.tail.is_empty() {
            self.release_tail();
            return Ok(Flushed::Done);
        }
        match socket.send(&self.tail)? {
            Sent::Bytes(count) if count >= self.tail.len() => {
                self.release_tail();
                Ok(Flushed::Done)
            }
            Sent::Bytes(count) => {
                self.move_tail_ahead(count);
                Ok(Flushed::Blocked)
            }
            Sent::WouldBlock => Ok(Flushed::Blocked),
        }
    }

    /// Takes all that waits as one piece of memory, for transports that are not sockets.
    pub fn take_all(&mut self) -> Vec<u8> {
        let Some(ahead) = self.ahead.take() else {
            self.lent = false;
            return std::mem::take(&mut self.tail);
        };
        let mut all = Vec::with_capacity(ahead.len + self.tail.len());
        for chunk in &ahead.chunks {
            all.extend_from_slice(chunk);
        }
        all.extend_from_slice(&self.tail);
        self.release_tail();
        all
    }

    /// Forgets all that waits and releases the shared owners.
    pub fn clear(&mut self) {
        self.ahead = None;
        self.release_tail();
    }

    /// Lends `spare`'s memory to the tail; what it holds is forgotten. A queue that has a buffer already drops
    /// it, which can't happen to an empty queue whose last spare was taken back.
    #[inline]
    pub fn give_spare(&mut self, mut spare: Vec<u8>) {
        if self.tail.capacity() == 0 {
            spare.clear();
            self.tail = spare;
            self.lent = true;
        }
    }

    /// Takes the lent memory back, empty, once all is sent: to be asked for after every
    /// [`Flushed::Done`], or an idle connection keeps it. `None` while bytes wait, when none was lent, and when
    /// it had to be given up (a partial send, a shared owner behind it, growth beyond [`SPARE_LIMIT`]).
    #[inline]
    pub fn take_spare(&mut self) -> Option<Vec<u8>> {
        if !self.lent || !self.is_empty() {
            return None;
        }
        self.lent = false;
        Some(std::mem::take(&mut self.tail))
    }

    /// The way of queues with big or many pieces.
    #[cold]
    fn flush_gathered(&mut self, socket: &Socket, mut limit: usize) -> io::Result<Flushed> {
        while limit > 0 && !self.is_empty() {
            let (offered, sent) = self.send_pieces(socket, limit)?;
            let Sent::Bytes(count) = sent else {
                return Ok(Flushed::Blocked);
            };
            self.drop_sent(count);
            if count < offered {
                return Ok(Flushed::Blocked);
            }
            limit = limit.saturating_sub(count);
        }
        if self.is_empty() {
            self.release_tail();
            return Ok(Flushed::Done);
        }
        Ok(Flushed::Blocked)
    }

    /// Offers the first pieces, `limit` bytes at most, in one call; tells how many were offered.
    fn send_pieces(&self, socket: &Socket, limit: usize) -> io::Result<(usize, Sent)> {
        let chunks = self.ahead.iter().flat_map(|ahead| &ahead.chunks);
        let all = chunks.map(|chunk| &chunk[..]).chain([&self.tail[..]]);
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let (mut used, mut offered) = (0, 0);
        for (slot, bytes) in pieces.iter_mut().zip(all) {
            let piece = bytes.get(..limit - offered).unwrap_or(bytes);
            if piece.is_empty() {
                break;
            }
            *slot = IoSlice::new(piece);
            used += 1;
            offered += piece.len();
        }
        let sent = match &pieces[..used] {
            [only] => socket.send(only)?,
            several => socket.send_vectored(several)?,
        };
        Ok((offered, sent))
    }

    /// Takes `count` sent bytes off the front.
    fn drop_sent(&mut self, mut count: usize) {
        if let Some(ahead) = &mut self.ahead {
            count = ahead.drop_sent(count);
            if ahead.chunks.is_empty() {
                self.ahead = None;
            }
        }
        if count >= self.tail.len() {
            self.tail.clear();
        } else if count > 0 {
            self.move_tail_ahead(count);
        }
    }

    /// Moves the tail, without its first `sent` bytes, to the end of what is ahead.
    #[cold]
    fn move_tail_ahead(&mut self, sent: usize) {
        if self.tail.is_empty() {
            return;
        }
        self.lent = false;
        let mut chunk = Bytes::from(std::mem::take(&mut self.tail));
        chunk.advance(sent.min(chunk.len()));
        self.push_ahead(chunk);
    }

    /// Adds a piece to what is ahead.
    fn push_ahead(&mut self, chunk: Bytes) {
        let ahead = self.ahead.get_or_insert_default();
        ahead.len += chunk.len();
        ahead.chunks.push_back(chunk);
    }

    /// Empties the tail and frees its memory, unless it is lent and of a size worth keeping.
    #[inline]
    fn release_tail(&mut self) {
        if self.lent && self.tail.capacity() <= SPARE_LIMIT {
            self.tail.clear();
        } else {
            self.tail = Vec::new();
            self.lent = false;
        }
    }
}

impl Ahead {
    /// Takes `count` sent bytes off the front and tells how many of them were not here.
    fn drop_sent(&mut self, mut count: usize) -> usize {
        while let Some(front) = self.chunks.front_mut() {
            if count < front.len() {
                front.advance(count);
                self.len -= count;
                return 0;
            }
            count -= front.len();
            self.len -= front.len();
            self.chunks.pop_front();
        }
        count
    }
}

#[cfg(test)]
mod tests;
