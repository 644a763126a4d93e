use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn proxies(header: ForwardedBy) -> Proxies {
    Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], header }
}

fn peer(address: &str) -> Peer {
    Peer { address: SocketAddr::new(address.parse().unwrap(), 4711), is_tls: false }
}

fn seen(proxies: &Proxies, from: &str, pairs: &[(&'static str, &str)]) -> (String, bool, Option<String>) {
    let origin = proxies.origin(Some(peer(from)), &headers(pairs));
    (origin.address.unwrap().to_string(), origin.is_https, origin.host)
}

fn plain(address: &str) -> (String, bool, Option<String>) {
    (address.to_owned(), false, None)
}

#[test]
fn headers_of_strangers_say_nothing() {
    let all = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=1.2.3.4;proto=https;host=evil.example"),
    ];
    for header in [ForwardedBy::XForwarded, ForwardedBy::Forwarded] {
        assert_eq!(seen(&proxies(header), "192.0.2.1", &all), plain("192.0.2.1"));
    }
    assert_eq!(
        seen(&Proxies::default(), "10.0.0.1", &all),
        plain("10.0.0.1"),
        "nobody is trusted by default"
    );
}

#[test]
fn the_rightmost_hop_that_is_no_proxy_is_the_client() {
    let proxies = proxies(ForwardedBy::XForwarded);
    for (value, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        ("203.0.113.9:5123, 10.1.1.1:80", "203.0.113.9"),
        ("[2001:db8::7]:99", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, garbage", "10.0.0.1"),
        ("1.1.1.1, garbage, 10.1.1.1", "10.1.1.1"),
        ("", "10.0.0.1"),
    ] {
        assert_eq!(seen(&proxies, "10.0.0.1", &[("x-forwarded-for", value)]), plain(client), "{value}");
    }
    let two = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(seen(&proxies, "10.0.0.1", &two), plain("203.0.113.9"), "two headers are one list");
    assert_eq!(seen(&proxies, "::ffff:10.0.0.1", &two), plain("203.0.113.9"), "IPv4 in IPv6's clothes");
}

#[test]
fn scheme_and_host_are_the_hop_s() {
    let proxies = proxies(ForwardedBy::XForwarded);
    let host = |name: &str| Some(name.to_owned());
    let one = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "axon.test"),
    ];
    assert_eq!(seen(&proxies, "10.0.0.1", &one), ("203.0.113.9".into(), true, host("axon.test")));
    let two = [
        ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.1.1.1"),
        ("x-forwarded-proto", "http, https, http"),
        ("x-forwarded-host", "spoofed, axon.test, inner"),
    ];
    assert_eq!(seen(&proxies, "10.0.0.1", &two), ("203.0.113.9".into(), true, host("axon.test")));
    let bare = [("x-forwarded-proto", "HTTPS")];
    assert_eq!(seen(&proxies, "10.0.0.1", &bare), ("10.0.0.1".into(), true, None));
}

#[test]
fn the_standard_header_is_read_where_it_is_chosen_and_the_other_is_not() {
    let chosen = proxies(ForwardedBy::Forwarded);
    let at = |value: &str| seen(&chosen, "fd00::1", &[("forwarded", value), ("x-forwarded-for", "6.6.6.6")]);
    let host = Some("axon.test:8443".to_owned());
    assert_eq!(
        at(
            "for=1.1.1.1, For=\"203.0.113.9:99\";Proto=https;host=\"axon.test:8443\", for=\"[fd00::2]\";proto=http;by=10.0.0.1"
        ),
        ("203.0.113.9".into(), true, host)
    );
    for said_nothing in
        ["for=unknown", "for=_hidden;proto=http", "for=\"203.0.113.9", "for", "for=\"a\\\"b\""]
    {
        assert_eq!(at(said_nothing).0, "fd00::1", "{said_nothing}");
    }
    let x_only = proxies(ForwardedBy::XForwarded);
    assert_eq!(seen(&x_only, "10.0.0.1", &[("forwarded", "for=6.6.6.6")]), plain("10.0.0.1"));
}

#[test]
fn a_host_that_is_more_than_a_host_is_not_repeated() {
    let origin = |host: &str| Origin { address: None, is_https: true, host: Some(host.to_owned()) };
    let uri = "/scim/v2/Users".parse().unwrap();
    let given = headers(&[("host", "axon.test")]);
    assert_eq!(host(Some(&origin("proxy.test")), &given, &uri), Some("proxy.test"));
    for bad in ["evil.example/path", "a b", "<script>", "", &"a".repeat(256)] {
        assert_eq!(host(Some(&origin(bad)), &given, &uri), Some("axon.test"), "{bad}");
    }
}
