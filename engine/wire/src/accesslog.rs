//! Access log lines. Whatever a peer sends, a record stays one line, and no control byte and no byte that isn't ASCII
//! leaves, so that reading a log with `tail` or `cat` can't be used against who reads it.

use std::time::Duration;

use crate::calendar::Moment;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What is logged of one exchange. All byte strings are as the peer sent them.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// When the request came, in seconds since the epoch.
    pub time: u64,
    /// The address the request came from, or a trusted proxy says it came from; `None` where there is none.
    pub client: Option<&'a [u8]>,
    /// The method.
    pub method: &'a [u8],
    /// The request target.
    pub target: &'a [u8],
    /// The protocol with its version, such as `HTTP/1.1`.
    pub protocol: &'a [u8],
    /// The status code of the final response.
    pub status: u16,
    /// Bytes of the response's body, without its framing.
    pub bytes: u64,
    /// From the request's first byte to the response's last one.
    pub duration: Duration,
    /// The Referer field.
    pub referer: Option<&'a [u8]>,
    /// The User-Agent field.
    pub user_agent: Option<&'a [u8]>,
}

impl AccessRecord<'_> {
    /// Appends the line of Twisted's combined format, which quotes the address too, and a line feed:
    /// `"IP" - - [06/Nov/1994:08:49:37 +0000] "METHOD TARGET PROTOCOL" CODE BYTES "REFERER" "AGENT"`.
    /// What is missing is `-`, as are no bytes. Quotes and backslashes have a backslash before them, other bytes than
    /// visible ASCII and space are `\t`, `\n`, `\r` or `\xNN`, as Python's `repr` has them.
    pub fn combined(&self, out: &mut Vec<u8>) {
        out.reserve(128 + self.target.len() + self.user_agent.map_or(0, <[u8]>::len));
        out.push(b'"');
        escape_python(out, self.client.unwrap_or(b"-"));
        out.extend_from_slice(b"\" - - ");
        out.extend_from_slice(&Moment::at(self.time).log_form());
        out.extend_from_slice(b" \"");
        escape_python(out, self.method);
        out.push(b' ');
        escape_python(out, self.target);
        out.push(b' ');
        escape_python(out, self.protocol);
        out.extend_from_slice(b"\" ");
        push_number(out, u64::from(self.status));
        out.push(b' ');
        match self.bytes {
            0 => out.push(b'-'),
            bytes => push_number(out, bytes),
        }
        out.extend_from_slice(b" \"");
        escape_python(out, self.referer.unwrap_or(b"-"));
        out.extend_from_slice(b"\" \"");
        escape_python(out, self.user_agent.unwrap_or(b"-"));
        out.extend_from_slice(b"\"\n");
    }

    /// Appends the record as one line of JSON and a line feed, with the members `time` (RFC 3339), `client`, `method`,
    /// `target`, `protocol`, `status`, `bytes`, `duration_ms` (three decimals), `referer` and `user_agent`; what is
    /// missing is null. The line is pure ASCII. Bytes are read as UTF-8; what isn't that is U+FFFD.
    pub fn json(&self, out: &mut Vec<u8>) {
        out.reserve(256 + self.target.len() + self.user_agent.map_or(0, <[u8]>::len));
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(&Moment::at(self.time).iso_form());
        out.push(b'"');
        push_member(out, b"client", self.client);
        push_member(out, b"method", Some(self.method));
        push_member(out, b"target", Some(self.target));
        push_member(out, b"protocol", Some(self.protocol));
        out.extend_from_slice(b",\"status\":");
        push_number(out, u64::from(self.status));
        out.extend_from_slice(b",\"bytes\":");
        push_number(out, self.bytes);
        out.extend_from_slice(b",\"duration_ms\":");
        push_milliseconds(out, self.duration);
        push_member(out, b"referer", self.referer);
        push_member(out, b"user_agent", self.user_agent);
        out.extend_from_slice(b"}\n");
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Milliseconds with three decimals, the rest cut off.
fn push_milliseconds(out: &mut Vec<u8>, duration: Duration) {
    push_number(out, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    let micros = duration.subsec_micros() % 1000;
    out.push(b'.');
    out.extend([micros / 100, micros / 10 % 10, micros % 10].map(|digit| b'0' + digit as u8));
}

/// Appends `bytes` so that it can stand between double quotes, escaped as Python does it in a `repr`.
fn escape_python(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\x");
                push_hex(out, u16::from(byte), 2);
            }
        }
    }
}

/// Appends `,"name":` and the value as a JSON string or null.
fn push_member(out: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
    let Some(value) = value else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'"');
    for chunk in value.utf8_chunks() {
        chunk
            .valid()
            .chars()
            .for_each(|character| push_json_character(out, character));
        if !chunk.invalid().is_empty() {
            push_json_character(out, char::REPLACEMENT_CHARACTER);
        }
    }
    out.push(b'"');
}

