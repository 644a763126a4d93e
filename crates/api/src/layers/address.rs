//! Addresses as clients write them: a tenant URL that ends in a slash gives `//Users`, others end paths in one.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Takes doubled and trailing slashes out of the path, so that routes need to know one spelling only. The query is not
/// touched, and an address that is tidy already is not copied.
pub fn tidy(mut request: Request) -> Request {
    let path = request.uri().path();
    if !(path.len() > 1 && (path.ends_with('/') || path.contains("//"))) {
        return request;
    }
    let mut tidied = String::with_capacity(request.uri().path_and_query().map_or(0, |p| p.as_str().len()));
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        tidied.push('/');
        tidied.push_str(segment);
    }
    if tidied.is_empty() {
        tidied.push('/');
    }
    if let Some(query) = request.uri().query() {
        tidied.push('?');
        tidied.push_str(query);
    }
    let Ok(address) = PathAndQuery::try_from(tidied) else { return request };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(address);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn slashes_too_many_are_taken_out_of_the_path_alone() {
        for (given, tidied) in [
            ("/scim/v2/Users", "/scim/v2/Users"),
            ("/scim/v2//Users", "/scim/v2/Users"),
            ("//scim///v2/Users/", "/scim/v2/Users"),
            ("/scim/v2/Users/?filter=a//b/", "/scim/v2/Users?filter=a//b/"),
            ("/scim/v2/Users/%2F%2F/", "/scim/v2/Users/%2F%2F"),
            ("/", "/"),
            ("///", "/"),
            ("http://axon.test//scim/v2/", "http://axon.test/scim/v2"),
        ] {
            let request = Request::builder().uri(given).body(Body::empty()).unwrap();
            assert_eq!(tidy(request).uri().to_string(), tidied, "{given}");
        }
    }
}
