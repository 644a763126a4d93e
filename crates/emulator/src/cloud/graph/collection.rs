//! Lists: filtered, counted, cut into pages that a link joins.

use serde_json::{Value, json};

use super::entry::Entry;
use super::filter::Filter;
use super::refused;
use crate::cloud::Desk;
use crate::cloud::reply::Reply;

/// The most objects of a page.
const MOST: usize = 999;

/// A list of objects, as the query wants it.
pub(super) fn list(desk: &Desk<'_>, entries: &[Entry<'_>]) -> Reply {
    let request = desk.request;
    let filter = match request.parameter("$filter").map(|text| Filter::parse(&text)) {
        None => None,
        Some(Some(filter)) => Some(filter),
        Some(None) => {
            return refused(
                desk,
                400,
                "Request_UnsupportedQuery",
                "Unsupported or invalid query filter clause specified.",
            );
        }
    };
    let top = match request.parameter("$top").map(|text| text.parse::<usize>()) {
        None => desk.state.settings.graph_page.clamp(1, MOST),
        Some(Ok(top @ 1..=MOST)) => top,
        Some(_) => {
            return refused(
                desk,
                400,
                "Request_UnsupportedQuery",
                "Invalid page size specified: it must be between 1 and 999 inclusive.",
            );
        }
    };
    let found: Vec<&Entry<'_>> = entries
        .iter()
        .filter(|entry| filter.as_ref().is_none_or(|filter| filter.takes(&entry.attributes())))
        .collect();
    // The token is the last id of the page before: objects that come and go between pages move nothing.
    let from = match request.parameter("$skiptoken") {
        None => 0,
        Some(last) => match found.iter().position(|entry| entry.id() == last) {
            Some(at) => at + 1,
            None => {
                return refused(
                    desk,
                    400,
                    "Directory_ExpiredPageToken",
                    "The specified page token value has expired and can no longer be included in your request.",
                );
            }
        },
    };
    let select = request.parameter("$select");
    let page: Vec<Value> =
        found.iter().skip(from).take(top).map(|entry| entry.shown(select.as_deref())).collect();
    let mut body = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata", "value": page});
    if request.parameter("$count").as_deref() == Some("true") {
        body["@odata.count"] = found.len().into();
    }
    if let Some(last) = found.get(from + top - 1).filter(|_| found.len() > from + top) {
        let pairs = form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name != "$skiptoken");
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            query.append_pair(&name, &value);
        }
        query.append_pair("$skiptoken", last.id());
        body["@odata.nextLink"] = format!("{}{}?{}", request.origin(), request.path, query.finish()).into();
    }
    Reply::ok(&body)
}
