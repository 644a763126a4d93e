//! Why parts of a catalog could not be seen, in words for people, and not more of them than people read.

/// The most notes that are spelled out.
const MOST: usize = 40;

#[derive(Debug, Default)]
pub(super) struct Notes {
    lines: Vec<String>,
    more: usize,
}

impl Notes {
    pub(super) fn add(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < MOST {
            self.lines.push(line());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more of the kind", self.more));
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_without_end_are_counted() {
        let mut notes = Notes::default();
        (0..1000).for_each(|i| notes.add(|| format!("note {i}")));
        let lines = notes.into_lines();
        assert_eq!(lines.len(), 41);
        assert_eq!(lines[40], "and 960 more of the kind");
    }
}
