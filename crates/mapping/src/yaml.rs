//! A YAML document as a tree that knows where each part stands.
//!
//! The language leaves out what a reviewer cannot see at a glance: anchors, aliases, tags, directives, several documents
//! in one file, and keys that are not plain text.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span as EventSpan, options};

use crate::diagnostic::{Diagnostic, Fault};
use crate::place::{Files, Span};

/// The largest file, in bytes.
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// The most values in one file.
const MAX_NODES: usize = 500_000;
/// The longest comment that is looked at, in bytes.
const LONGEST_COMMENT: usize = 2_000;
/// The deepest nesting: the language itself needs less than ten.
const MAX_DEPTH: usize = 32;

#[derive(Debug)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Nothing,
    Text(Scalar),
    List(Vec<Node>),
    Map(Vec<(Scalar, Node)>),
}

/// A scalar. Where `offset` is known, byte `n` of `text` stands at `offset + n` of the file.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub span: Span,
    pub text: String,
    pub offset: Option<usize>,
}

impl Scalar {
    /// The span of a part of the text, else of the whole.
    pub fn part(&self, from: usize, to: usize) -> Span {
        match self.offset {
            Some(offset) => Span { file: self.span.file, start: offset + from, end: offset + to },
            None => self.span,
        }
    }
}

impl Value {
    /// What it is, as a message says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "keys and values",
        }
    }
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Its one document; none if it is empty.
    pub root: Option<Node>,
    /// Its comments, without their marks.
    pub comments: Vec<(Span, String)>,
}

/// Reads the one document of a file.
pub(crate) fn load(files: &Files, file: usize) -> Result<Loaded, Diagnostic> {
    let text = files.text(file);
    if text.len() > MAX_BYTES {
        let span = Span { file, start: 0, end: 0 };
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(Diagnostic::new(files, Fault::Syntax, span, message));
    }
    if let Some(at) = text.find('\u{feff}') {
        let span = Span { file, start: at, end: at + '\u{feff}'.len_utf8() };
        return Err(Diagnostic::new(files, Fault::Syntax, span, "a byte order mark stands here")
            .help("save the file as UTF-8 without a byte order mark"));
    }
    let options = options! {
        emit_comments: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // A quoted glob or a long template may be a key's value, never a key: YAML's own limit is kept.
        simple_key_max_lookahead: 1024,
    };
    let mut loader = Loader {
        files,
        file,
        text,
        open: Vec::new(),
        root: None,
        comments: Vec::new(),
        documents: 0,
        nodes: 0,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => loader.event(event, span)?,
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
                return Err(not_yaml(files, file, at, &error.info()));
            }
        }
    }
    Ok(Loaded { root: loader.root, comments: loader.comments })
}

/// What the parser says; of a tab that indents, what is meant.
fn not_yaml(files: &Files, file: usize, at: usize, info: &str) -> Diagnostic {
    let text = files.text(file);
    let line = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    let tab = |line: usize| {
        let rest = text.get(line..)?;
        let indent = rest.get(..rest.len() - rest.trim_start_matches([' ', '\t']).len())?;
        Some(line + indent.find('\t')?)
    };
    // A value that may go on in the next line is where the parser stands when it meets a tab there.
    let next = || line + text.get(line..).and_then(|rest| rest.find('\n')).map_or(0, |n| n + 1);
    let found = tab(line).or_else(|| tab(next()).filter(|_| info.contains("tab")));
    if let Some(start) = found {
        let span = Span { file, start, end: start + 1 };
        return Diagnostic::new(files, Fault::Syntax, span, "a tab stands where the line is indented")
            .help("YAML is indented with blanks");
    }
    let span = Span { file, start: at, end: at + 1 };
    if info.contains("recursion limit") {
        let message = format!("the file is nested deeper than {MAX_DEPTH}");
        return Diagnostic::new(files, Fault::Syntax, span, message);
    }
    Diagnostic::new(files, Fault::Syntax, span, format!("not YAML: {info}"))
}

/// A collection that is not closed yet; of a mapping, the key that waits for its value, and the keys so far.
enum Open {
    List(Span, Vec<Node>),
    Map(Span, Vec<(Scalar, Node)>, Option<Scalar>, HashMap<String, Span>),
}

struct Loader<'a> {
    files: &'a Files,
    file: usize,
    text: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    comments: Vec<(Span, String)>,
    documents: usize,
    nodes: usize,
}

