//! Which addresses a callback may be at: those of the public Internet. Whoever may subscribe may make us send requests, and
//! must not reach with them what only we can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether we send anything there: it is public, or the operator allows it.
pub(super) fn is_allowed(ip: IpAddr, allow: &[IpNet]) -> bool {
    let ip = ip.to_canonical();
    is_public(ip) || allow.iter().any(|network| network.contains(&ip))
}

/// Whether it is an address of the public Internet, by IANA's registries of special-purpose addresses. An address that
/// wraps one of IPv4 is what it wraps.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match wrapped(ip) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = [
        ("0.0.0.0", 8),       // this network
        ("10.0.0.0", 8),      // private
        ("100.64.0.0", 10),   // carrier-grade NAT
        ("127.0.0.0", 8),     // loopback
        ("169.254.0.0", 16),  // link-local, and the metadata of clouds
        ("172.16.0.0", 12),   // private
        ("192.0.0.0", 24),    // protocol assignments
        ("192.0.2.0", 24),    // documentation
        ("192.88.99.0", 24),  // relays of 6to4
        ("192.168.0.0", 16),  // private
        ("198.18.0.0", 15),   // benchmarks
        ("198.51.100.0", 24), // documentation
        ("203.0.113.0", 24),  // documentation
        ("224.0.0.0", 4),     // multicast
        ("240.0.0.0", 4),     // reserved, and broadcast
    ];
    !special.into_iter().any(|(network, bits)| {
        let network: Option<Ipv4Addr> = network.parse().ok();
        network.is_none_or(|network| (network.to_bits() ^ ip.to_bits()) >> (32 - bits) == 0)
    })
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let special = [
        ("2001::", 23),     // protocol assignments: Teredo, ORCHID, benchmarks …
        ("2001:db8::", 32), // documentation
        ("2002::", 16),     // 6to4, if it wraps nothing
        ("3fff::", 20),     // documentation
    ];
    // all that is global unicast; loopback, unique local, link-local, site-local and multicast lie elsewhere
    ip.segments()[0] >> 13 == 1
        && !special.into_iter().any(|(network, bits)| {
            let network: Option<Ipv6Addr> = network.parse().ok();
            network.is_none_or(|network| (network.to_bits() ^ ip.to_bits()) >> (128 - bits) == 0)
        })
}

/// The address of IPv4 that packets to this one end at: NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn wrapped(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(v4(high, low)),
        // the deprecated "IPv4-compatible" ones
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ];
        for ip in public {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        let others = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:10::1",
            "3fff::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2002:c0a8:1::1",
            "100::1",
            "5f00::1",
        ];
        for ip in others {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_allowed_and_nothing_beside_it() {
        let allow = ["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let allowed = |ip: &str| is_allowed(ip.parse().unwrap(), &allow);
        assert!(allowed("127.0.0.1") && allowed("::ffff:127.0.0.2") && allowed("fd00::1"));
        assert!(!allowed("10.0.0.1") && !allowed("::1") && !allowed("2002:7f00:1::1"));
    }
}
