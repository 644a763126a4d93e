//! The query string of a GET, read by hand as form encoding: identity providers send flags without
//! value, spaces as `+`, and parameters that nobody knows.

use serde_json::Value;

use crate::error::{ScimError, quoted};

/// The parameters of a GET, of a list or of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// 1-based index of the first result; anything below 1 is 1.
    pub start_index: usize,
    /// The place to go on from (RFC 9865); the empty text asks for the first page. Wins over `startIndex`.
    pub cursor: Option<String>,
    /// Most results of the page; below 0 is 0; none leaves it to the server.
    pub count: Option<usize>,
    /// The filter, decoded once.
    pub filter: Option<String>,
    /// The names to show, separated by commas.
    pub attributes: Option<String>,
    /// The names to leave out, separated by commas.
    pub excluded_attributes: Option<String>,
    /// The attribute to sort by.
    pub sort_by: Option<String>,
    /// Sort from high to low?
    pub descending: bool,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            start_index: 1,
            cursor: None,
            count: None,
            filter: None,
            attributes: None,
            excluded_attributes: None,
            sort_by: None,
            descending: false,
        }
    }
}

impl ListQuery {
    /// Reads the part of an address after `?`. The last of repeated keys wins; unknown keys are ignored.
    pub fn parse(query: &str) -> Result<Self, ScimError> {
        let mut out = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decode(key)?;
            let value = decode(value)?;
            match key.to_ascii_lowercase().as_str() {
                "startindex" => out.start_index = number(&key, &value)?.max(1),
                "count" => out.count = Some(number(&key, &value)?),
                "cursor" => out.cursor = Some(cursor(value)?),
                // An empty filter must not mean "everything".
                "filter" if value.trim().is_empty() => {
                    return Err(ScimError::invalid_filter("the filter is empty"));
                }
                "filter" => out.filter = Some(value),
                "attributes" => out.attributes = some(value),
                "excludedattributes" => out.excluded_attributes = some(value),
                "sortby" => out.sort_by = some(value),
                "sortorder" => out.descending = value.eq_ignore_ascii_case("descending"),
                _ => {}
            }
        }
        Ok(out)
    }
}

impl ListQuery {
    /// Reads the body of a `POST …/.search` (RFC 7644 section 3.4.3), which says the same in JSON.
    pub fn from_search(body: Value) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax("the body is a JSON object"));
        };
        let mut out = Self::default();
        for (key, value) in body {
            if value.is_null() {
                continue;
            }
            match key.to_ascii_lowercase().as_str() {
                "startindex" => out.start_index = json_number(&key, &value)?.max(1),
                "count" => out.count = Some(json_number(&key, &value)?),
                "cursor" => out.cursor = Some(cursor(text(&key, value)?)?),
                "filter" => match text(&key, value)? {
                    filter if filter.trim().is_empty() => {
                        return Err(ScimError::invalid_filter("the filter is empty"));
                    }
                    filter => out.filter = Some(filter),
                },
                "attributes" => out.attributes = some(names(&key, value)?),
                "excludedattributes" => out.excluded_attributes = some(names(&key, value)?),
                "sortby" => out.sort_by = some(text(&key, value)?),
                "sortorder" => out.descending = text(&key, value)?.eq_ignore_ascii_case("descending"),
                _ => {}
            }
        }
        Ok(out)
    }
}

/// Longest cursor, in bytes: ours are shorter.
const MAX_CURSOR: usize = 4096;

/// RFC 9865 section 2: unreserved characters of RFC 3986 alone.
fn cursor(text: String) -> Result<String, ScimError> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    if plain && text.len() <= MAX_CURSOR {
        Ok(text)
    } else {
        Err(ScimError::invalid_cursor("the cursor is none of this server's"))
    }
}

fn json_number(key: &str, value: &Value) -> Result<usize, ScimError> {
    match value {
        Value::Number(digits) => number(key, &digits.to_string()),
        Value::String(digits) => number(key, digits),
        _ => Err(ScimError::invalid_value(format!("{key} is a whole number"))),
    }
}

fn text(key: &str, value: Value) -> Result<String, ScimError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(ScimError::invalid_value(format!("{key} is a text"))),
    }
}

