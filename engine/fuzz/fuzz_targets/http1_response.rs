//! Whatever a program does, the bytes that leave are one response that a client reads as RFC 9112 section 6.3 says,
//! with no more body than was given, and a connection that isn't declared persistent when it can't be.
//!
//! Input: six bytes of request facts, code and length, then one byte per field of the program, then one per piece
//! of the body: its length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sennit_wire::{reason_phrase, RequestFacts, Responder, Version};

const NAMES: [&str; 8] = [
    "Content-Length",
    "transfer-encoding",
    "Connection",
    "KEEP-ALIVE",
    "content-length",
    "X-Other",
    "Trailer",
    "Host",
];
const VALUES: [&str; 16] = [
    "0",
    "1",
    "5",
    "05",
    "300",
    "-1",
    "",
    "18446744073709551616",
    "close",
    "keep-alive",
    "Upgrade",
    "te, close",
    "chunked",
    "gzip, chunked",
    "identity",
    " , ,x",
];

struct Program {
    facts: RequestFacts,
    code: u16,
    length: Option<u64>,
    close: bool,
    fields: Vec<(&'static [u8], &'static [u8])>,
    body: Vec<usize>,
}

/// Reads the program that `input` stands for.
fn program(input: &[u8]) -> Option<Program> {
    let (&[flags, high, low, known, field_count, _], rest) = input.split_first_chunk::<6>()?;
    let facts = RequestFacts {
        version: if flags & 1 == 0 {
            Version::Http11
        } else {
            Version::Http10
        },
        head_method: flags & 2 != 0,
        keep_alive: flags & 4 == 0,
    };
    let (fields, body) = rest.split_at(rest.len().min(usize::from(field_count % 8)));
    let field = |&byte: &u8| {
        (
            NAMES[usize::from(byte >> 4 & 7)].as_bytes(),
            VALUES[usize::from(byte & 15)].as_bytes(),
        )
    };
    let size = |&byte: &u8| usize::from(byte) * if byte > 250 { 300 } else { 1 };
    let body: Vec<usize> = body.iter().take(16).map(size).collect();
    let total: usize = body.iter().sum();
    Some(Program {
        facts,
        code: u16::from_be_bytes([high, low]) % 1100,
        // A program that states the whole length keeps to it unless the input says otherwise.
        length: match known % 4 {
            0 => None,
            1 => Some(u64::from(known)),
            _ => Some(total as u64),
        },
        close: flags & 8 != 0,
        fields: fields.iter().map(field).collect(),
        body,
    })
}

/// What a client makes of a response.
struct Read {
    body: usize,
    /// The body is known to be whole.
    complete: bool,
    close: bool,
}

fn read(bytes: &[u8], facts: RequestFacts) -> Read {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut slots);
    let length = response.parse(bytes).expect("a well-formed head").unwrap();
    let code = response.code.unwrap_or_default();
    let values = |wanted: &str| {
        let fields = response
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(wanted));
        fields
            .map(|field| std::str::from_utf8(field.value).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        response.version,
        Some(u8::from(facts.version == Version::Http11))
    );
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    let close = values("connection").contains(&"close");
    let old = facts.version == Version::Http10;
    assert!(lengths.len() + codings.len() <= 1 && values("keep-alive").is_empty());
    assert!(codings.is_empty() || (codings == ["chunked"] && !old));
    assert!(!((code < 200 || code == 204) && lengths.len() + codings.len() > 0));
    let body = &bytes[length..];
    let persists = !close && (!old || values("connection").contains(&"keep-alive") || code == 101);
    if facts.head_method || code < 200 || code == 204 || code == 304 {
        assert!(body.is_empty() && codings.is_empty());
        return Read {
            body: 0,
            complete: true,
            close: !persists,
        };
    }
    if let [declared] = lengths[..] {
        let declared: usize = declared.parse().expect("digits");
        assert!(body.len() <= declared && (code != 205 || declared == 0));
        return Read {
            body: body.len(),
            complete: body.len() == declared,
            close: !persists,
        };
    }
    if codings.is_empty() {
        assert!(!persists, "only closing ends this body");
        return Read {
            body: body.len(),
            complete: true,
            close: true,
        };
    }
    Read {
        body: read_chunks(body),
        complete: true,
        close: !persists,
    }
}

/// The number of data bytes in a chunked body, which has to be complete and have nothing behind it but trailers.
fn read_chunks(mut rest: &[u8]) -> usize {
    let mut total = 0;
    loop {
        let (start, size) = httparse::parse_chunk_size(rest).expect("a chunk").unwrap();
        let size = size as usize;
        rest = &rest[start..];
        total += size;
        if size == 0 {
            assert!(rest.ends_with(b"\r\n"));
            return total;
        }
        assert_eq!(&rest[size..size + 2], b"\r\n");
        rest = &rest[size + 2..];
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(program) = program(input) else {
        return;
    };
    let mut out = Vec::new();
    let mut responder = Responder::new(program.facts);
    let fields = program.fields.iter().copied();
    if input[5] & 1 != 0 {
        let written = responder.interim(&mut out, u16::from(input[5]), b"Early", fields.clone());
        assert_eq!(written, !out.is_empty());
        out.clear();
    }
    let reason = reason_phrase(program.code);
    let framed = responder.head(
        &mut out,
        program.code,
        reason,
        fields.clone(),
        program.length,
        program.close,
    );
    let given: usize = program.body.iter().sum();
    for (index, &length) in program.body.iter().enumerate() {
        if index % 2 == 0 {
            responder.data(&mut out, &vec![b'x'; length]);
        } else {
            let span = responder.frame_data(&mut out, length);
            out.resize(out.len() + span.take, b'x');
            out.extend_from_slice(span.suffix);
        }
    }
    let ended = responder.finish(&mut out, fields);
    let read = read(&out, program.facts);
    assert!(read.body <= given && (!framed.body_forbidden || read.body == 0));
    assert_eq!(
        read.close, framed.close,
        "the head says what the server does"
    );
    assert!(ended.close || (read.complete && !framed.close));
    assert_eq!(ended.short, !read.complete);
    assert!(program.code == 101 || !program.close || framed.close);
});
