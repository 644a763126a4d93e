//! `Forwarded` (RFC 7239 section 4).

use axum::http::{HeaderMap, header};

use super::{Hop, MAX_HOPS, address};

/// The hops of the header, the nearest first. A header that cannot be read says nothing.
pub(super) fn hops(headers: &HeaderMap) -> Vec<Hop<'_>> {
    let mut all = Vec::new();
    for value in headers.get_all(header::FORWARDED) {
        let Some(elements) = value.to_str().ok().and_then(elements) else { return Vec::new() };
        all.extend(elements);
    }
    all.into_iter().rev().take(MAX_HOPS).collect()
}

fn elements(text: &str) -> Option<Vec<Hop<'_>>> {
    split(text, b',')?.into_iter().map(hop).collect()
}

fn hop(element: &str) -> Option<Hop<'_>> {
    let mut hop = Hop::default();
    for pair in split(element, b';')? {
        let pair = pair.trim();
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        // Nothing of what we read needs a backslash: a value that has one is not understood.
        let value = match value.trim().strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"').filter(|inner| !inner.contains(['\\', '"']))?,
            None => value.trim(),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.from = address(value),
            "proto" => hop.proto = Some(value),
            "host" => hop.host = Some(value),
            _ => {}
        }
    }
    Some(hop)
}

/// Parts of a text, where the separator does not stand in quotes. None where a quote stays open.
fn split(text: &str, separator: u8) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if byte == separator && !is_quoted => {
                parts.push(&text[begin..i]);
                begin = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!is_quoted).then_some(parts)
}
