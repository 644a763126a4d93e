//! Reading values out of the tree: known keys only, all faults collected, variables put in.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_scim::schema::Registry;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::diagnostic::{Chapter, Diagnostic, Fault};
use crate::nearest::nearest;
use crate::place::{Files, Place, Span};
use crate::yaml::{Node, Scalar, Value, shown};

/// The most faults that are told at once.
const MOST_FAULTS: usize = 200;
/// How many bytes all compiled patterns of a map may take.
const PATTERNS_ROOM: usize = 64 << 20;

/// What reading needs everywhere: the files, the variables, and where faults go.
pub(crate) struct Reader<'f> {
    pub files: &'f Files,
    pub vars: BTreeMap<String, String>,
    /// Variables that are declared, and whose value cannot be read.
    pub faulty_vars: BTreeSet<String>,
    /// The schemas that conditions and templates are typed by.
    pub registry: Arc<Registry>,
    /// How many bytes compiled patterns may still take.
    pub pattern_room: Cell<usize>,
    faults: RefCell<Vec<Diagnostic>>,
    /// How many faults there are beyond those that are told.
    untold: Cell<usize>,
    /// The part of the language's reference that is being read.
    chapter: Cell<Chapter>,
}

/// A mapping whose keys have been checked.
pub(crate) struct Fields<'n> {
    /// The keys and values as a whole.
    pub span: Span,
    what: String,
    entries: &'n [(Scalar, Node)],
}

impl<'f> Reader<'f> {
    pub fn new(files: &'f Files) -> Self {
        Self {
            files,
            vars: BTreeMap::new(),
            faulty_vars: BTreeSet::new(),
            registry: Arc::new(Registry::standard()),
            pattern_room: Cell::new(PATTERNS_ROOM),
            faults: RefCell::default(),
            untold: Cell::new(0),
            chapter: Cell::new(Chapter::Files),
        }
    }

    /// Says which part of the reference speaks of what is read next.
    pub fn turn_to(&self, chapter: Chapter) {
        self.chapter.set(chapter);
    }

    /// Reads something that another part of the reference speaks of.
    pub fn within<T>(&self, chapter: Chapter, read: impl FnOnce() -> T) -> T {
        let before = self.chapter.replace(chapter);
        let read = read();
        self.chapter.set(before);
        read
    }

    pub fn place(&self, span: Span) -> Place {
        self.files.place(span)
    }

    pub fn push(&self, mut fault: Diagnostic) {
        fault.chapter = self.chapter.get();
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MOST_FAULTS {
            faults.push(fault);
        } else {
            self.untold.set(self.untold.get() + 1);
        }
    }

