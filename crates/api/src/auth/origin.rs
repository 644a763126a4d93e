//! Where a request comes from: the client's address, and the scheme and host that it used.
//!
//! What a header says of that counts only when the connection is from a trusted proxy. The address is then the rightmost hop
//! that is no trusted proxy: what stands left of it was written by somebody whom nobody trusts.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

mod forwarded;

/// The most hops that are looked at.
const MAX_HOPS: usize = 32;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of the connection. Whoever accepts connections puts it into each request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether the connection is TLS.
    pub is_tls: bool,
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// In which headers they say from whom a request is.
    pub header: ForwardedBy,
}

/// In which headers proxies say from whom a request is. Only one kind is read: a client could send the other through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, where there is a connection.
    pub address: Option<IpAddr>,
    /// Whether the client spoke https.
    pub is_https: bool,
    /// The host that a trusted proxy says the client asked for.
    pub host: Option<String>,
}

/// What one proxy wrote of the hop before it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Hop<'h> {
    from: Option<IpAddr>,
    proto: Option<&'h str>,
    host: Option<&'h str>,
}

impl Proxies {
    /// Where a request comes from, by its connection and, from a trusted proxy, its headers.
    pub fn origin(&self, peer: Option<Peer>, headers: &HeaderMap) -> Origin {
        let Some(peer) = peer else { return Origin { address: None, is_https: false, host: None } };
        let mut origin =
            Origin { address: Some(peer.address.ip().to_canonical()), is_https: peer.is_tls, host: None };
        if self.trusted.is_empty() || !origin.address.is_some_and(|ip| self.trusts(ip)) {
            return origin;
        }
        let hops = match self.header {
            ForwardedBy::XForwarded => x_forwarded(headers),
            ForwardedBy::Forwarded => forwarded::hops(headers),
        };
        for hop in hops.into_iter().take(MAX_HOPS) {
            if let Some(proto) = hop.proto {
                origin.is_https = proto.eq_ignore_ascii_case("https");
            }
            if let Some(host) = hop.host {
                origin.host = Some(host.to_owned());
            }
            // A hop that hides its address (RFC 7239 section 6.3) or cannot be read is the last one that is known of.
            let Some(from) = hop.from else { break };
            origin.address = Some(from);
            if !self.trusts(from) {
                break;
            }
        }
        origin
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&ip))
    }
}

/// The hops of the `X-Forwarded-…` headers, the nearest first. Where the lists differ in length they are aligned at their
/// ends, and one single value speaks of the client.
fn x_forwarded(headers: &HeaderMap) -> Vec<Hop<'_>> {
    let list = |name: &HeaderName| -> Vec<&str> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let all: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        all.into_iter().rev().take(MAX_HOPS).collect()
    };
    let (from, protos, hosts) = (list(&X_FORWARDED_FOR), list(&X_FORWARDED_PROTO), list(&X_FORWARDED_HOST));
    let count = from.len().max(usize::from(!protos.is_empty() || !hosts.is_empty()));
    (0..count)
        .map(|i| Hop {
            from: from.get(i).and_then(|text| address(text)),
            proto: protos.get(i).copied(),
            host: hosts.get(i).copied(),
        })
        .collect()
}

/// An address with or without a port; IPv6 in brackets where there is one.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.bytes().filter(|b| *b == b':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The host that answers name: the proxy's word, the request's `Host`, its address; only what has a host's characters.
pub fn host<'r>(
    origin: Option<&'r Origin>,
    headers: &'r HeaderMap,
    uri: &'r axum::http::Uri,
) -> Option<&'r str> {
    let plain = |host: &&str| {
        (1..=255).contains(&host.len())
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
    };
    let said = origin.and_then(|origin| origin.host.as_deref()).filter(plain);
    let header = || headers.get(header::HOST).and_then(|value| value.to_str().ok()).filter(plain);
    said.or_else(header).or_else(|| uri.authority().map(axum::http::uri::Authority::as_str).filter(plain))
}

/// The network of one customer: who has an IPv6 address has at least 2^64 of them.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let s = v6.segments();
            IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests;