fn push_json_character(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        ' '..='~' => out.push(character as u8),
        _ => {
            // JSON escapes are UTF-16 units (RFC 8259 section 7).
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                push_hex(out, *unit, 4);
            }
        }
    }
}

/// Appends the lowest `digits` hexadecimal digits of `number`.
fn push_hex(out: &mut Vec<u8>, number: u16, digits: u32) {
    for place in (0..digits).rev() {
        out.push(
            HEX.get(usize::from(number >> (4 * place) & 15))
                .copied()
                .unwrap_or(b'0'),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::AccessRecord;

    fn record() -> AccessRecord<'static> {
        AccessRecord {
            time: 784_111_777,
            client: Some(b"127.0.0.1"),
            method: b"GET",
            target: b"/buy",
            protocol: b"HTTP/1.1",
            status: 402,
            bytes: 46,
            duration: Duration::from_micros(1_002_003),
            referer: None,
            user_agent: Some(b"curl/8"),
        }
    }

    fn combined(record: AccessRecord<'_>) -> String {
        let mut out = Vec::new();
        record.combined(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn json(record: AccessRecord<'_>) -> String {
        let mut out = Vec::new();
        record.json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn combined_line_is_as_twisted_writes_it() {
        let expected = r#""127.0.0.1" - - [06/Nov/1994:08:49:37 +0000] "GET /buy HTTP/1.1" 402 46 "-" "curl/8""#;
        assert_eq!(combined(record()), format!("{expected}\n"));
    }

    #[test]
    fn combined_line_has_dashes_for_what_is_missing() {
        let line = combined(AccessRecord {
            client: None,
            bytes: 0,
            user_agent: None,
            ..record()
        });
        let expected = r#""-" - - [06/Nov/1994:08:49:37 +0000] "GET /buy HTTP/1.1" 402 - "-" "-""#;
        assert_eq!(line, format!("{expected}\n"));
    }

    #[test]
    fn combined_line_is_escaped_as_python_does() {
        let agent = b"it's \"a\\b\" \t\r\n\x1b[31m\0\x7f\xff";
        let line = combined(AccessRecord {
            user_agent: Some(agent),
            ..record()
        });
        let expected = r#""it's \"a\\b\" \t\r\n\x1b[31m\x00\x7f\xff""#;
        assert!(line.ends_with(&format!(" {expected}\n")), "{line}");
    }

    #[test]
    fn json_line_has_all_members() {
        let expected = r#"{"time":"1994-11-06T08:49:37Z","client":"127.0.0.1","method":"GET","target":"/buy","protocol":"HTTP/1.1","status":402,"bytes":46,"duration_ms":1002.003,"referer":null,"user_agent":"curl/8"}"#;
        assert_eq!(json(record()), format!("{expected}\n"));
    }

    #[test]
    fn json_line_is_pure_ascii_and_loses_no_text() {
        let agent = "\u{e9}\u{1f600}\u{202e}\u{85}\"\\\n\u{1b}".as_bytes();
        let line = json(AccessRecord {
            user_agent: Some(agent),
            ..record()
        });
        let expected = r#""\u00e9\ud83d\ude00\u202e\u0085\"\\\u000a\u001b"}"#;
        assert!(line.ends_with(&format!("{expected}\n")), "{line}");
        let line = json(AccessRecord {
            user_agent: Some(b"a\xff\xc3(b\xe9"),
            ..record()
        });
        assert!(line.ends_with("\"a\\ufffd\\ufffd(b\\ufffd\"}\n"), "{line}");
    }

    #[test]
    fn p55_whatever_comes_a_record_stays_one_line_of_printable_ascii() {
        let bytes: Vec<u8> = (0..=255).chain(*b"/\x1b[31m\nFAKE").collect();
        let hostile = Some(bytes.as_slice());
        let record = AccessRecord {
            client: hostile,
            method: &bytes,
            target: &bytes,
            protocol: &bytes,
            referer: hostile,
            user_agent: hostile,
            ..record()
        };
        for line in [combined(record), json(record)] {
            let text = line.strip_suffix('\n').unwrap();
            assert!(
                text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{line}"
            );
        }
    }

    #[test]
    fn duration_has_three_decimals() {
        for (duration, text) in [
            (Duration::ZERO, "0.000"),
            (Duration::from_nanos(1_999), "0.001"),
            (Duration::from_micros(12_050), "12.050"),
            (Duration::MAX, "18446744073709551615.999"),
        ] {
            let line = json(AccessRecord {
                duration,
                ..record()
            });
            assert!(line.contains(&format!("\"duration_ms\":{text},")), "{line}");
        }
    }
}
