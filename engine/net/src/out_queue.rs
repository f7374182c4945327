//! What waits to be sent on one stream.
//!
//! ```text
//!   sent first  ahead: [ shared ][ what was the tail ][ file ] ...   tail: [ small writes ]  sent last
//! ```
//!
//! Nearly every answer is small, goes into the tail and leaves by one `send(2)`; `ahead` then stays `None`.
//! A big body is put ahead by reference, one that is in a file as the range that it is. A tail that the kernel took in part moves ahead as well, so the tail
//! itself never holds a sent byte.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

use crate::file_span::FileSpan;
use crate::socket::{FileSent, Sent, Socket};

/// The most bytes that one [`OutQueue::flush`] sends, so that a fast reader of a big body does not keep the
/// loop from the other connections. A MiB and the head before it go in one turn.
pub const FLUSH_LIMIT: usize = (1 << 20) + (16 << 10);

/// What is read of a file at a time where the kernel can't send it.
const READ_PIECE: usize = 128 << 10;

/// Shared owners smaller than this are copied into the tail: a page costs less to copy than to refer to.
pub const COPY_BELOW: usize = 4096;

/// The largest spare that a drained queue keeps for [`OutQueue::take_spare`]; one answer that was larger must
/// not make a caller's spares grow for good.
pub const SPARE_LIMIT: usize = 64 * 1024;

/// What a new spare holds: a response without much of a body.
const FIRST_CAPACITY: usize = 1024;

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
    chunks: VecDeque<Chunk>,
    /// The bytes in `chunks`.
    len: u64,
}

/// A piece of what is ahead; never empty.
#[derive(Debug)]
enum Chunk {
    Bytes(Bytes),
    File(FileSpan),
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
        self.push_ahead(Chunk::Bytes(owner));
    }

    /// Adds a range of a file, to be sent by the kernel where it can. The file is let go, during a flush or a clear, as
    /// soon as the last of it is sent.
    pub fn push_file(&mut self, span: FileSpan) {
        if !span.is_empty() {
            self.move_tail_ahead(0);
            self.push_ahead(Chunk::File(span));
        }
    }

    /// How many bytes wait.
    #[inline]
    pub fn len(&self) -> usize {
        let ahead = self.ahead.as_ref().map_or(0, |ahead| ahead.len);
        usize::try_from(ahead).map_or(usize::MAX, |ahead| self.tail.len().saturating_add(ahead))
    }

    /// Whether none wait.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.ahead.is_none()
    }

    /// Sends what waits, at most [`FLUSH_LIMIT`] bytes: one `send(2)` when the tail is all there is, else one
    /// `sendmsg(2)` for every 16 pieces and one `sendfile(2)` for each range of a file. A call that takes less than it was offered is the last, for the
    /// kernel's buffer is full then.
    ///
    /// # Errors
    /// The stream's failure, or a file's: `UnexpectedEof` where it has become shorter than what is to be sent. What
    /// waits is kept for the caller to [`Self::clear`]; nothing can follow on this stream.
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

    /// Takes what waits as one piece of memory, for transports that are not sockets. Of files only a piece at
    /// a time: while it gives any bytes there may be more.
    ///
    /// # Errors
    /// What reading a file fails of; what was before that in the queue has been given before.
    pub fn take_all(&mut self) -> io::Result<Vec<u8>> {
        let Some(mut ahead) = self.ahead.take() else {
            self.lent = false;
            return Ok(std::mem::take(&mut self.tail));
        };
        let mut all = Vec::new();
        while let Some(chunk) = ahead.chunks.pop_front() {
            let mut span = match chunk {
                Chunk::Bytes(bytes) => {
                    ahead.len -= bytes.len() as u64;
                    all.extend_from_slice(&bytes);
                    continue;
                }
                Chunk::File(span) => span,
            };
            let read = span.read(READ_PIECE.saturating_sub(all.len()));
            ahead.len -= read.as_ref().map_or(0, Vec::len) as u64;
            if !span.is_empty() {
                ahead.chunks.push_front(Chunk::File(span));
            }
            match read {
                Ok(bytes) if all.is_empty() => all = bytes,
                Ok(bytes) => all.extend_from_slice(&bytes),
                Err(error) if all.is_empty() => {
                    self.ahead = Some(ahead);
                    return Err(error);
                }
                Err(_) => {}
            }
            if matches!(ahead.chunks.front(), Some(Chunk::File(_))) {
                self.ahead = Some(ahead);
                return Ok(all);
            }
        }
        all.extend_from_slice(&self.tail);
        self.release_tail();
        Ok(all)
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
            let (offered, sent) = match self.front_file() {
                Some(span) => match send_span(span, socket, limit)? {
                    Some(outcome) => outcome,
                    None => {
                        self.read_front(limit)?;
                        continue;
                    }
                },
                None => self.send_pieces(socket, limit)?,
            };
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

    /// The range of a file that is to be sent next, if there is one.
    fn front_file(&mut self) -> Option<&mut FileSpan> {
        match self.ahead.as_mut()?.chunks.front_mut()? {
            Chunk::File(span) => Some(span),
            Chunk::Bytes(_) => None,
        }
    }

    /// Puts the first bytes of the file that is to be sent next before it.
    fn read_front(&mut self, limit: usize) -> io::Result<()> {
        let Some(span) = self.front_file() else {
            return Ok(());
        };
        let bytes = Bytes::from(span.read(READ_PIECE.min(limit))?);
        let is_over = span.is_empty();
        if let Some(ahead) = &mut self.ahead {
            if is_over {
                ahead.chunks.pop_front();
            }
            ahead.chunks.push_front(Chunk::Bytes(bytes));
        }
        Ok(())
    }

    /// Offers the first pieces, up to a file and `limit` bytes at most, in one call; tells how many were offered.
    fn send_pieces(&self, socket: &Socket, limit: usize) -> io::Result<(usize, Sent)> {
        let chunks = self.ahead.iter().flat_map(|ahead| &ahead.chunks);
        let mut file_follows = false;
        let all = chunks
            .map(|chunk| match chunk {
                Chunk::Bytes(bytes) => Some(&bytes[..]),
                Chunk::File(_) => None,
            })
            .chain([Some(&self.tail[..])]);
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let (mut used, mut offered) = (0, 0);
        for (slot, bytes) in pieces.iter_mut().zip(all) {
            let Some(bytes) = bytes else {
                file_follows = offered < limit;
                break;
            };
            let piece = bytes.get(..limit - offered).unwrap_or(bytes);
            if piece.is_empty() {
                break;
            }
            *slot = IoSlice::new(piece);
            used += 1;
            offered += piece.len();
        }
        let sent = match &pieces[..used] {
            some if file_follows => socket.send_before_more(some)?,
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
        self.push_ahead(Chunk::Bytes(chunk));
    }

    /// Adds a piece to what is ahead.
    fn push_ahead(&mut self, chunk: Chunk) {
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
            let len = front.len();
            // No more than what was sent in one call, which is counted in usize.
            let Some(whole) = usize::try_from(len).ok().filter(|len| *len <= count) else {
                front.advance(count);
                self.len -= count as u64;
                return 0;
            };
            count -= whole;
            self.len -= len;
            self.chunks.pop_front();
        }
        count
    }
}

