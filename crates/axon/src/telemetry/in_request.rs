//! Every line that is logged while a request is answered names the request, and its source as soon as it is known.

use std::fmt::{self, Write as _};

use axon_api::InRequest;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A format with the request's fields at the end of each line.
pub struct WithRequest<F> {
    format: F,
    add: fn(&mut String, InRequest<'_>),
}

impl<F> WithRequest<F> {
    /// Round a format that writes one JSON object a line.
    pub fn json(format: F) -> Self {
        Self { format, add: add_json }
    }

    /// Round a format that writes text.
    pub fn text(format: F) -> Self {
        Self { format, add: add_text }
    }
}

impl<S, N, F> FormatEvent<S, N> for WithRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let written = axon_api::in_request(|request| {
            let mut line = String::new();
            self.format.format_event(context, Writer::new(&mut line), event)?;
            line.truncate(line.trim_end().len());
            (self.add)(&mut line, request);
            Ok(line)
        });
        match written {
            Some(line) => writeln!(writer, "{}", line?),
            None => self.format.format_event(context, writer, event),
        }
    }
}

/// A name that the event has itself is not given twice.
fn add_json(line: &mut String, request: InRequest<'_>) {
    if line.pop() != Some('}') {
        return;
    }
    for (name, value) in request.fields() {
        if !line.contains(&format!("\"{name}\":")) {
            let _ = write!(line, ",\"{name}\":{}", serde_json::Value::from(value));
        }
    }
    line.push('}');
}

fn add_text(line: &mut String, request: InRequest<'_>) {
    let _ = write!(line, " {request}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: InRequest<'_> =
        InRequest { id: "r\"7", method: "GET", route: "/scim/v2/Users/{id}", source: Some("entra") };

    #[test]
    fn json_stays_one_object_with_each_name_once() {
        let mut line = r#"{"level":"WARN","message":"says \"source.id\":","source.id":"okta"}"#.to_owned();
        add_json(&mut line, REQUEST);
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        assert_eq!(object["request.id"], "r\"7");
        assert_eq!(object["http.route"], "/scim/v2/Users/{id}");
        assert_eq!((&object["source.id"], line.matches(r#""source.id":"#).count()), (&"okta".into(), 1));
        let mut line = r#"{"level":"WARN"}"#.to_owned();
        add_json(&mut line, InRequest { source: None, ..REQUEST });
        assert_eq!(
            line,
            r#"{"level":"WARN","request.id":"r\"7","http.method":"GET","http.route":"/scim/v2/Users/{id}"}"#
        );
    }

    #[test]
    fn text_names_them_at_the_end() {
        let mut line = "WARN answered".to_owned();
        add_text(&mut line, REQUEST);
        assert_eq!(
            line,
            "WARN answered request.id=r\"7 http.method=GET http.route=/scim/v2/Users/{id} source.id=entra"
        );
    }
}
