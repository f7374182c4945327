//! Bytes of an open file that wait to be sent.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::retry::retry_interrupted;

/// A range of an open file. The descriptor is shared, and closed with the last of its holders.
///
/// A file may change while it is sent. One that grows is sent as far as was said; one that has become shorter
/// is an error of kind `UnexpectedEof`, since nothing else may stand in place of the bytes that are missing.
#[derive(Clone, Debug)]
pub struct FileSpan {
    file: Arc<OwnedFd>,
    offset: u64,
    left: u64,
}

impl FileSpan {
    /// `length` bytes of `file` from `offset` on.
    pub fn new(file: Arc<OwnedFd>, offset: u64, length: u64) -> Self {
        Self {
            file,
            offset,
            left: length,
        }
    }

    /// Another range of the same file.
    pub fn range(&self, offset: u64, length: u64) -> Self {
        Self::new(Arc::clone(&self.file), offset, length)
    }

    /// How many bytes are left.
    #[inline]
    pub fn len(&self) -> u64 {
        self.left
    }

    /// Whether none are left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Where in the file the next byte is.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file.
    #[inline]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Goes on behind the next `count` bytes.
    pub fn advance(&mut self, count: u64) {
        let count = count.min(self.left);
        self.offset += count;
        self.left -= count;
    }

    /// Cuts the range to its first `length` bytes, if it has more.
    pub fn truncate(&mut self, length: u64) {
        self.left = self.left.min(length);
    }

    /// Reads the next bytes, at most `most` of them, and goes on behind them. Fewer only where the range ends,
    /// or the file does.
    ///
    /// # Errors
    /// What `pread(2)` says; `UnexpectedEof` if the file has none of the bytes that are left.
    pub fn read(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let wanted = usize::try_from(self.left).map_or(most, |left| left.min(most));
        let mut bytes = vec![0; wanted];
        let mut got = 0;
        while let Some(room) = bytes.get_mut(got..).filter(|room| !room.is_empty()) {
            let at = self.offset + got as u64;
            match retry_interrupted(|| rustix::io::pread(&self.file, &mut *room, at))? {
                0 => break,
                count => got += count,
            }
        }
        if got == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(got);
        self.advance(got as u64);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{file_of, patterned};

    #[test]
    fn read_goes_on_piece_by_piece_and_stays_within() {
        let data = patterned(1000);
        let mut span = FileSpan::new(file_of(&data), 100, 250);
        assert_eq!(span.read(200).unwrap(), &data[100..300]);
        assert_eq!((span.len(), span.offset()), (50, 300));
        assert_eq!(span.read(200).unwrap(), &data[300..350]);
        assert!(span.is_empty());
        assert_eq!(span.read(200).unwrap(), b"");
    }

    #[test]
    fn read_of_a_file_that_ends_early_gives_what_is_there_and_then_fails() {
        let mut span = FileSpan::new(file_of(b"short"), 0, 10);
        assert_eq!(span.read(10).unwrap(), b"short");
        assert_eq!(span.len(), 5);
        let error = span.read(10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn truncate_only_shortens() {
        let mut span = FileSpan::new(file_of(b"0123456789"), 2, 5);
        span.truncate(9);
        assert_eq!(span.len(), 5);
        span.truncate(3);
        assert_eq!(span.read(10).unwrap(), b"234");
    }
}
