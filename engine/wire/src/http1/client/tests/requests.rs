//! What goes to an upstream.

use super::super::{write_request, BodyWriter, Hops, RequestParts};
use crate::Framing;

fn written(target: [&[u8]; 3], framing: Framing) -> (String, BodyWriter) {
    let mut out = Vec::new();
    let parts = RequestParts {
        method: b"GET",
        target,
        host: b"up:81",
        framing,
    };
    let body = write_request(
        &mut out,
        &parts,
        [(&b"A"[..], &b"b"[..])].into_iter(),
        |out| {
            out.extend_from_slice(b"Via: 1.1 x\r\n");
        },
    );
    (String::from_utf8(out).unwrap(), body)
}

#[test]
fn request_is_written_with_its_parts_in_order() {
    let (head, body) = written([b"/a", b"/b", b"?c"], Framing::None);
    assert_eq!(
        head,
        "GET /a/b?c HTTP/1.1\r\nHost: up:81\r\nA: b\r\nVia: 1.1 x\r\n\r\n"
    );
    assert!(body.is_complete());
    assert!(written([b"", b"", b""], Framing::None)
        .0
        .starts_with("GET / HTTP/1.1\r\n"));
}

#[test]
fn declared_body_is_cut_and_its_shortness_told() {
    let (head, mut body) = written([b"/", b"", b""], Framing::Length(5));
    assert!(head.ends_with("Content-Length: 5\r\n\r\n"));
    let mut out = Vec::new();
    assert_eq!(body.frame_data(&mut out, 3).take, 3);
    assert!(!body.is_complete());
    let mut short = body;
    assert!(!short.finish(&mut out));
    assert_eq!(body.frame_data(&mut out, 9).take, 2);
    assert!(body.is_complete() && body.finish(&mut out) && out.is_empty());
}

#[test]
fn streamed_body_is_chunked() {
    let (head, mut body) = written([b"/", b"", b""], Framing::Chunked);
    assert!(head.ends_with("Transfer-Encoding: chunked\r\n\r\n"));
    let mut out = Vec::new();
    let span = body.frame_data(&mut out, 26);
    assert_eq!(
        (out.as_slice(), span.take, span.suffix),
        (&b"1a\r\n"[..], 26, &b"\r\n"[..])
    );
    out.clear();
    assert_eq!(body.frame_data(&mut out, 0).take, 0);
    assert!(!body.is_complete() && body.finish(&mut out));
    assert_eq!(out, b"0\r\n\r\n");
    assert_eq!(body.frame_data(&mut out, 4).take, 0);
}

#[test]
fn fields_of_the_connection_end_here() {
    let fields: [(&[u8], &[u8]); 3] = [
        (b"Connection", b"close, X-Mine,keep-alive"),
        (b"CONNECTION", b"x-other"),
        (b"Accept", b"connection"),
    ];
    let hops = Hops::of(fields.into_iter());
    for name in [
        "connection",
        "Keep-Alive",
        "TE",
        "transfer-encoding",
        "Upgrade",
        "Proxy-Connection",
    ] {
        assert!(hops.ends_here(name.as_bytes()), "{name}");
    }
    for name in [
        "proxy-authenticate",
        "Proxy-Authorization",
        "x-mine",
        "X-OTHER",
    ] {
        assert!(hops.ends_here(name.as_bytes()), "{name}");
    }
    for name in ["close", "Accept", "Content-Length", "X-Min", "Trailer"] {
        assert!(!hops.ends_here(name.as_bytes()), "{name}");
    }
}