impl Loader<'_> {
    fn refuse(&self, span: Span, message: &str) -> Diagnostic {
        Diagnostic::new(self.files, Fault::Syntax, span, message)
    }

    fn span(&self, span: EventSpan) -> Span {
        let byte = |b: Option<usize>| b.unwrap_or(self.text.len()).min(self.text.len());
        let (start, end) = (byte(span.start.byte_offset()), byte(span.end.byte_offset()));
        Span { file: self.file, start, end: end.max(start) }
    }

    /// The anchor or tag of a value: it stands before it, perhaps on another line.
    fn mark_before(&self, value: Span, mark: char) -> Span {
        let at = match self.text.get(value.start..) {
            Some(text) if text.starts_with(mark) => Some(value.start),
            // A tag may begin with two.
            _ => self
                .text
                .get(..value.start)
                .and_then(|before| before.rfind(mark).map(|at| before[..at].trim_end_matches(mark).len())),
        };
        let Some(start) = at else { return value };
        let length = self.text[start..].find(|c: char| c.is_whitespace()).unwrap_or(self.text.len() - start);
        Span { start, end: start + length, ..value }
    }

    fn event(&mut self, event: Event<'_>, at: EventSpan) -> Result<(), Diagnostic> {
        let span = self.span(at);
        let (tagged, anchored) = (event.tag().is_some(), event.anchor_id().is_some_and(|id| id > 0));
        if tagged || anchored || matches!(event, Event::Alias(_) | Event::UnresolvedAlias(_)) {
            let span = match (anchored, tagged) {
                (true, _) => self.mark_before(span, '&'),
                (false, true) => self.mark_before(span, '!'),
                (false, false) => span,
            };
            return Err(self.refuse(span, "anchors, aliases and tags of YAML are not part of the language"));
        }
        if event.is_node() {
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                return Err(self.refuse(span, &format!("a file holds at most {MAX_NODES} values")));
            }
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.refuse(
                        span,
                        "a file holds one YAML document; write the second to a file of its own",
                    ));
                }
                Ok(())
            }
            Event::Comment(text, _) => {
                if text.len() <= LONGEST_COMMENT && self.comments.len() < MAX_NODES {
                    self.comments.push((span, text.into_owned()));
                }
                Ok(())
            }
            Event::Scalar(text, style, ..) => self.scalar(text, style, span),
            Event::SequenceStart(..) => self.begin(span, Open::List(span, Vec::new())),
            Event::MappingStart(..) => self.begin(span, Open::Map(span, Vec::new(), None, HashMap::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, span: Span, open: Open) -> Result<(), Diagnostic> {
        if let Some(Open::Map(_, _, None, _)) = self.open.last() {
            return Err(self.refuse(span, "a key is plain text, not a list or a mapping"));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, span: Span) -> Result<(), Diagnostic> {
        let offset = self.offset(&text, style, span);
        let nothing =
            style == ScalarStyle::Plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
        let text = Scalar { span, text: text.into_owned(), offset };
        match self.open.last_mut() {
            Some(Open::Map(_, _, key @ None, seen)) => {
                if nothing || text.text.is_empty() {
                    return Err(self.refuse(span, "a key must not be empty"));
                }
                if let Some(first) = seen.insert(text.text.clone(), span) {
                    let first = self.files.place(first);
                    let message = format!("key `{}` is given twice; first at {first}", shown(&text.text));
                    return Err(Diagnostic::new(self.files, Fault::Duplicate, span, message));
                }
                *key = Some(text);
                Ok(())
            }
            _ => self.put(Node { span, value: if nothing { Value::Nothing } else { Value::Text(text) } }),
        }
    }

    /// Where the text stands in the file, if each of its bytes stands there as it is.
    fn offset(&self, text: &str, style: ScalarStyle, span: Span) -> Option<usize> {
        let start = match style {
            ScalarStyle::Plain => span.start,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => span.start + 1,
            _ => return None,
        };
        (self.text.get(start..start + text.len()) == Some(text)).then_some(start)
    }

    fn end(&mut self, at: Span) -> Result<(), Diagnostic> {
        // A block collection has no closing mark: it ends where its last part does.
        let node = match self.open.pop() {
            Some(Open::List(span, items)) => {
                let end = items.last().map_or(at.end.max(span.end), |n| n.span.end);
                Node { span: Span { end, ..span }, value: Value::List(items) }
            }
            Some(Open::Map(span, entries, ..)) => {
                let end = entries.last().map_or(at.end.max(span.end), |(_, n)| n.span.end);
                Node { span: Span { end, ..span }, value: Value::Map(entries) }
            }
            None => return Ok(()),
        };
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Diagnostic> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key, _)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => return Err(self.refuse(node.span, "a key is plain text, not a list or a mapping")),
            },
        }
        Ok(())
    }
}

/// A text from the map inside a message: hidden marks spelled out, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", axon_model::name::shown(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Node>, String> {
        let mut files = Files::default();
        let file = files.add("m.yaml", text);
        load(&files, file).map(|loaded| loaded.root).map_err(|d| d.to_string())
    }

    #[test]
    fn a_part_of_a_scalar_knows_its_place() {
        let text = "a: 'x y'\nb: \"p\\tq\"\n";
        let Value::Map(entries) = read(text).unwrap().unwrap().value else { panic!() };
        let part = |n: usize, from, to| match &entries[n].1.value {
            Value::Text(t) => t.part(from, to),
            _ => panic!(),
        };
        assert_eq!(&text[part(0, 2, 3).start..part(0, 2, 3).end], "y");
        assert_eq!(&text[part(1, 2, 3).start..part(1, 2, 3).end], "\"p\\tq\"", "escapes: the whole");
    }

    #[test]
    fn what_hides_meaning_is_refused() {
        for bad in [
            "a: &x 1\nb: *x\n",
            "a: !!str 1\n",
            "a: 1\n---\nb: 2\n",
            "? [x]\n: 1\n",
            "{a: 1, a: 2}",
            "a: 1\na: 2\n",
            "a: *nope\n",
            "a: [1\n",
            "\t- a\n\tb",
            "<<: {a: 1}\n<<: {b: 2}",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn deep_nesting_and_giant_files_are_refused_without_a_crash() {
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
        assert!(read(&"{a: ".repeat(100_000)).is_err());
        assert!(read(&" ".repeat(MAX_BYTES + 1)).is_err());
        let many = format!("[{}]", "1,".repeat(MAX_NODES + 1));
        assert!(read(&many).is_err());
    }
}
