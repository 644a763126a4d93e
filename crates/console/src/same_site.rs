//! Whether a form was sent from one of our own pages, as the browser tells.

use axum::http::{HeaderMap, HeaderName, header};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether it was. `origins`: those of our pages.
///
/// Our pages send no referrer, and a browser that sends none hides the origin of a form, too: it says `null` (Fetch standard,
/// "append a request `Origin` header"). Then its word on the site counts, which no page can set. A browser that says neither is refused.
pub fn is_ours(headers: &HeaderMap, origins: &[String]) -> bool {
    let origin = one(headers, &header::ORIGIN);
    let ours = |origin: &str| origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
    match one(headers, &SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" && origin.is_none_or(|origin| origin == "null" || ours(origin)),
        None => origin.is_some_and(ours),
    }
}

/// The header's value; what is there twice or cannot be read is like no word that counts.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    Some(if all.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(given: &[(&HeaderName, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        is_ours(&headers, &["https://axon.acme.example".to_owned(), "https://10.0.0.1:8443".to_owned()])
    }

    #[test]
    fn a_form_counts_from_our_own_pages_alone() {
        let (site, origin) = (&SEC_FETCH_SITE, &header::ORIGIN);
        let own = "https://axon.acme.example";
        for good in [
            &[(site, "same-origin")][..],
            &[(site, "same-origin"), (origin, "null")],
            &[(site, "same-origin"), (origin, own)],
            &[(origin, own)],
            &[(origin, "https://AXON.acme.example")],
            &[(origin, "https://10.0.0.1:8443")],
        ] {
            assert!(ours(good), "{good:?}");
        }
        for bad in [
            &[][..],
            &[(origin, "null")],
            &[(origin, "http://axon.acme.example")],
            &[(origin, "https://axon.acme.example.evil.example")],
            &[(origin, "https://axon.acme.example:8443")],
            &[(origin, own), (origin, own)],
            &[(site, "cross-site"), (origin, own)],
            &[(site, "same-site"), (origin, own)],
            &[(site, "none")],
            &[(site, "same-origin"), (site, "same-origin")],
            &[(site, "same-origin"), (origin, "https://evil.example")],
        ] {
            assert!(!ours(bad), "{bad:?}");
        }
    }
}
