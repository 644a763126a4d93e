//! What was dropped or changed in a body without refusing it: shown to the operator, never to the client.

use std::fmt;

use crate::error::quoted;

/// Most notices that one body gives; the rest are counted.
const MAX: usize = 32;

/// One thing that was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An attribute that no schema knows.
    UnknownAttribute(String),
    /// A schema URN that is not served.
    UnknownSchema(String),
    /// An attribute that only the server writes.
    ReadOnly(String),
    /// An attribute that is never stored, such as `password`.
    NeverStored(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAttribute(name) => write!(f, "unknown attribute {name} was dropped"),
            Self::UnknownSchema(urn) => write!(f, "unknown schema {urn} was dropped"),
            Self::ReadOnly(name) => write!(f, "readOnly attribute {name} was ignored"),
            Self::NeverStored(name) => write!(f, "attribute {name} was not stored"),
        }
    }
}

/// The notices of one request, bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    items: Vec<Notice>,
    more: usize,
}

impl Notices {
    /// The first notices, in the order in which they were made.
    pub fn items(&self) -> &[Notice] {
        &self.items
    }

    /// How many more there were.
    pub fn more(&self) -> usize {
        self.more
    }

    /// Was nothing dropped?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Keeps a notice about `name`, which is client text and gets shortened.
    pub(crate) fn note(&mut self, make: fn(String) -> Notice, name: &str) {
        if self.items.len() == MAX {
            self.more += 1;
            return;
        }
        let notice = make(quoted(name));
        if !self.items.contains(&notice) {
            self.items.push(notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_bounded_and_not_repeated() {
        let mut notices = Notices::default();
        for _ in 0..2 {
            notices.note(Notice::ReadOnly, "id");
        }
        assert_eq!(notices.items().len(), 1);
        for n in 0..100 {
            notices.note(Notice::UnknownAttribute, &n.to_string());
        }
        assert_eq!((notices.items().len(), notices.more()), (MAX, 69));
        assert_eq!(notices.items()[0].to_string(), "readOnly attribute 'id' was ignored");
    }
}
