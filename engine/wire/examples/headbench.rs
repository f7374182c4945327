//! What it costs to parse a request head and to write a response head.
//!
//! `cargo run --release -p sennit-wire --example headbench` prints nanoseconds; with a name and a number of rounds
//! after `--` it only does that one, for a look at it under `valgrind --tool=callgrind`.

use std::hint::black_box;
use std::time::Instant;

use sennit_wire::{Limits, Receiver, RequestFacts, Responder, Step, Version};

const WRK: &[u8] = b"GET /buy HTTP/1.1\r\nHost: 127.0.0.1:8880\r\n\r\n";

const BROWSER: &[u8] = b"GET /catalogue/spring?page=3&sort=price HTTP/1.1\r\n\
Host: shop.example.org\r\n\
Connection: keep-alive\r\n\
Cache-Control: max-age=0\r\n\
sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
Upgrade-Insecure-Requests: 1\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: same-origin\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: SENNIT_SESSION=6d1f0a7e5b6c4f5f9a54; theme=dark\r\n\r\n";

fn read_request(input: &[u8], limits: &Limits) {
    let mut receiver = Receiver::new();
    if let Ok((consumed, Step::Head(head))) = receiver.advance(black_box(input), limits) {
        let _ = black_box(receiver.advance(input.get(consumed..).unwrap_or_default(), limits));
        black_box(&head);
    }
}

fn write_response(out: &mut Vec<u8>) {
    let fields: [(&[u8], &[u8]); 3] = [
        (b"Server", b"Sennit/0.1"),
        (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
        (b"Content-Type", b"text/html"),
    ];
    out.clear();
    let facts = RequestFacts {
        version: Version::Http11,
        head_method: false,
        keep_alive: true,
    };
    let mut responder = Responder::new(black_box(facts));
    responder.head(
        out,
        black_box(402),
        b"Payment Required",
        fields.into_iter(),
        Some(46),
        false,
    );
    responder.data(
        out,
        b"<html><body>Please swipe your credit card.</body></html>",
    );
    responder.finish(out, std::iter::empty());
    black_box(&out);
}

fn measure(name: &str, rounds: u32, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let start = Instant::now();
        (0..rounds).for_each(|_| work());
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(rounds));
    }
    println!("{name:10} {best:8.1} ns");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let only = arguments.next();
    let rounds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300_000);
    let limits = Limits::default();
    let mut out = Vec::new();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if wanted("wrk") {
        measure("wrk", rounds, || read_request(WRK, &limits));
    }
    if wanted("browser") {
        measure("browser", rounds, || read_request(BROWSER, &limits));
    }
    if wanted("response") {
        measure("response", rounds, || write_response(&mut out));
    }
}
