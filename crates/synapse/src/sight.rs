//! Whether we see the sessions of others in a serverless database. No page says which permission shows them there, and whoever may
//! not see them gets their own session and no error: so the server is asked, and what it shows counts.

use axon_reconcile::TargetError;

use crate::connect::{Link, Session};
use crate::error::CallError;
use crate::render::{self, Query};
use crate::statement::Dialect;
use crate::target::SynapseTarget;

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// VIEW SERVER STATE is held, or a session of somebody else was seen.
    Sees,
    /// Neither VIEW SERVER STATE nor VIEW DATABASE STATE is held.
    Blind,
    /// VIEW DATABASE STATE is held, or nothing tells; and no session of anybody else was seen.
    Unproven,
}

impl Sight {
    fn of(at_server: Option<bool>, in_database: Option<bool>, logins: Option<i32>) -> Self {
        if at_server == Some(true) || logins.is_some_and(|logins| logins > 1) {
            Self::Sees
        } else if in_database == Some(false) {
            Self::Blind
        } else {
            Self::Unproven
        }
    }
}

impl SynapseTarget {
    /// Asks it over a connection of its own. None where it is no serverless database: there the catalog tells.
    pub async fn sight(&self) -> Result<Option<Sight>, TargetError> {
        if self.dialect() != Dialect::Serverless {
            return Ok(None);
        }
        let link = Link::new(self.connection().clone());
        let asked = async {
            let mut session = link.session().await?;
            let held = numbers(&mut session, &render::own_sight()).await?;
            let logins = numbers(&mut session, &render::logins_seen()).await?;
            let held = |at: usize| held.get(at).copied().flatten().map(|held| held == 1);
            Ok(Sight::of(held(0), held(1), logins.first().copied().flatten()))
        };
        asked
            .await
            .map(Some)
            .map_err(|e: CallError| e.at(self.name(), "the question whose sessions are seen"))
    }
}

/// The numbers of one row; none where the question is refused.
async fn numbers(session: &mut Session<'_>, query: &Query) -> Result<Vec<Option<i32>>, CallError> {
    let mut found = Vec::new();
    let read = session
        .read(query, &mut |_, row| {
            for at in 0..row.len() {
                found.push(row.try_get::<i32, _>(at).map_err(|e| e.to_string())?);
            }
            Ok(())
        })
        .await;
    match read {
        Ok(()) => Ok(found),
        Err(CallError::Refused { .. }) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_counts_before_what_is_held() {
        let (yes, no) = (Some(true), Some(false));
        for (at_server, in_database, logins, sight) in [
            (yes, no, None, Sight::Sees),
            (no, no, Some(2), Sight::Sees),
            (None, None, Some(3), Sight::Sees),
            (no, no, Some(1), Sight::Blind),
            (None, no, None, Sight::Blind),
            (no, yes, Some(1), Sight::Unproven),
            (None, None, None, Sight::Unproven),
        ] {
            assert_eq!(
                Sight::of(at_server, in_database, logins),
                sight,
                "{at_server:?} {in_database:?} {logins:?}"
            );
        }
    }
}
