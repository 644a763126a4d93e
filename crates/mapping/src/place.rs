//! Where something stands in the map's files: for people as file, line and column; inside as byte ranges.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a file of the map. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", axon_model::name::shown(&self.file), self.line, self.column)
    }
}

/// A byte range of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

/// One file's name and text, with the starts of its lines.
#[derive(Debug)]
struct File {
    name: Arc<str>,
    text: String,
    lines: Vec<usize>,
}

/// The files that one map is parsed from.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<File>);

/// A line of a file, for quoting.
pub(crate) struct Quoted<'a> {
    pub text: &'a str,
    /// Byte range inside the line.
    pub from: usize,
    pub to: usize,
}

impl Files {
    /// Takes a file in and gives its number. Line ends become `\n`.
    pub fn add(&mut self, name: &str, text: &str) -> usize {
        let text = plain_lines(text);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.0.push(File { name: name.into(), text, lines });
        self.0.len() - 1
    }

    pub fn text(&self, file: usize) -> &str {
        &self.0[file].text
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|file| &*file.name)
    }

    fn line_at(&self, span: Span) -> usize {
        self.0[span.file].lines.partition_point(|start| *start <= span.start).saturating_sub(1)
    }

    pub fn place(&self, span: Span) -> Place {
        let file = &self.0[span.file];
        let line = self.line_at(span);
        let before = file.text.get(file.lines[line]..span.start).unwrap_or_default();
        Place { file: file.name.clone(), line: to_u32(line + 1), column: to_u32(before.chars().count() + 1) }
    }

    /// The number of the first line behind the span's own that holds more than a comment.
    pub fn next_line_of_text(&self, span: Span) -> u32 {
        let file = &self.0[span.file];
        let own = self.line_at(span);
        let rest = file.text.get(file.lines[own]..).unwrap_or_default();
        let next = rest.split('\n').skip(1).position(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        to_u32(own + 2 + next.unwrap_or(0))
    }

    /// The line that the span begins in, and what of it the span covers.
    pub fn quote(&self, span: Span) -> Quoted<'_> {
        let file = &self.0[span.file];
        let start = file.lines[self.line_at(span)];
        let rest = file.text.get(start..).unwrap_or_default();
        let text = rest.split('\n').next().unwrap_or_default();
        let from = span.start.saturating_sub(start).min(text.len());
        let to = span.end.saturating_sub(start).clamp(from, text.len());
        Quoted { text, from, to }
    }
}

/// Text as it is hashed: no byte order mark, one kind of line end.
pub(crate) fn normal(text: &str) -> String {
    plain_lines(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn plain_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_survive_foreign_ends() {
        let mut files = Files::default();
        let file = files.add("m.yaml", "a: é\r\nb: ü x\r");
        let at = files.text(file).find('x').unwrap();
        let place = files.place(Span { file, start: at, end: at + 1 });
        assert_eq!(place.to_string(), "m.yaml:2:6");
        assert_eq!(files.quote(Span { file, start: at, end: at + 40 }).text, "b: ü x");
    }

    #[test]
    fn the_end_of_a_file_is_a_place() {
        let mut files = Files::default();
        let file = files.add("m.yaml", "");
        assert_eq!(files.place(Span { file, start: 0, end: 0 }).to_string(), "m.yaml:1:1");
        assert_eq!(files.quote(Span { file, start: 9, end: 12 }).text, "");
    }
}
