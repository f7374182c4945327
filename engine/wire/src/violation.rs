//! What a peer can do wrong on the wire, and how it is answered.

use std::fmt;

/// What a peer did wrong. Each carries its answer: a status code and one line that explains it and never repeats
/// bytes of the peer. After any of them the connection can't be read further and has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    // The request line (RFC 9112 section 3).
    /// More than one empty line before a request.
    EmptyLineRepeated,
    /// The method is empty or not a token.
    MethodMalformed,
    /// Not exactly `method SP target SP version`.
    RequestLineMalformed,
    /// The target holds a byte outside 0x21-0x7e or a fragment.
    TargetMalformed,
    /// The target has a form its method can't have, or no known form.
    TargetFormUnfit,
    /// The protocol version is not `HTTP/digit.digit`.
    VersionMalformed,
    /// A well-formed version other than 1.0 and 1.1.
    VersionUnsupported,
    /// The request line is longer than `Limits::request_line`.
    RequestLineTooLong,

    // Line structure and field lines (RFC 9112 sections 2.2 and 5).
    /// A line feed without a carriage return before it.
    BareLineFeed,
    /// A carriage return without a line feed after it.
    BareCarriageReturn,
    /// A field line begins with a space or tab (obsolete folding).
    FieldFolded,
    /// A field line without a colon.
    ColonMissing,
    /// Space or tab between a field's name and its colon.
    SpaceBeforeColon,
    /// A field name that is empty or not a token.
    FieldNameMalformed,
    /// A control byte in a field value.
    FieldValueMalformed,
    /// More bytes of field lines than `Limits::header_bytes`.
    HeadersTooLarge,
    /// More field lines than `Limits::header_count`.
    TooManyHeaders,

    // Host (RFC 9112 section 3.2).
    /// HTTP/1.1 without a Host field.
    HostMissing,
    /// More than one Host field.
    HostRepeated,
    /// Host is not `host[:port]`.
    HostMalformed,

    // Message body length (RFC 9112 section 6).
    /// More than one Content-Length field, equal or not.
    ContentLengthRepeated,
    /// Content-Length is not 1 to 19 digits.
    ContentLengthMalformed,
    /// Content-Length together with Transfer-Encoding.
    LengthAndCoding,
    /// More than one Transfer-Encoding field.
    CodingRepeated,
    /// Transfer-Encoding is not a single token.
    CodingMalformed,
    /// A transfer coding other than `chunked`.
    CodingUnknown,
    /// Transfer-Encoding on HTTP/1.0.
    CodingOnHttp10,
    /// The body, declared or arrived, is larger than allowed for this request.
    BodyTooLarge,

    // The chunked coding (RFC 9112 section 7.1).
    /// The chunk size is not 1 to 16 hexadecimal digits, followed at once by `;` or CRLF.
    ChunkSizeMalformed,
    /// A control byte in a chunk extension.
    ChunkExtensionMalformed,
    /// A size line longer than `Limits::chunk_line`.
    ChunkLineTooLong,
    /// A chunk's data is not followed by CRLF.
    ChunkUnterminated,
    /// A trailer field line is malformed.
    TrailerMalformed,
    /// More trailer bytes than `Limits::trailer_bytes`, or more of its fields than `Limits::header_count`.
    TrailersTooLarge,

    /// The peer ended its half within a request.
    Truncated,

    // An upstream's answers (RFC 9112 section 4).
    /// The status line is not `HTTP/1.x code reason`.
    StatusLineMalformed,
    /// The status line is longer than `Limits::request_line`.
    StatusLineTooLong,
    /// Interim responses without end.
    TooManyInterim,
    /// Bytes that no request has asked for.
    AnswerUnasked,
    /// The upstream closed the connection within its answer.
    AnswerTruncated,
}

