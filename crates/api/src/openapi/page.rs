//! The document as a page: HTML without scripts, whose one other file is its style.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

/// The style.
pub const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; }
h3 { border-top: 1px solid var(--line); padding-top: 1rem; overflow-wrap: anywhere; }
code, .method { font-family: ui-monospace, monospace; font-size: 0.9em; }
.method { font-weight: bold; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; }
th { background: var(--soft); }
nav ul { columns: 20rem; padding-left: 1rem; }
";

/// The methods, in the order of the page.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// The page.
pub fn of(document: &OpenApi) -> String {
    // A document is always a value: it has text for keys.
    let document = serde_json::to_value(document).unwrap_or_default();
    let mut page = Page(String::with_capacity(128 * 1024));
    page.whole(&document);
    page.0
}

struct Page(String);

impl Page {
    fn add(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// A text inside an element.
    fn within(&mut self, element: &str, text: &str) {
        // Writing into a text does not fail.
        let _ = write!(self.0, "<{element}>{}</{element}>", escaped(text));
    }

    fn whole(&mut self, document: &Value) {
        self.add("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
        self.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        self.add("<title>Axon: API</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>");
        let info = &document["info"];
        self.within("h1", &format!("{} {}", said(&info["title"]), said(&info["version"])));
        for paragraph in said(&info["description"]).split("\n\n") {
            self.within("p", paragraph);
        }
        self.add("<p>The same for programs: <a href=\"/openapi.json\">openapi.json</a>.</p><nav>");
        let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().collect();
        for tag in &tags {
            self.within("h2", said(&tag["name"]));
            self.add("<ul>");
            for (path, method, operation) in of_tag(document, said(&tag["name"])) {
                let id = escaped(said(&operation["operationId"]));
                let _ = write!(
                    self.0,
                    "<li><a href=\"#{id}\">{} {}</a></li>",
                    method.to_uppercase(),
                    escaped(path)
                );
            }
            self.add("</ul>");
        }
        self.add("</nav><main>");
        for tag in &tags {
            self.within("h2", said(&tag["description"]));
            for (path, method, operation) in of_tag(document, said(&tag["name"])) {
                self.operation(path, method, operation);
            }
        }
        self.within("h2", "Shapes");
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            let _ = write!(self.0, "<h3 id=\"shape-{0}\">{0}</h3>", escaped(name));
            if let Some(told) = schema["description"].as_str() {
                self.within("p", told);
            }
            self.schema(schema);
        }
        self.add("</main></body></html>\n");
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        let id = escaped(said(&operation["operationId"]));
        let (method, path) = (method.to_uppercase(), escaped(path));
        let _ =
            write!(self.0, "<h3 id=\"{id}\"><span class=\"method\">{method}</span> <code>{path}</code></h3>");
        self.within("p", said(&operation["summary"]));
        if let Some(told) = operation["description"].as_str() {
            self.within("p", told);
        }
        let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        if !parameters.is_empty() {
            self.add("<table><tr><th>parameter</th><th>in</th><th>what</th><th>as</th></tr>");
            for parameter in parameters {
                self.add("<tr>");
                self.within("td", said(&parameter["name"]));
                self.within("td", said(&parameter["in"]));
                self.within("td", said(&parameter["description"]));
                self.cell(&parameter["schema"]);
                self.add("</tr>");
            }
            self.add("</table>");
        }
        let body = &operation["requestBody"];
        if let Some(content) = body["content"].as_object() {
            let kinds: Vec<&str> = content.keys().map(String::as_str).collect();
            let may = if body["required"] == true { "" } else { " (may be left out)" };
            self.within("p", &format!("Body{may}: {}", kinds.join(", ")));
            if let Some(schema) = content.values().next().map(|kind| &kind["schema"]) {
                self.schema(schema);
            }
        }
        self.add("<table><tr><th>answer</th><th>what</th><th>as</th></tr>");
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            self.add("<tr>");
            self.within("td", status);
            self.within("td", said(&answer["description"]));
            self.cell(
                answer["content"]
                    .as_object()
                    .and_then(|kinds| kinds.values().next())
                    .map_or(&Value::Null, |kind| &kind["schema"]),
            );
            self.add("</tr>");
        }
        self.add("</table>");
    }

    fn cell(&mut self, schema: &Value) {
        self.add("<td>");
        self.words(schema);
        self.add("</td>");
    }

    /// A schema in a few words.
    fn words(&mut self, schema: &Value) {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            let _ = write!(self.0, "<a href=\"#shape-{0}\">{0}</a>", escaped(name));
        } else if let Some(words) = schema["enum"].as_array() {
            let words: Vec<String> = words.iter().map(Value::to_string).collect();
            self.within("code", &words.join(" | "));
        } else if let Some(any) = schema["anyOf"].as_array() {
            for (n, one) in any.iter().enumerate() {
                if n > 0 {
                    self.add(" or ");
                }
                self.words(one);
            }
        } else if schema["type"] == "array" {
            self.add("list of ");
            self.words(&schema["items"]);
        } else if let Some(kind) = schema["type"].as_str() {
            self.within("span", schema["format"].as_str().unwrap_or(kind));
        }
    }

    /// A schema with its members.
    fn schema(&mut self, schema: &Value) {
        if let Some(any) = schema["anyOf"].as_array() {
            for one in any {
                self.schema(one);
            }
            return;
        }
        let none = Map::new();
        let members = schema["properties"].as_object().unwrap_or(&none);
        if members.is_empty() {
            self.add("<p>");
            self.words(schema);
            self.add("</p>");
            return;
        }
        let needed: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        self.add("<table><tr><th>member</th><th>as</th><th></th></tr>");
        for (name, member) in members {
            self.add("<tr>");
            self.within("td", name);
            self.add("<td>");
            self.words(member);
            if member["properties"].is_object() {
                self.schema(member);
            }
            self.add("</td>");
            self.within("td", if needed.contains(&name.as_str()) { "needed" } else { "" });
            self.add("</tr>");
        }
        self.add("</table>");
    }
}

fn said(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The operations of a tag.
fn of_tag<'d>(document: &'d Value, tag: &str) -> Vec<(&'d str, &'static str, &'d Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let operation = &item[method];
            if operation["tags"][0] == tag {
                found.push((path.as_str(), method, operation));
            }
        }
    }
    found
}

/// A text as it may stand in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_every_operation_and_shape_and_nothing_that_runs() {
        let document = crate::openapi::document();
        let page = of(&document);
        let value = serde_json::to_value(&document).unwrap();
        for item in value["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values().filter(|one| one["operationId"].is_string()) {
                let id = operation["operationId"].as_str().unwrap();
                assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{id}");
                assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
            }
        }
        for name in value["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("id=\"shape-{name}\"")), "{name}");
        }
        for bad in ["<script", "style=", "javascript:", "http://", " onclick"] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert_eq!(page.matches("<table>").count(), page.matches("</table>").count());
    }

    #[test]
    fn what_a_document_says_is_text() {
        let mut page = Page(String::new());
        page.within("td", "<b>\"&'");
        assert_eq!(page.0, "<td>&lt;b&gt;&quot;&amp;&#39;</td>");
    }
}
