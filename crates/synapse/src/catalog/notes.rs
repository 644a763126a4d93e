//! Why parts of a catalog could not be seen, in words for people, and not more of them than people read.

use axon_reconcile::unseen::SEEN_AS_WHOLE;

/// The most notes that are spelled out.
const MOST: usize = 40;

#[derive(Debug, Default)]
pub(super) struct Notes {
    lines: Vec<String>,
    more: usize,
    /// Of these, those by which nothing is hidden.
    more_as_whole: usize,
}

impl Notes {
    pub(super) fn add(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < MOST {
            self.lines.push(line());
        } else {
            self.more += 1;
        }
    }

    /// A permission that is read as the whole, though it is less.
    pub(super) fn add_as_whole(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < MOST {
            self.lines.push(format!("{}: {SEEN_AS_WHOLE}", line()));
        } else {
            self.more_as_whole += 1;
        }
    }

    pub(super) fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more of the kind", self.more));
        }
        if self.more_as_whole > 0 {
            let more = self.more_as_whole;
            self.lines.push(format!("and {more} more permissions that leave out columns: {SEEN_AS_WHOLE}"));
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::unseen::hides;

    use super::*;

    #[test]
    fn notes_without_end_are_counted() {
        let mut notes = Notes::default();
        (0..1000).for_each(|i| notes.add(|| format!("note {i}")));
        let lines = notes.into_lines();
        assert_eq!(lines.len(), 41);
        assert_eq!(lines[40], "and 960 more of the kind");
    }

    #[test]
    fn what_hides_nothing_is_told_from_what_does_also_past_the_last_line() {
        let mut notes = Notes::default();
        (0..MOST).for_each(|i| notes.add_as_whole(|| format!("SELECT of r on t{i} leaves out c")));
        notes.add_as_whole(|| unreachable!("it is counted"));
        let lines = notes.into_lines();
        assert!(lines.len() == MOST + 1 && lines.iter().all(|line| !hides(line)), "{lines:?}");
        let mut notes = Notes::default();
        // A name that says the same words does not make a note harmless.
        notes.add(|| format!("principal {SEEN_AS_WHOLE:?} is left out: too long"));
        (0..MOST).for_each(|_| notes.add_as_whole(String::new));
        notes.add(|| unreachable!("it is counted"));
        let hiding: Vec<String> = notes.into_lines().into_iter().filter(|line| hides(line)).collect();
        assert_eq!(hiding.len(), 2, "{hiding:?}");
        assert_eq!(hiding[1], "and 1 more of the kind");
    }
}