impl Violation {
    /// The status code to answer with: 400, 413, 414, 431, 501 or 505; 502 for what only an upstream can do wrong.
    /// Whatever else an upstream does wrong is a 502 to the client as well (RFC 9110 section 15.6.3).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Violation::BodyTooLarge => 413,
            Violation::RequestLineTooLong => 414,
            Violation::HeadersTooLarge
            | Violation::TooManyHeaders
            | Violation::TrailersTooLarge => 431,
            // RFC 9112 section 6.1: an unknown transfer coding is a 501.
            Violation::CodingUnknown => 501,
            Violation::VersionUnsupported => 505,
            Violation::StatusLineMalformed
            | Violation::StatusLineTooLong
            | Violation::TooManyInterim
            | Violation::AnswerUnasked
            | Violation::AnswerTruncated => 502,
            _ => 400,
        }
    }

    /// One short line without an ending, for the log and for the answer's body.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Violation::EmptyLineRepeated => "more than one empty line before the request",
            Violation::MethodMalformed => "the method is not a token",
            Violation::RequestLineMalformed => "the request line is not method, target and version",
            Violation::TargetMalformed => "illegal character in the request target",
            Violation::TargetFormUnfit => {
                "the request target has no form that this method can have"
            }
            Violation::VersionMalformed => "the protocol version is malformed",
            Violation::VersionUnsupported => "this protocol version is not served here",
            Violation::RequestLineTooLong => "the request line is too long",
            Violation::BareLineFeed => "line feed without carriage return",
            Violation::BareCarriageReturn => "carriage return without line feed",
            Violation::FieldFolded => "a header line begins with white space",
            Violation::ColonMissing => "a header line has no colon",
            Violation::SpaceBeforeColon => "white space between a header's name and its colon",
            Violation::FieldNameMalformed => "a header name is not a token",
            Violation::FieldValueMalformed => "illegal character in a header value",
            Violation::HeadersTooLarge => "the headers are too large",
            Violation::TooManyHeaders => "too many headers",
            Violation::HostMissing => "no Host header",
            Violation::HostRepeated => "more than one Host header",
            Violation::HostMalformed => "the Host header is not a host and port",
            Violation::ContentLengthRepeated => "more than one Content-Length header",
            Violation::ContentLengthMalformed => "the Content-Length header is not a length",
            Violation::LengthAndCoding => "Content-Length together with Transfer-Encoding",
            Violation::CodingRepeated => "more than one Transfer-Encoding header",
            Violation::CodingMalformed => "the Transfer-Encoding header is not one coding",
            Violation::CodingUnknown => "unknown transfer coding",
            Violation::CodingOnHttp10 => "Transfer-Encoding on HTTP/1.0",
            Violation::BodyTooLarge => "the body is too large",
            Violation::ChunkSizeMalformed => "malformed chunk size",
            Violation::ChunkExtensionMalformed => "illegal character in a chunk extension",
            Violation::ChunkLineTooLong => "a chunk's size line is too long",
            Violation::ChunkUnterminated => "a chunk is longer than its size",
            Violation::TrailerMalformed => "malformed trailer",
            Violation::TrailersTooLarge => "the trailers are too large",
            Violation::Truncated => "the request ended early",
            Violation::StatusLineMalformed => "the status line is malformed",
            Violation::StatusLineTooLong => "the status line is too long",
            Violation::TooManyInterim => "too many interim responses",
            Violation::AnswerUnasked => "an answer that nobody asked for",
            Violation::AnswerTruncated => "the answer ended early",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.explanation())
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::Violation;

    #[test]
    fn violation_shows_its_explanation_on_one_line() {
        for violation in [
            Violation::BareLineFeed,
            Violation::Truncated,
            Violation::CodingUnknown,
        ] {
            assert_eq!(violation.to_string(), violation.explanation());
            assert!(!violation.explanation().contains(['\r', '\n']));
        }
    }

    #[test]
    fn violations_answer_with_their_code() {
        for (violation, status) in [
            (Violation::BareLineFeed, 400),
            (Violation::HostMissing, 400),
            (Violation::BodyTooLarge, 413),
            (Violation::RequestLineTooLong, 414),
            (Violation::HeadersTooLarge, 431),
            (Violation::TooManyHeaders, 431),
            (Violation::TrailersTooLarge, 431),
            (Violation::CodingUnknown, 501),
            (Violation::VersionUnsupported, 505),
            (Violation::StatusLineMalformed, 502),
            (Violation::AnswerTruncated, 502),
        ] {
            assert_eq!(violation.status(), status);
        }
    }
}
