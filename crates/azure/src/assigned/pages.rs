//! The pages of a list as they were read last: reading one of them again tells cheaply whether somebody changed something.
//!
//! Neither the workspace nor Resource Manager has a mark of change for lists of assignments. A list of one page is told whole by that
//! page; of a longer one a page is read at a time, each in its turn.

use aws_lc_rs::digest::{Context, SHA256};
use time::{Duration, OffsetDateTime};

use super::place::Row;
use crate::entra::EntryKind;

/// How long pages are believed before all of it is read again: definitions and names change, too.
const WHOLE: Duration = Duration::minutes(30);

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageRead {
    digest: [u8; 32],
    /// What leads on from it.
    next: Option<String>,
}

impl PageRead {
    /// A page with these rows, in whatever order the service shows them.
    pub(crate) fn of(rows: &[Row], next: Option<&str>) -> Self {
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut context = Context::new(&SHA256);
        for row in rows {
            let kind: &[u8] = match row.kind {
                None => b"-",
                Some(EntryKind::User) => b"u",
                Some(EntryKind::Group) => b"g",
                Some(EntryKind::ServicePrincipal) => b"s",
            };
            let (role, principal) = (row.role.to_string(), row.principal.to_string());
            let condition: &[u8] = if row.conditional { b"c" } else { b"-" };
            let fields = [
                row.id.as_bytes(),
                role.as_bytes(),
                principal.as_bytes(),
                row.scope.as_bytes(),
                kind,
                condition,
            ];
            for field in fields {
                context.update(&field.len().to_le_bytes());
                context.update(field);
            }
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self { digest, next: next.map(str::to_owned) }
    }
}

/// All pages of a list, in order.
#[derive(Debug)]
pub(super) struct Pages {
    all: Vec<PageRead>,
    turn: usize,
    read: OffsetDateTime,
}

impl Pages {
    /// The pages of a list that was read at this instant.
    pub(super) fn new(pages: Vec<PageRead>, read: OffsetDateTime) -> Self {
        Self { all: pages, turn: 0, read }
    }

    /// Whether they tell anything at `now`.
    pub(super) fn are_believed(&self, now: OffsetDateTime) -> bool {
        !self.all.is_empty() && self.read <= now && now - self.read < WHOLE
    }

    /// What leads to the page whose turn it is; none leads to the first.
    pub(super) fn from(&self) -> Option<&str> {
        let before = self.turn.checked_sub(1)?;
        self.all.get(before)?.next.as_deref()
    }

    /// Whether the page whose turn it is reads as it did before. The next one's turn comes then.
    pub(super) fn reads_as_before(&mut self, seen: PageRead) -> bool {
        let Some(kept) = self.all.get_mut(self.turn) else { return false };
        // What leads on may be worded anew each time.
        if kept.digest != seen.digest || kept.next.is_some() != seen.next.is_some() {
            return false;
        }
        kept.next = seen.next;
        self.turn = (self.turn + 1) % self.all.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guid::Guid;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn row(n: u128) -> Row {
        Row {
            id: format!("row-{n}"),
            role: Guid::from_u128(n),
            principal: Guid::from_u128(7),
            kind: Some(EntryKind::Group),
            scope: "workspaces/acme".into(),
            conditional: false,
        }
    }

    #[test]
    fn each_field_of_a_row_counts_and_their_order_does_not() {
        let page = PageRead::of(&[row(1), row(2)], None);
        assert_eq!(page, PageRead::of(&[row(2), row(1)], None));
        assert_ne!(page, PageRead::of(&[row(1)], None));
        let others = [
            Row { id: "row-3".into(), ..row(2) },
            Row { role: Guid::from_u128(9), ..row(2) },
            Row { principal: Guid::from_u128(9), ..row(2) },
            Row { kind: None, ..row(2) },
            Row { scope: "workspaces/acme/credentials/c".into(), ..row(2) },
            Row { conditional: true, ..row(2) },
        ];
        for other in others {
            assert_ne!(page, PageRead::of(&[row(1), other.clone()], None), "{other:?}");
        }
    }

    #[test]
    fn pages_take_turns_and_are_believed_for_a_while() {
        let page = |n, next| PageRead::of(&[row(n)], next);
        let mut pages = Pages::new(vec![page(1, Some("a")), page(2, Some("b")), page(3, None)], NOW);
        assert!(pages.are_believed(NOW + WHOLE - Duration::SECOND));
        assert!(!pages.are_believed(NOW + WHOLE) && !pages.are_believed(NOW - Duration::SECOND));
        assert_eq!(pages.from(), None);
        assert!(pages.reads_as_before(page(1, Some("a2"))));
        assert_eq!(pages.from(), Some("a2"), "the newest wording leads on");
        assert!(pages.reads_as_before(page(2, Some("b"))));
        assert!(!pages.reads_as_before(page(3, Some("c"))), "there is a page more");
        assert!(pages.reads_as_before(page(3, None)));
        assert_eq!(pages.from(), None);
        assert!(!pages.reads_as_before(page(2, Some("a"))));
        assert!(!Pages::new(Vec::new(), NOW).are_believed(NOW));
    }
}