/// A list of names, or one text with commas.
fn names(key: &str, value: Value) -> Result<String, ScimError> {
    match value {
        Value::Array(list) => {
            let names: Result<Vec<_>, _> = list.into_iter().map(|name| text(key, name)).collect();
            Ok(names?.join(","))
        }
        value => text(key, value),
    }
}

fn some(value: String) -> Option<String> {
    (!value.trim().is_empty()).then_some(value)
}

/// A whole number; below 0 is 0, and what is too large for a machine word is as good as the largest.
fn number(key: &str, value: &str) -> Result<usize, ScimError> {
    let value = value.trim();
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ScimError::invalid_value(format!("{key} is a whole number, not {}", quoted(value))));
    }
    Ok(if negative { 0 } else { digits.parse().unwrap_or(usize::MAX) })
}

fn decode(text: &str) -> Result<String, ScimError> {
    let bad = || ScimError::invalid_value(format!("{} is not percent-encoded UTF-8", quoted(text)));
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                let (Some(high), Some(low)) = (high, low) else { return Err(bad()) };
                u8::try_from(high * 16 + low).map_err(|_| bad())?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_encoding_is_decoded_exactly_once() {
        let query = ListQuery::parse("filter=userName+eq+%22a%2Bb%40c%2520%22&startIndex=1").unwrap();
        assert_eq!(query.filter.as_deref(), Some(r#"userName eq "a+b@c%20""#));
    }

    #[test]
    fn flags_and_unknown_keys_are_ignored() {
        for raw in ["", "aadOptscim062020", "?aadOptscim062020", "&&x=%41&=&aadOptscim062020="] {
            assert_eq!(ListQuery::parse(raw).unwrap(), ListQuery::default(), "{raw}");
        }
    }

    #[test]
    fn numbers_are_clamped() {
        let of = |raw: &str| ListQuery::parse(raw).map(|q| (q.start_index, q.count)).map_err(|e| e.status);
        assert_eq!(of("startIndex=0&count=-1"), Ok((1, Some(0))));
        assert_eq!(of("count=1&count=2"), Ok((1, Some(2))));
        assert_eq!(of("startIndex=99999999999999999999999"), Ok((usize::MAX, None)));
        for raw in ["count=x", "count=", "count", "startIndex=1.5", "count=--1"] {
            assert_eq!(of(raw), Err(400), "{raw}");
        }
    }

    #[test]
    fn a_search_says_the_same_as_a_query() {
        let body = serde_json::json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "attributes": ["userName", "name.givenName"], "filter": "userName eq \"a\"", "startIndex": -3, "count": 10,
            "sortBy": "userName", "sortOrder": "descending", "excludedAttributes": null});
        let query = "attributes=userName,name.givenName&filter=userName+eq+%22a%22&startIndex=-3&count=10\
                     &sortBy=userName&sortOrder=Descending";
        assert_eq!(ListQuery::from_search(body), ListQuery::parse(query));
        for body in [
            serde_json::json!([]),
            serde_json::json!({"count": 1.5}),
            serde_json::json!({"filter": ""}),
            serde_json::json!({"attributes": [1]}),
        ] {
            assert_eq!(ListQuery::from_search(body.clone()).unwrap_err().status, 400, "{body}");
        }
    }

    #[test]
    fn a_cursor_is_empty_or_plain() {
        let of = |raw: &str| ListQuery::parse(raw).map(|q| q.cursor).map_err(|e| e.scim_type);
        assert_eq!(of("count=1"), Ok(None));
        assert_eq!(of("cursor&count=1"), Ok(Some(String::new())));
        assert_eq!(of("cursor=aZ09-._~"), Ok(Some("aZ09-._~".to_owned())));
        for bad in
            ["cursor=a%2Fb".to_owned(), "cursor=%C3%A9".to_owned(), format!("cursor={}", "x".repeat(5000))]
        {
            assert_eq!(of(&bad), Err(Some(crate::ScimType::InvalidCursor)), "{bad}");
        }
        let body = serde_json::json!({"cursor": "", "count": 10});
        assert_eq!(ListQuery::from_search(body).unwrap().cursor.as_deref(), Some(""));
    }

    #[test]
    fn bad_encoding_and_empty_filters_are_refused() {
        for raw in ["filter=%", "filter=%2", "filter=%GG", "filter=%FF", "filter=", "filter", "filter=+"] {
            assert_eq!(ListQuery::parse(raw).unwrap_err().status, 400, "{raw}");
        }
    }
}
