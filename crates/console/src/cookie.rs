//! The one cookie: which session a browser has.

use axum::http::{HeaderMap, HeaderValue, header};

/// Over https no page of plain HTTP can set it (`__Secure-`).
const SECURE: &str = "__Secure-axon";
/// On this machine alone, where browsers take no secure one.
const PLAIN: &str = "axon";

const fn name(is_https: bool) -> &'static str {
    if is_https { SECURE } else { PLAIN }
}

/// What the browser's cookie says. Where it has two of the name, one was put there by somebody else: then it has none.
pub fn find(headers: &HeaderMap, is_https: bool) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(key, _)| *key == name(is_https)).map(|(_, value)| value);
    match (ours.next(), ours.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// Gives the browser a session. No script reads it, no other site's page sends it, and it ends with the browser.
pub fn set(session: &str, is_https: bool) -> Option<HeaderValue> {
    written(session, is_https, "")
}

/// Takes it back.
pub fn clear(is_https: bool) -> Option<HeaderValue> {
    written("", is_https, "; Max-Age=0")
}

fn written(value: &str, is_https: bool, more: &str) -> Option<HeaderValue> {
    let secure = if is_https { "; Secure" } else { "" };
    let name = name(is_https);
    let text = format!("{name}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}{more}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str], is_https: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        find(&headers, is_https).map(str::to_owned)
    }

    #[test]
    fn one_cookie_of_the_right_name_is_read() {
        assert_eq!(found(&["a=1; __Secure-axon=x; b=2"], true).as_deref(), Some("x"));
        assert_eq!(found(&["a=1", "axon=y"], false).as_deref(), Some("y"));
        for (lines, is_https) in [
            (&["axon=y"][..], true),
            (&["__Secure-axon=x"], false),
            (&["axon=y; axon=z"], false),
            (&["axon=y", "axon=y"], false),
            (&["Axon=y; xaxon=y; axon"], false),
            (&[], false),
        ] {
            assert_eq!(found(lines, is_https), None, "{lines:?}");
        }
    }

    #[test]
    fn it_is_for_our_pages_alone_and_for_no_script() {
        let told = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(told(set("x", true)), "__Secure-axon=x; Path=/console; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(told(set("x", false)), "axon=x; Path=/console; HttpOnly; SameSite=Strict");
        assert_eq!(told(clear(false)), "axon=; Path=/console; HttpOnly; SameSite=Strict; Max-Age=0");
        assert_eq!(format!("{:?}", set("x", true)), "Some(Sensitive)");
    }
}
