//! Pieces of pages. What comes from elsewhere goes in as text or as an attribute's value, and both are escaped here: there is no
//! way to put in markup that is not made by [`el`].

use std::fmt::Write as _;

use axon_model::name::shown;

/// Elements that have no end and nothing in them.
const VOID: [&str; 3] = ["input", "link", "meta"];

/// An element with what is in it.
#[derive(Debug, Clone)]
pub struct El {
    tag: &'static str,
    attributes: String,
    inner: String,
}

/// An element of this name.
pub fn el(tag: &'static str) -> El {
    El { tag, attributes: String::new(), inner: String::new() }
}

impl El {
    /// With an attribute. Its value is escaped, and else as it is: what somebody typed is to come back as it was.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        // Writing into a text does not fail.
        let _ = write!(self.attributes, " {name}=\"");
        escape(value, &mut self.attributes);
        self.attributes.push('"');
        self
    }

    /// With an attribute that has no value, where `is` is so.
    #[must_use]
    pub fn flag(mut self, name: &'static str, is: bool) -> Self {
        if is {
            let _ = write!(self.attributes, " {name}");
        }
        self
    }

    /// With text behind what is in it. Marks that change how a line reads, or that nobody sees, are spelled out.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        escape(&shown(text), &mut self.inner);
        self
    }

    /// With an element behind what is in it.
    #[must_use]
    pub fn with(mut self, child: El) -> Self {
        child.write(&mut self.inner);
        self
    }

    /// With these, in their order; an `Option` is one or none.
    #[must_use]
    pub fn all(self, children: impl IntoIterator<Item = El>) -> Self {
        children.into_iter().fold(self, Self::with)
    }

    fn write(self, out: &mut String) {
        let Self { tag, attributes, inner } = self;
        let _ = write!(out, "<{tag}{attributes}>");
        if !VOID.contains(&tag) {
            let _ = write!(out, "{inner}</{tag}>");
        }
    }

    /// This element as a whole document.
    pub fn document(self) -> String {
        let mut out = "<!doctype html>\n".to_owned();
        self.write(&mut out);
        out.push('\n');
        out
    }
}

/// A text as it may stand in HTML, between tags and in quotes.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A browser reads U+0000 as something else, and drops a line's end where an attribute begins with it.
            '\0' => out.push('\u{fffd}'),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(el: El) -> String {
        let mut out = String::new();
        el.write(&mut out);
        out
    }

    #[test]
    fn what_comes_from_elsewhere_is_text_wherever_it_stands() {
        let hostile = "</p><script>alert('x')</script>\"&";
        let page = written(el("p").set("title", hostile).text(hostile));
        let escaped = "&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;";
        assert_eq!(page, format!("<p title=\"{escaped}\">{escaped}</p>"));
        assert_eq!(written(el("p").text("&lt;")), "<p>&amp;lt;</p>");
    }

    #[test]
    fn marks_that_nobody_sees_are_spelled_out_and_long_text_stays_whole() {
        let page = written(el("b").text("a\u{202e}b\u{200b}\u{7}\u{0}"));
        assert_eq!(page, "<b>a\\u{202e}b\\u{200b}\\u{7}\\u{0}</b>");
        let long = "x".repeat(4_000);
        assert!(written(el("b").text(&long)).contains(&long));
    }

    #[test]
    fn what_somebody_typed_comes_back_as_it_was() {
        let field = written(el("input").set("value", "a\u{202e}\"\nb\0"));
        assert_eq!(field, "<input value=\"a\u{202e}&quot;&#10;b\u{fffd}\">");
    }

    #[test]
    fn elements_nest_and_void_ones_have_no_end() {
        let page = el("div")
            .with(el("input").flag("required", true).flag("disabled", false))
            .all([el("b").text("1"), el("i")]);
        assert_eq!(written(page), "<div><input required><b>1</b><i></i></div>");
    }
}
