//! Sentences for people, and not more of them than people read.

/// The most that are spelled out.
const MOST: usize = 40;

#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    lines: Vec<String>,
    more: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, line: String) {
        if self.lines.contains(&line) {
            return;
        }
        if self.lines.len() < MOST { self.lines.push(line) } else { self.more += 1 }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.more += other.more;
        other.lines.into_iter().for_each(|line| self.add(line));
    }

    pub(crate) fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more of the kind", self.more));
        }
        self.lines
    }
}
