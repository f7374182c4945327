//! The request line (RFC 9112 section 3).

use memchr::memchr;

use crate::grammar::{is_authority, is_token, target_run};
use crate::Violation;

/// Checks a whole request line, given without its CRLF. Parsing proper is `head`'s; this says what is wrong, in an
/// order that doesn't depend on how the line arrived.
pub(crate) fn check_request_line(line: &[u8]) -> Result<(), Violation> {
    let (method, rest) = split_at_space(line);
    check_method(method)?;
    let (target, version) = split_at_space(rest.ok_or(Violation::RequestLineMalformed)?);
    let version = version.ok_or(Violation::RequestLineMalformed)?;
    if target.is_empty() || memchr(b' ', version).is_some() {
        return Err(Violation::RequestLineMalformed);
    }
    check_target_bytes(target)?;
    check_version(version)?;
    check_target_form(method, target)
}

fn split_at_space(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b' ', bytes) {
        Some(at) => (bytes.get(..at).unwrap_or(bytes), bytes.get(at + 1..)),
        None => (bytes, None),
    }
}

/// A method is a token, compared as it is: methods are case-sensitive (RFC 9110 section 9.1).
fn check_method(method: &[u8]) -> Result<(), Violation> {
    if is_token(method) {
        Ok(())
    } else {
        Err(Violation::MethodMalformed)
    }
}

fn check_version(version: &[u8]) -> Result<(), Violation> {
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Violation::VersionUnsupported)
        }
        _ => Err(Violation::VersionMalformed),
    }
}

fn check_target_bytes(target: &[u8]) -> Result<(), Violation> {
    if target_run(target) == target.len() {
        Ok(())
    } else {
        Err(Violation::TargetMalformed)
    }
}

/// The four forms of RFC 9112 section 3.2.
#[inline]
pub(crate) fn check_target_form(method: &[u8], target: &[u8]) -> Result<(), Violation> {
    let fits = match target {
        _ if method == b"CONNECT" => is_connect_authority(target),
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => is_absolute_form(target),
    };
    if fits {
        Ok(())
    } else {
        Err(Violation::TargetFormUnfit)
    }
}

/// `host:port`, the port not left out (RFC 9110 section 9.3.6).
fn is_connect_authority(target: &[u8]) -> bool {
    let digits = target
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    digits > 0 && target.iter().rev().nth(digits) == Some(&b':') && is_authority(target)
}

/// `http://authority/path?query` or the same with `https`; no user information (RFC 9110 section 4.2.4).
fn is_absolute_form(target: &[u8]) -> bool {
    let Some(colon) = memchr(b':', target) else {
        return false;
    };
    let (scheme, rest) = target.split_at(colon);
    if !(scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")) {
        return false;
    }
    let Some(after) = rest.strip_prefix(b"://") else {
        return false;
    };
    let end = after
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(after.len());
    after.get(..end).is_some_and(is_authority)
}
