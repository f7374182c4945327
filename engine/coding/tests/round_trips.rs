//! What comes out can be decoded to what went in, however it was cut.

use std::io::Read;

use sennit_coding::{encode_whole, Coding, Encoder};

const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out)),
        Coding::Brotli => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out)),
        Coding::Zstd => {
            let mut source = zstd_safe::InBuffer::around(bytes);
            let mut context = zstd_safe::DCtx::create();
            while source.pos() < bytes.len() {
                let mut piece = vec![0; 1 << 17];
                let mut target = zstd_safe::OutBuffer::around(&mut piece[..]);
                context
                    .decompress_stream(&mut target, &mut source)
                    .expect("decodable");
                let end = target.pos();
                out.extend_from_slice(&piece[..end]);
            }
        }
    }
    out
}

/// Text that is neither constant nor without structure.
fn sample(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut out = Vec::with_capacity(length + 16);
    while out.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        out.extend_from_slice(format!("{{\"id\": {}}}, ", state >> 52).as_bytes());
    }
    out.truncate(length);
    out
}

#[test]
fn whole_bodies_come_back_at_every_level() {
    for coding in ALL {
        for level in coding.levels() {
            for length in [0, 1, 100, 20_000] {
                let body = sample(length);
                let coded = encode_whole(coding, level, &body).expect("memory");
                assert_eq!(
                    decoded(coding, &coded),
                    body,
                    "{coding:?} {level} of {length}"
                );
            }
        }
    }
}

#[test]
fn streams_come_back_in_every_cut() {
    let body = sample(20_000);
    for coding in ALL {
        for size in [1, 7, 1000, 16_384, 20_000] {
            for flushing in [false, true] {
                let mut encoder = Encoder::new(coding, 5, None).expect("memory");
                let mut out = Vec::new();
                for piece in body.chunks(size) {
                    encoder.encode(piece, &mut out).expect("memory");
                    if flushing && size > 7 {
                        encoder.flush(&mut out).expect("memory");
                    }
                }
                encoder.finish(&mut out).expect("memory");
                assert_eq!(
                    decoded(coding, &out),
                    body,
                    "{coding:?} by {size}, {flushing}"
                );
            }
        }
    }
}

#[test]
fn a_flush_lets_out_all_that_was_taken_and_a_second_one_nothing() {
    for coding in ALL {
        let mut encoder = Encoder::new(coding, 5, None).expect("memory");
        let mut out = Vec::new();
        assert!(!encoder.holds());
        encoder.encode(b"data: 1\n\n", &mut out).expect("memory");
        assert!(encoder.holds());
        encoder.flush(&mut out).expect("memory");
        assert_eq!(decoded(coding, &out), b"data: 1\n\n", "{coding:?}");
        let length = out.len();
        encoder.flush(&mut out).expect("memory");
        assert_eq!(out.len(), length);
    }
}

#[test]
fn a_codec_that_was_let_go_in_the_middle_begins_anew() {
    for coding in ALL {
        for _ in 0..10 {
            let mut encoder = Encoder::new(coding, 5, None).expect("memory");
            encoder
                .encode(&sample(100_000), &mut Vec::new())
                .expect("memory");
        }
        let coded = encode_whole(coding, 5, b"anew").expect("memory");
        assert_eq!(decoded(coding, &coded), b"anew");
    }
}

#[test]
fn what_has_structure_becomes_smaller() {
    let body = sample(64 << 10);
    for coding in ALL {
        let coded = encode_whole(coding, 4, &body).expect("memory");
        assert!(coded.len() < body.len() / 3, "{coding:?}: {}", coded.len());
    }
}

#[test]
fn what_has_none_grows_by_little() {
    let mut state = 1_u64;
    let body: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(100_000)
    .collect();
    for coding in ALL {
        let coded = encode_whole(coding, 4, &body).expect("memory");
        assert!(coded.len() < body.len() + 200, "{coding:?}");
        assert_eq!(decoded(coding, &coded), body);
    }
}

#[test]
fn names_are_those_of_the_registry() {
    for coding in ALL {
        assert_eq!(Coding::of_name(coding.name()), Some(coding));
    }
    assert_eq!(Coding::of_name("deflate"), None);
}

#[test]
fn zstd_windows_are_small_enough_for_browsers() {
    // RFC 9659 section 3. A frame header (RFC 8878 section 3.1.1.1): magic, descriptor, window descriptor unless
    // the segment is a single one.
    let mut encoder = Encoder::new(Coding::Zstd, 22, Some(9 << 20)).expect("memory");
    let mut coded = Vec::new();
    encoder.encode(b"a", &mut coded).expect("memory");
    encoder.flush(&mut coded).expect("memory");
    assert_eq!(coded[4] & 0x20, 0);
    assert!(coded[5] >> 3 <= 13, "a window of more than 8 MiB");
}
