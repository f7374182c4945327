//! Sets of IP addresses.

use std::net::IpAddr;

/// The addresses that begin as one does: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The beginning, with zeros behind it.
    first: u128,
    /// Which bits count.
    mask: u128,
    is_v4: bool,
}

/// An IPv4 address that comes in the clothes of IPv6 (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2) is the IPv4 address.
fn number(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
        IpAddr::V6(v6) => (v6.to_bits(), false),
    }
}

impl Network {
    /// Reads `address` or `address/bits`; `None` for anything else, and where bits are set that don't count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (first, is_v4) = number(address.parse().ok()?);
        let most = if is_v4 { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        (first & !mask == 0).then_some(Self { first, mask, is_v4 })
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (number, is_v4) = number(address);
        is_v4 == self.is_v4 && number & self.mask == self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        Network::parse(network)
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn network_holds_its_addresses() {
        for (network, address) in [
            ("10.0.0.0/8", "10.255.0.1"),
            ("10.1.2.3", "10.1.2.3"),
            ("0.0.0.0/0", "255.255.255.255"),
            ("::/0", "2001:db8::1"),
            ("2001:db8::/33", "2001:db8:7fff::1"),
            ("127.0.0.1/32", "::ffff:127.0.0.1"),
        ] {
            assert!(holds(network, address), "{network} {address}");
        }
    }

    #[test]
    fn network_holds_no_others() {
        for (network, address) in [
            ("10.0.0.0/8", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "1.2.3.4"),
            ("2001:db8::/33", "2001:db8:8000::1"),
            ("::ffff:0:0/128", "255.255.0.0"),
        ] {
            if let Some(network) = Network::parse(network) {
                assert!(!network.contains(address.parse().unwrap()), "{address}");
            }
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::/129",
            "::1/64",
            "a/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "/8",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
