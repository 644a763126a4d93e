//! What a change of a secure view's text does to what its readers see.

use super::Reach;
use crate::names::RoleName;
use crate::secure_view::{SecureView, Shown};

/// A sentence that only the new description says.
pub(super) fn added(old: &SecureView, what: &str) -> Reach {
    if what.starts_with("column ") && what.ends_with(" hidden") {
        return Reach::Narrowed;
    }
    // Whoever reads the table itself sees fewer of its rows.
    if what.starts_with("filters ") {
        return Reach::Narrowed;
    }
    // The first line of `rows` takes rows away, each further one brings some.
    if is_row(what) && old.rows.is_empty() { Reach::Narrowed } else { Reach::Widened }
}

/// A sentence that only the old description says.
pub(super) fn removed(new: &SecureView, what: &str) -> Reach {
    let less = is_row(what) && !new.rows.is_empty()
        || what.starts_with("in ")
        || what.starts_with("read by ")
        || what.starts_with("every row of ")
        || what.starts_with("column ") && what.ends_with(" clear");
    if less { Reach::Narrowed } else { Reach::Widened }
}

fn is_row(what: &str) -> bool {
    what.starts_with("every row for ") || what.starts_with("rows where ")
}

/// A column that both describe, each otherwise.
pub(super) fn column(old: &SecureView, new: &SecureView, was: &str) -> Reach {
    let named = |view: &SecureView| {
        let mut columns = view.columns.iter().filter(|c| was.starts_with(&format!("column {} ", c.name)));
        let first = columns.next()?;
        columns.next().is_none().then(|| first.shown.clone())
    };
    match (named(old), named(new)) {
        (Some(old), Some(new)) if within(&new, &old) => Reach::Narrowed,
        _ => Reach::Widened,
    }
}

/// Whether nobody sees more of a column.
fn within(new: &Shown, old: &Shown) -> bool {
    let few = |few: &[RoleName], all: &[RoleName]| few.iter().all(|role| all.contains(role));
    match (new, old) {
        (Shown::Hidden, _) | (_, Shown::Clear) => true,
        (Shown::Clear, _) | (_, Shown::Hidden) => false,
        (
            Shown::Masked { mask, unless, to },
            Shown::Masked { mask: old_mask, unless: old_unless, to: old_to },
        ) => {
            mask == old_mask
                && few(unless, old_unless)
                && (old_to.is_empty() || !to.is_empty() && few(to, old_to))
        }
    }
}
