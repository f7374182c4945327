//! Field lines cut into names and values, and how their places are kept (RFC 9112 section 5).

use crate::grammar::{is_field_byte, token_run};

/// Where a field stands in the head's bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::http1) struct FieldSpan {
    pub(in crate::http1) name_start: u32,
    pub(in crate::http1) name_len: u32,
    pub(in crate::http1) value_start: u32,
    pub(in crate::http1) value_len: u32,
}

impl FieldSpan {
    /// Bytes of a span as it is kept beside a head's bytes.
    pub(in crate::http1) const PACKED: usize = 16;

    /// One number of all four, so that packing is a single store.
    #[inline]
    pub(in crate::http1) fn pack(self) -> [u8; Self::PACKED] {
        let names = u64::from(self.name_start) | u64::from(self.name_len) << 32;
        let values = u64::from(self.value_start) | u64::from(self.value_len) << 32;
        (u128::from(names) | u128::from(values) << 64).to_ne_bytes()
    }

    #[inline]
    pub(in crate::http1) fn unpack(packed: &[u8]) -> Self {
        let number = packed
            .first_chunk()
            .map_or(0, |bytes| u128::from_ne_bytes(*bytes));
        FieldSpan {
            name_start: number as u32,
            name_len: (number >> 32) as u32,
            value_start: (number >> 64) as u32,
            value_len: (number >> 96) as u32,
        }
    }

    /// Name and value, out of the head that they stand in.
    #[inline]
    pub(in crate::http1) fn of(self, head: &[u8]) -> (&[u8], &[u8]) {
        (
            span(head, self.name_start, self.name_len),
            span(head, self.value_start, self.value_len),
        )
    }
}

#[inline]
pub(in crate::http1) fn span(bytes: &[u8], start: u32, len: u32) -> &[u8] {
    let start = start as usize;
    bytes.get(start..start + len as usize).unwrap_or_default()
}

/// A line behind the first one of a head.
pub(in crate::http1) enum Line {
    /// A field: where it stands, and where the line's content ends. The next line begins two bytes behind that.
    Field { span: FieldSpan, end: usize },
    /// The empty line, and where the head ends.
    Empty { end: usize },
}

/// Cuts the line that begins at `start`. `None` if it isn't all there, or not as RFC 9112 has it: [`super::scan`] knows
/// which, and why. `head` is no longer than 32 bits can count.
#[inline]
pub(in crate::http1) fn cut_line(head: &[u8], start: usize) -> Option<Line> {
    let line = head.get(start..)?;
    if let [b'\r', rest @ ..] = line {
        return (rest.first() == Some(&b'\n')).then_some(Line::Empty { end: start + 2 });
    }
    let name_len = token_run(line);
    if name_len == 0 || line.get(name_len) != Some(&b':') {
        return None;
    }
    let mut value_at = name_len + 1;
    while let Some(b' ' | b'\t') = line.get(value_at) {
        value_at += 1;
    }
    let end = value_at + first_unfit(line.get(value_at..)?)?;
    if line.get(end..end + 2) != Some(b"\r\n") {
        return None;
    }
    let mut value_end = end;
    while let (true, Some(b' ' | b'\t')) = (value_end > value_at, line.get(value_end - 1)) {
        value_end -= 1;
    }
    let span = FieldSpan {
        name_start: start as u32,
        name_len: name_len as u32,
        value_start: (start + value_at) as u32,
        value_len: (value_end - value_at) as u32,
    };
    Some(Line::Field {
        span,
        end: start + end,
    })
}

/// Where the first byte is that can't stand in a field value (RFC 9110 section 5.5), eight at a time.
#[inline]
fn first_unfit(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        // A byte's high bit is set where it is below 0x20, or where it is 0x7f. A borrow may set more of them, but only
        // above one that is rightly set, and the lowest is all that counts. A tab is found, too.
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES) & !(word ^ (ONES * 0x7f));
        let found = (control | delete) & HIGH;
        if found == 0 {
            at += 8;
            continue;
        }
        at += found.trailing_zeros() as usize / 8;
        if bytes.get(at) != Some(&b'\t') {
            return Some(at);
        }
        at += 1;
    }
    let rest = bytes.get(at..)?;
    Some(at + rest.iter().position(|&byte| !is_field_byte(byte))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_unfit_finds_each_byte_wherever_it_stands() {
        for length in 0..40 {
            assert_eq!(first_unfit(&vec![b'v'; length]), None);
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'v'; length];
                    bytes[place] = byte;
                    let expected = (!is_field_byte(byte)).then_some(place);
                    assert_eq!(
                        first_unfit(&bytes),
                        expected,
                        "{byte:#x} at {place} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn first_unfit_is_the_lowest_of_several() {
        for first in [0u8, 0x1f, b'\r', 0x7f, b'\t', b' ', 0x80, 0xff] {
            for second in [0u8, 0x1f, b'\n', 0x7f, b'\t', b' ', 0x80, 0xff] {
                for gap in 0..18 {
                    let mut bytes = vec![b'v'; 20];
                    bytes[1] = first;
                    bytes[2 + gap] = second;
                    let expected = bytes.iter().position(|&byte| !is_field_byte(byte));
                    assert_eq!(
                        first_unfit(&bytes),
                        expected,
                        "{first:#x} {second:#x} {gap}"
                    );
                }
            }
        }
    }

    fn cut(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        match cut_line(line, 0)? {
            Line::Field { span, end } => {
                assert_eq!(end + 2, line.len());
                let (name, value) = span.of(line);
                Some((name.to_vec(), value.to_vec()))
            }
            Line::Empty { .. } => Some((vec![], vec![])),
        }
    }

    #[test]
    fn line_is_cut_at_its_colon_and_its_value_trimmed() {
        for (line, name, value) in [
            (&b"A:b\r\n"[..], "A", "b"),
            (b"Name:  \t value \t \r\n", "Name", "value"),
            (b"n:\r\n", "n", ""),
            (b"n: \t\r\n", "n", ""),
            (b"n:a\tb: c\r\n", "n", "a\tb: c"),
            (b"n:\xff\x80\r\n", "n", "\u{0}"),
        ] {
            let (found, content) = cut(line).unwrap();
            assert_eq!(found, name.as_bytes());
            if value != "\u{0}" {
                assert_eq!(content, value.as_bytes());
            }
        }
        assert_eq!(cut(b"\r\n"), Some((vec![], vec![])));
    }

    #[test]
    fn line_that_is_wrong_or_not_all_there_is_not_cut() {
        for line in [
            &b""[..],
            b"\r",
            b"\rX",
            b"\n",
            b"A",
            b"A:",
            b"A:b",
            b"A:b\r",
            b"A:b\n",
            b"A:b\rX",
            b":b\r\n",
            b"A :b\r\n",
            b" A:b\r\n",
            b"A\r\n",
            b"A:b\0\r\n",
            b"A:b\x7f\r\n",
            b"A:b\x1b\r\n",
            b"(A):b\r\n",
        ] {
            assert!(cut(line).is_none(), "{}", line.escape_ascii());
        }
    }
}
