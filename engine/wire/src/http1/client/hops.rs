//! Which fields are meant for this connection alone (RFC 9110 section 7.6.1).

use crate::grammar::list_members;

/// Tells the fields of one message that end here from those that are passed on.
#[derive(Clone, Debug, Default)]
pub struct Hops {
    /// What Connection names besides `close` and `keep-alive`, in lower case and sorted: a peer may name thousands.
    named: Vec<Vec<u8>>,
}

impl Hops {
    /// Reads what the Connection fields among `fields` name.
    pub fn of<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut named = Vec::new();
        for (name, value) in fields {
            if name.len() == 10 && name.eq_ignore_ascii_case(b"connection") {
                let others = list_members(value).filter(|member| {
                    !member.eq_ignore_ascii_case(b"close")
                        && !member.eq_ignore_ascii_case(b"keep-alive")
                });
                named.extend(others.map(<[u8]>::to_ascii_lowercase));
            }
        }
        named.sort_unstable();
        Hops { named }
    }

    /// Whether the field `name` goes no further: those that rule a connection or its framing, those that a proxy's own
    /// authentication has, and those that Connection names.
    #[must_use]
    pub fn ends_here(&self, name: &[u8]) -> bool {
        let own = match name.len() {
            2 => name.eq_ignore_ascii_case(b"te"),
            7 => name.eq_ignore_ascii_case(b"upgrade"),
            10 => {
                name.eq_ignore_ascii_case(b"connection") || name.eq_ignore_ascii_case(b"keep-alive")
            }
            16 => name.eq_ignore_ascii_case(b"proxy-connection"),
            17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
            18 => name.eq_ignore_ascii_case(b"proxy-authenticate"),
            19 => name.eq_ignore_ascii_case(b"proxy-authorization"),
            _ => false,
        };
        own || self.names(name)
    }

    fn names(&self, name: &[u8]) -> bool {
        !self.named.is_empty() && self.named.binary_search(&name.to_ascii_lowercase()).is_ok()
    }
}
