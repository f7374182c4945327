//! What proxies say never panics the reader, and can't be bent by those who speak before a trusted one does.
//!
//! Input: the first byte chooses. 0: the rest begins a connection, with the PROXY protocol. 1: its lines are the values
//! of X-Forwarded-For, -Proto, -Host and -Port. Else its lines are what a client and its proxies have said in Forwarded.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use sennit_wire::{origin, proxy_header, Believed, ProxyHeader};

const X: [&str; 4] = [
    "X-Forwarded-For",
    "x-forwarded-proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
];

/// A header is whole at one length only, and no shorter piece is refused.
fn check_header(input: &[u8]) {
    let Ok(ProxyHeader::Whole { length, ends }) = proxy_header(input) else {
        return;
    };
    assert!(length <= input.len());
    for end in 0..length {
        let so_far = proxy_header(&input[..end]);
        assert_eq!(so_far, Ok(ProxyHeader::NeedMore), "{end} of {length}");
    }
    let alone = proxy_header(&input[..length]);
    assert_eq!(alone, Ok(ProxyHeader::Whole { length, ends }));
}

fn is_trusted(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10)
}

/// Whatever was said before, the client is whom the trusted proxy has added last.
fn check_fields(fields: &[(&[u8], &[u8])], believed: Believed, added: (&[u8], &[u8])) {
    origin(fields.iter().copied(), believed, is_trusted);
    let told = origin(fields.iter().copied().chain([added]), believed, is_trusted);
    let client = told.client.map(|client| client.ip().to_string());
    assert_eq!(client.as_deref(), Some("192.0.2.77"));
    let joined: Vec<u8> = [
        fields.last().map_or(&b""[..], |last| last.1),
        b", ",
        added.1,
    ]
    .concat();
    let told = origin([(added.0, &joined[..])].into_iter(), believed, is_trusted);
    let client = told.client.map(|client| client.ip().to_string());
    assert_eq!(client.as_deref(), Some("192.0.2.77"));
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let lines = rest.split(|byte| *byte == b'\n');
    match choice {
        0 => check_header(rest),
        1 => {
            let fields: Vec<(&[u8], &[u8])> =
                X.iter().map(|name| name.as_bytes()).zip(lines).collect();
            let believed = Believed {
                x_for: true,
                x_proto: true,
                x_host: true,
                x_port: true,
                forwarded: false,
            };
            let client = fields.first().copied().into_iter().collect::<Vec<_>>();
            check_fields(&client, believed, (b"x-forwarded-for", b"192.0.2.77"));
            origin(fields.into_iter(), believed, is_trusted);
        }
        _ => {
            let fields: Vec<(&[u8], &[u8])> = lines.map(|line| (&b"Forwarded"[..], line)).collect();
            let believed = Believed {
                forwarded: true,
                ..Believed::default()
            };
            check_fields(
                &fields,
                believed,
                (b"forwarded", b"for=192.0.2.77;proto=https"),
            );
        }
    }
});
