//! Which media types are worth coding.

/// The type and subtype of a Content-Type value, without parameters; as it is written, in whatever case.
#[must_use]
pub fn essence(content_type: &[u8]) -> &[u8] {
    content_type
        .split(|b| *b == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// Types besides `text/*` that are mostly redundant.
const COMPRESSIBLE: [&str; 34] = [
    "application/ecmascript",
    "application/geo+json-seq",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/json-seq",
    "application/json5",
    "application/jsonl",
    "application/n-quads",
    "application/n-triples",
    "application/ndjson",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/trig",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-httpd-php",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-tar",
    "application/x-yaml",
    "application/xml",
    "application/xml-dtd",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
    "image/x-ms-bmp",
    "message/rfc822",
    "model/obj",
];

/// Structured syntax suffixes (RFC 6838 section 4.2.8) of types that are text.
const SUFFIXES: [&str; 5] = ["+json", "+xml", "+yaml", "+json-seq", "+text"];

/// Whether a body of this Content-Type becomes much smaller when it is coded: text in any form, and the few binary
/// types that are not compressed by themselves.
#[must_use]
pub fn is_compressible(content_type: &[u8]) -> bool {
    let name = essence(content_type);
    let ends_with = |suffix: &&str| {
        name.len()
            .checked_sub(suffix.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
    };
    matches_pattern(name, b"text/*")
        || COMPRESSIBLE
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        || SUFFIXES.iter().any(ends_with)
}

/// Whether a Content-Type is of a type (`application/json`), of any below one (`text/*`), or any at all (`*/*`).
#[must_use]
pub fn matches_pattern(content_type: &[u8], pattern: &[u8]) -> bool {
    let name = essence(content_type);
    if pattern == b"*/*" {
        return !name.is_empty();
    }
    match pattern.strip_suffix(b"*") {
        Some(start) if start.ends_with(b"/") => name
            .get(..start.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        _ => name.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressible() {
        for name in [
            "text/html",
            "TEXT/Plain; charset=utf-8",
            "text/event-stream",
            "application/json",
            "application/problem+json;charset=utf-8",
            "image/svg+xml",
            "application/xhtml+xml",
            "application/wasm",
            "font/ttf",
        ] {
            assert!(is_compressible(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_is_compressed_already_is_not() {
        for name in [
            "image/png",
            "image/jpeg",
            "image/webp",
            "video/mp4",
            "audio/mpeg",
            "font/woff2",
            "application/zip",
            "application/gzip",
            "application/octet-stream",
            "application/pdf",
            "multipart/byteranges; boundary=x",
            "",
            "text",
            "+json-",
        ] {
            assert!(!is_compressible(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn patterns_are_exact_or_of_a_whole_type() {
        assert!(matches_pattern(
            b"Application/JSON; a=b",
            b"application/json"
        ));
        assert!(matches_pattern(b"image/png", b"image/*"));
        assert!(matches_pattern(b"image/png", b"*/*"));
        assert!(!matches_pattern(b"", b"*/*"));
        assert!(!matches_pattern(b"images/png", b"image/*"));
        assert!(!matches_pattern(b"application/jsonx", b"application/json*"));
    }
}
