//! Any Accept-Encoding is read without a panic and as a plain reading of RFC 9110 has it; any body, cut and flushed
//! anyhow, can be decoded, up to each flush and as a whole.
//!
//! Input: a byte of coding and level, a number of cuts, so many lengths of pieces (used over and over; an odd one is
//! flushed), and the body, which is an Accept-Encoding, too.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use sennit_coding::{encode_whole, is_compressible, matches_pattern, negotiate, Coding, Encoder};

const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

/// As much as can be decoded of what may be cut off.
fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // An end that is missing is an error here, after all that was there has been given.
    match coding {
        Coding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out)),
        Coding::Brotli => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out)),
        Coding::Zstd => {
            let mut source = zstd_safe::InBuffer::around(bytes);
            let mut context = zstd_safe::DCtx::create();
            let mut piece = vec![0; 1 << 17];
            loop {
                let mut target = zstd_safe::OutBuffer::around(&mut piece[..]);
                context
                    .decompress_stream(&mut target, &mut source)
                    .expect("decodable");
                let length = target.pos();
                out.extend_from_slice(&piece[..length]);
                if source.pos() == bytes.len() && length == 0 {
                    break;
                }
            }
        }
    }
    out
}

/// What a client's weight for `name` is, in thousandths, read as simply as can be.
fn weight_of(accept: &str, name: &str) -> Option<u32> {
    let mut least = None;
    for member in accept.split(',') {
        let mut parts = member.split(';').map(str::trim_ascii);
        let found = parts.next().unwrap_or_default().to_ascii_lowercase();
        let found = if found == "x-gzip" { "gzip" } else { &found };
        let mut weight = 1000;
        let mut sound = true;
        for part in parts {
            let digits = part.to_ascii_lowercase();
            let digits = digits.strip_prefix("q=").unwrap_or("none");
            let plain = digits.len() <= 5
                && digits.as_bytes().get(1).is_none_or(|dot| *dot == b'.')
                && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && digits.matches('.').count() <= 1;
            match digits.parse::<f64>() {
                Ok(number) if plain && number <= 1.0 && digits.starts_with(['0', '1']) => {
                    weight = (number * 1000.0).round() as u32;
                }
                _ => sound = false,
            }
        }
        if sound && found == name {
            least = Some(least.map_or(weight, |before: u32| before.min(weight)));
        }
    }
    least
}

fn check_accept(accept: &str) {
    let names = ["zstd", "br", "gzip"];
    let found = negotiate([accept.as_bytes()].into_iter(), &names);
    let others = weight_of(accept, "*");
    let identity = weight_of(accept, "identity");
    let weights = names.map(|name| weight_of(accept, name).or(others).unwrap_or(0));
    let best = weights.iter().copied().max().unwrap_or(0);
    let expected = weights
        .iter()
        .position(|weight| *weight == best && best > 0)
        .filter(|_| identity.is_none_or(|identity| best >= identity));
    assert_eq!(found.coding, expected, "{accept:?}");
    assert_eq!(
        found.identity_refused,
        identity.or(others) == Some(0),
        "{accept:?}"
    );
}

fuzz_target!(|input: &[u8]| {
    let [choice, cuts, rest @ ..] = input else {
        return;
    };
    let (lengths, body) = rest.split_at(rest.len().min(usize::from(*cuts % 8)));
    if let Ok(text) = std::str::from_utf8(body) {
        if text.is_ascii() {
            check_accept(text);
        }
    }
    let _ = (is_compressible(body), matches_pattern(body, lengths));
    let coding = CODINGS[usize::from(choice % 3)];
    let level = choice / 3 % 10;
    let whole = encode_whole(coding, level, body).expect("memory");
    assert_eq!(decoded(coding, &whole), body);
    let mut encoder = Encoder::new(coding, level, None).expect("memory");
    let (mut out, mut taken) = (Vec::new(), 0);
    for length in lengths.iter().cycle().take(64) {
        let end = body.len().min(taken + usize::from(*length));
        encoder.encode(&body[taken..end], &mut out).expect("memory");
        taken = end;
        if length % 2 == 1 {
            encoder.flush(&mut out).expect("memory");
            assert_eq!(decoded(coding, &out), body[..taken]);
        }
    }
    encoder.encode(&body[taken..], &mut out).expect("memory");
    encoder.finish(&mut out).expect("memory");
    assert_eq!(decoded(coding, &out), body);
});