impl Chunk {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(span) => span.len(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count.min(bytes.len())),
            Self::File(span) => span.advance(count as u64),
        }
    }
}

/// Lets the kernel send the next bytes of a file, `limit` at most, and tells how many were offered; `None` if it can't.
fn send_span(span: &FileSpan, socket: &Socket, limit: usize) -> io::Result<Option<(usize, Sent)>> {
    let offered = usize::try_from(span.len()).map_or(limit, |left| left.min(limit));
    Ok(
        match socket.send_file(span.file(), span.offset(), offered)? {
            FileSent::Bytes(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            FileSent::Bytes(count) => Some((offered, Sent::Bytes(count))),
            FileSent::WouldBlock => Some((offered, Sent::WouldBlock)),
            FileSent::Unable => None,
        },
    )
}

/// Memory for the queues of the connections that are being answered, so that idle connections own none and a response needs
/// no allocation.
#[derive(Debug)]
pub struct Spares {
    kept: Vec<Vec<u8>>,
    limit: usize,
}

impl Spares {
    /// None so far; `limit` of them are kept at a time.
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Vec::with_capacity(limit),
            limit,
        }
    }

    /// Lends one to `queue`, unless that has memory already.
    #[inline]
    pub fn lend(&mut self, queue: &mut OutQueue) {
        if queue.tail.capacity() == 0 {
            let spare = self.kept.pop();
            queue.give_spare(spare.unwrap_or_else(|| Vec::with_capacity(FIRST_CAPACITY)));
        }
    }

    /// Takes it back, once all is sent.
    #[inline]
    pub fn take_back(&mut self, queue: &mut OutQueue) {
        let spare = queue.take_spare();
        if self.kept.len() < self.limit {
            self.kept.extend(spare);
        }
    }
}

#[cfg(test)]
mod tests;