    pub fn fault(&self, fault: Fault, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::new(self.files, fault, span, message));
    }

    pub fn fault_help(&self, fault: Fault, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Diagnostic::new(self.files, fault, span, message).help(help));
    }

    /// A word that names nothing: with the candidate that it most likely meant, else with other help.
    pub fn unknown<'c>(
        &self,
        at: &Scalar,
        message: impl Into<String>,
        candidates: impl IntoIterator<Item = &'c str>,
        otherwise: &str,
    ) {
        let fault = Diagnostic::new(self.files, Fault::Unknown, at.span, message);
        self.push(match nearest(&at.text, candidates) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if otherwise.is_empty() => fault,
            None => fault.help(otherwise),
        });
    }

    pub fn not_yet(&self, span: Span, what: &str) {
        self.fault(Fault::NotSupportedYet, span, format!("{what} is not supported yet"));
    }

    /// How many faults there are so far.
    pub fn count(&self) -> usize {
        self.faults.borrow().len() + self.untold.get()
    }

    /// All faults, in the order of the files.
    pub fn into_faults(self) -> Vec<Diagnostic> {
        let mut faults = self.faults.into_inner();
        let rank: BTreeMap<&str, usize> = self.files.names().enumerate().map(|(i, n)| (n, i)).collect();
        faults.sort_by_key(|d| (rank.get(&*d.place.file).copied(), d.place.line, d.place.column));
        faults.dedup();
        let untold = self.untold.get();
        if let Some(last) = faults.last().filter(|_| untold > 0) {
            let message = format!("and {untold} more: the first {MOST_FAULTS} faults are told");
            let more = Diagnostic { message, quoted: None, help: None, ..last.clone() };
            faults.push(more);
        }
        faults
    }

    /// Takes the node as keys and values of which only `known` exist; `later` are known to the language, not to this version.
    pub fn fields<'n>(
        &self,
        node: &'n Node,
        what: &str,
        known: &[&str],
        later: &[&str],
    ) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_kind(node, what, "keys and values");
            return None;
        };
        for (key, _) in entries {
            self.check_key(key, what, known, later);
        }
        Some(Fields { span: node.span, what: what.to_owned(), entries })
    }

    pub fn check_key(&self, key: &Scalar, what: &str, known: &[&str], later: &[&str]) {
        let name = key.text.as_str();
        if known.contains(&name) {
            return;
        }
        if later.contains(&name) {
            return self.not_yet(key.span, &format!("key `{name}` of {what}"));
        }
        let message = format!("{what} has no key `{}`", shown(name));
        let otherwise = format!("known keys: {}", known.join(", "));
        self.unknown(key, message, known.iter().chain(later).copied(), &otherwise);
    }

    pub fn wrong_kind(&self, node: &Node, what: &str, wanted: &str) {
        self.fault(
            Fault::Invalid,
            node.span,
            format!("{what} must be {wanted}, but is {}", node.value.kind()),
        );
    }

    /// The node as a list; a list may be empty.
    pub fn list<'n>(&self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong_kind(node, what, "a list");
        &[]
    }

    /// The node as keys that the author chooses.
    pub fn entries<'n>(&self, node: &'n Node, what: &str) -> &'n [(Scalar, Node)] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Nothing => &[],
            _ => {
                self.wrong_kind(node, what, "keys and values");
                &[]
            }
        }
    }

    /// The node as text, with variables put in.
    pub fn text(&self, node: &Node, what: &str) -> Option<Scalar> {
        let Value::Text(text) = &node.value else {
            self.wrong_kind(node, what, "text");
            return None;
        };
        if text.text.is_empty() {
            self.fault(Fault::Invalid, node.span, format!("{what} must not be empty"));
            return None;
        }
        self.substitute(text, what)
    }

    fn substitute(&self, text: &Scalar, what: &str) -> Option<Scalar> {
        if !text.text.contains("${") {
            return Some(text.clone());
        }
        let mut out = String::new();
        let mut rest = text.text.as_str();
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let from = text.text.len() - rest.len() + at;
            let Some(end) = rest[at..].find('}') else {
                self.fault(Fault::Invalid, text.part(from, from + 2), "`${` has no `}`");
                return None;
            };
            let name = &rest[at + 2..at + end];
            let span = text.part(from, from + end + 1);
            if name.starts_with("env:") || name.starts_with("file:") {
                let message = format!(
                    "{what} cannot hold a secret: `${{env:…}}` and `${{file:…}}` stand only in `auth`"
                );
                self.fault(Fault::Invalid, span, message);
                return None;
            }
            if self.faulty_vars.contains(name) {
                return None;
            }
            let Some(value) = self.vars.get(name) else {
                let near = nearest(name, self.vars.keys().map(String::as_str));
                let help =
                    near.map_or("declare it under `vars`".into(), |n| format!("did you mean `${{{n}}}`?"));
                self.fault_help(Fault::Unknown, span, format!("no variable `{}`", shown(name)), help);
                return None;
            };
            out.push_str(value);
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        Some(Scalar { span: text.span, text: out, offset: None })
    }

    /// The text as one of these words.
    pub fn word<T: Copy>(&self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("{what} cannot be `{}`", shown(&text.text));
        self.unknown(&text, message, known.iter().copied(), &format!("one of: {}", known.join(", ")));
        None
    }

    /// An instant: a date and a time with its offset.
    pub fn instant(&self, node: &Node, what: &str) -> Option<OffsetDateTime> {
        let text = self.text(node, what)?;
        let read = OffsetDateTime::parse(&text.text, &Rfc3339);
        if read.is_err() {
            self.fault_help(
                Fault::Invalid,
                text.span,
                format!("{what} must be an instant, but is `{}`", shown(&text.text)),
                "write it like 2027-06-30T00:00:00Z",
            );
        }
        read.ok()
    }

    /// A length of time: a whole number and `s`, `m`, `h` or `d`.
    pub fn duration(&self, node: &Node, what: &str) -> Option<Duration> {
        let text = self.text(node, what)?;
        let read = text.text.char_indices().last().and_then(|(at, unit)| {
            let n: i64 = text.text[..at].parse().ok().filter(|n| (1..=1_000_000).contains(n))?;
            match unit {
                's' => Some(Duration::seconds(n)),
                'm' => Some(Duration::minutes(n)),
                'h' => Some(Duration::hours(n)),
                'd' => Some(Duration::days(n)),
                _ => None,
            }
        });
        if read.is_none() {
            let message = format!("{what} must be a length of time, but is `{}`", shown(&text.text));
            self.fault_help(Fault::Invalid, text.span, message, "write it like 30m, 24h or 7d");
        }
        read
    }

    /// A whole number in a range.
    pub fn number(&self, node: &Node, what: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let text = self.text(node, what)?;
        let read = text.text.parse().ok().filter(|n| range.contains(n));
        if read.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = format!("{what} must be a whole number from {low} to {high}");
            self.fault(Fault::Invalid, text.span, message);
        }
        read
    }
}

