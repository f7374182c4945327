//! Accept-Encoding: RFC 9110 section 12.5.3.

/// What a client's Accept-Encoding comes to, for codings that the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The place of the coding to be used among those offered; `None` for none.
    pub coding: Option<usize>,
    /// The client says that it takes no body without a coding.
    pub identity_refused: bool,
}

/// Weights are in thousandths, as fine as section 12.4.2 allows.
type Weight = u16;

/// The most codings that can be offered: beyond it they are not looked at.
const MOST: usize = 8;

/// Reads the values of Accept-Encoding and chooses among `offered` names, the server's favourite first.
///
/// The greatest weight decides, then the server's order. Where `identity` has a weight of its own above all offered, or
/// nothing offered is acceptable, there is no coding. Without any value there is none either: RFC 9110 would allow all,
/// but clients that send no Accept-Encoding are those that can't decode. A member with a malformed weight is not looked
/// at. `x-gzip` is `gzip` (section 8.4.1.3).
pub fn negotiate<'a>(values: impl Iterator<Item = &'a [u8]>, offered: &[&str]) -> Negotiated {
    let mut said: [Option<Weight>; MOST] = [None; MOST];
    let mut others: Option<Weight> = None;
    let mut identity: Option<Weight> = None;
    for member in values.flat_map(|value| value.split(|b| *b == b',')) {
        let Some((name, weight)) = read_member(member) else {
            continue;
        };
        let slot = if name == b"*" {
            Some(&mut others)
        } else if name.eq_ignore_ascii_case(b"identity") {
            Some(&mut identity)
        } else {
            let name = if name.eq_ignore_ascii_case(b"x-gzip") {
                b"gzip"
            } else {
                name
            };
            let place = offered
                .iter()
                .position(|o| o.as_bytes().eq_ignore_ascii_case(name));
            place.and_then(|place| said.get_mut(place))
        };
        if let Some(slot) = slot {
            // Said twice: what the client likes least, which it can surely read or refuse.
            *slot = Some(slot.map_or(weight, |before| before.min(weight)));
        }
    }
    let mut best: Option<(usize, Weight)> = None;
    for (place, said) in said.iter().enumerate().take(offered.len()) {
        let weight = said.or(others).unwrap_or(0);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((place, weight));
        }
    }
    let coding = best
        .filter(|(_, weight)| identity.is_none_or(|identity| *weight >= identity))
        .map(|(place, _)| place);
    Negotiated {
        coding,
        identity_refused: identity.or(others) == Some(0),
    }
}

/// The name and the weight of a member of the list; `None` if it says nothing that can be understood.
fn read_member(member: &[u8]) -> Option<(&[u8], Weight)> {
    let mut parts = member.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1000;
    for parameter in parts {
        let (key, value) = parameter.split_at_checked(2)?;
        if !key.eq_ignore_ascii_case(b"q=") {
            return None;
        }
        weight = read_weight(value)?;
    }
    Some((name, weight))
}

/// `0`, `0.` and up to three digits, `1`, `1.` and up to three zeros: section 12.4.2.
fn read_weight(text: &[u8]) -> Option<Weight> {
    let (whole, decimals) = match text.split_first()? {
        (whole @ (b'0' | b'1'), []) => (*whole, &[][..]),
        (whole @ (b'0' | b'1'), [b'.', decimals @ ..]) if decimals.len() <= 3 => (*whole, decimals),
        _ => return None,
    };
    let mut weight = Weight::from(whole - b'0');
    for place in 0..3 {
        let digit = decimals.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        weight = weight * 10 + Weight::from(digit - b'0');
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 3] = ["zstd", "br", "gzip"];

    fn chosen(value: &str) -> Option<&'static str> {
        negotiate([value.as_bytes()].into_iter(), &ALL)
            .coding
            .map(|place| ALL[place])
    }

    fn refuses_identity(value: &str) -> bool {
        negotiate([value.as_bytes()].into_iter(), &ALL).identity_refused
    }

    #[test]
    fn the_servers_order_decides_between_equals() {
        assert_eq!(chosen("gzip, deflate, br, zstd"), Some("zstd"));
        assert_eq!(chosen("gzip, br"), Some("br"));
        assert_eq!(chosen("GZIP"), Some("gzip"));
        assert_eq!(chosen("x-gzip"), Some("gzip"));
        assert_eq!(chosen("*"), Some("zstd"));
    }

    #[test]
    fn weights_decide_before_it() {
        assert_eq!(chosen("gzip;q=1.0, br;q=0.5"), Some("gzip"));
        assert_eq!(
            chosen("zstd;q=0.001 , br;q=0.002,gzip ; q=0.003"),
            Some("gzip")
        );
        assert_eq!(chosen("zstd;q=0, *;q=0.1"), Some("br"));
        assert_eq!(chosen("gzip;q=0.5, identity;q=0.8"), None);
        assert_eq!(chosen("gzip;q=0.5, identity;q=0.5"), Some("gzip"));
        assert_eq!(chosen("gzip;q=0.5, *;q=0.8"), Some("zstd"));
    }

    #[test]
    fn nothing_is_chosen_that_is_not_acceptable() {
        for value in [
            "",
            "deflate",
            "identity",
            "gzip;q=0",
            "*;q=0",
            "gzip;q=0, *;q=0.000",
            ",,;,",
        ] {
            assert_eq!(chosen(value), None, "{value}");
        }
        assert_eq!(negotiate(std::iter::empty(), &ALL).coding, None);
        assert_eq!(negotiate([&b"gzip"[..]].into_iter(), &[]).coding, None);
    }

    #[test]
    fn malformed_members_say_nothing() {
        for value in [
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=-1",
            "gzip;q=",
            "gzip;q",
            "gzip;x=1",
            "gzip;q=a",
            "gzip;q=0.x",
        ] {
            assert_eq!(chosen(value), None, "{value}");
            assert_eq!(chosen(&format!("{value}, br")), Some("br"), "{value}");
        }
    }

    #[test]
    fn identity_is_refused_by_name_or_by_the_rest() {
        assert!(refuses_identity("identity;q=0"));
        assert!(refuses_identity("gzip, *;q=0"));
        assert!(!refuses_identity("identity;q=0.1, *;q=0"));
        assert!(!refuses_identity("gzip"));
        assert!(!refuses_identity(""));
    }

    #[test]
    fn several_fields_are_one_list() {
        let values = [&b"gzip;q=0.1"[..], b"br;q=0.2"];
        assert_eq!(negotiate(values.into_iter(), &ALL).coding, Some(1));
    }

    #[test]
    fn the_least_weight_counts_of_what_is_said_twice() {
        assert_eq!(chosen("gzip, gzip;q=0"), None);
    }
}