impl<'n> Fields<'n> {
    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// A key itself, where it is given.
    pub fn key(&self, key: &str) -> Option<&'n Scalar> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(k, _)| k)
    }

    /// The value under a key that must be given.
    pub fn need(&self, reader: &Reader<'_>, key: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            // The first key marks the place: the span of the whole may run over many lines.
            let span = self.entries.first().map_or(self.span, |(k, _)| k.span);
            reader.fault(Fault::Missing, span, format!("{} needs the key `{key}`", self.what));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::load;

    fn faults(text: &str, read: impl Fn(&Reader<'_>, &Node)) -> Vec<String> {
        let mut files = Files::default();
        let file = files.add("m.yaml", text);
        let node = load(&files, file).unwrap().root.unwrap();
        let mut reader = Reader::new(&files);
        reader.vars.insert("env".into(), "prod".into());
        read(&reader, &node);
        reader.into_faults().iter().map(|d| d.message.clone()).collect()
    }

    #[test]
    fn variables_are_put_in_once_and_only_known_ones() {
        let text = |source: &str| {
            let mut got = None;
            let cell = RefCell::new(&mut got);
            let faults = faults(source, |r, n| **cell.borrow_mut() = r.text(n, "it").map(|t| t.text));
            (got, faults)
        };
        assert_eq!(text("x-${env}-${env}").0.unwrap(), "x-prod-prod");
        assert_eq!(text("${nev}").1, ["no variable `nev`"]);
        assert_eq!(text("'${env'").1, ["`${` has no `}`"]);
        assert!(text("${env:HOME}").1[0].contains("only in `auth`"));
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, good) in
            [("24h", true), ("7d", true), ("24", false), ("h", false), ("-1h", false), ("1é", false)]
        {
            let faults = faults(text, |r, n| assert_eq!(r.duration(n, "it").is_some(), good));
            assert_eq!(faults.is_empty(), good, "{text}: {faults:?}");
        }
    }
}
