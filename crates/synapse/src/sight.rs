//! Whether we see the sessions of others in a serverless database. No page says which permission shows them there, and whoever may
//! not see them gets their own session and no error: so the server is asked, and what it shows counts. As long as nothing proves it,
//! who is in is unknown: no leaver counts as out, and nobody is dropped.

use axon_model::SqlName;
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

/// What the server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    at_server: Option<bool>,
    in_database: Option<bool>,
    logins: Option<i32>,
}

impl Asked {
    fn sight(self) -> Sight {
        if self.at_server == Some(true) || self.others() {
            Sight::Sees
        } else if self.in_database == Some(false) {
            Sight::Blind
        } else {
            Sight::Unproven
        }
    }

    fn others(self) -> bool {
        self.logins.is_some_and(|logins| logins > 1)
    }

    /// Why the sessions of others are not seen, if so. `catalog` is what its rows tell of our permissions. `shown` is whether somebody
    /// else was seen before by VIEW DATABASE STATE: as long as that is held, nobody needs to be in for it to be proved.
    pub(crate) fn blind(self, shown: &mut bool, own: SqlName, catalog: Option<String>) -> Option<String> {
        let held = self.in_database == Some(true);
        *shown = held && (*shown || self.others());
        if *shown || self.sight() == Sight::Sees {
            return None;
        }
        Some(catalog.unwrap_or_else(|| {
            format!(
                "whether {own} sees the sessions of others is not proven: nobody else's is shown in this serverless pool; let a Synapse \
                 SQL administrator run in master: GRANT VIEW SERVER STATE TO [the login that Axon enters with]"
            )
        }))
    }
}

/// Asks it over a session that is there.
pub(crate) async fn ask(session: &mut Session<'_>) -> Result<Asked, CallError> {
    let held = numbers(session, &render::own_sight()).await?;
    let held = |at: usize| held.get(at).copied().flatten().map(|held| held == 1);
    // What is held at the server shows all of them: nothing is to be counted.
    let counts = held(0) != Some(true);
    let logins = if counts { numbers(session, &render::logins_seen()).await? } else { Vec::new() };
    Ok(Asked { at_server: held(0), in_database: held(1), logins: logins.first().copied().flatten() })
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
            Ok(ask(&mut session).await?.sight())
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
            let asked = Asked { at_server, in_database, logins };
            assert_eq!(asked.sight(), sight, "{asked:?}");
        }
    }

    #[test]
    fn what_was_shown_once_stays_proved_as_long_as_the_permission_is_held() {
        let own = SqlName::parse("axon").unwrap();
        let mut shown = false;
        let mut blind = |in_database, logins| {
            let asked = Asked { at_server: Some(false), in_database, logins: Some(logins) };
            asked.blind(&mut shown, own, None)
        };
        let alone = blind(Some(true), 1).unwrap();
        assert!(alone.contains("GRANT VIEW SERVER STATE TO"), "{alone}");
        assert_eq!(blind(Some(true), 2), None);
        assert_eq!(blind(Some(true), 1), None, "nobody is in any more");
        assert!(blind(Some(false), 1).is_some(), "it was taken away");
        assert!(blind(Some(true), 1).is_some(), "and is there again, which proves nothing");
        assert_eq!(blind(None, 2), None, "what is shown counts");
        assert!(blind(None, 1).is_some(), "and is not remembered where it is not known what is held");
    }

    #[test]
    fn what_the_catalog_says_is_lacking_is_said_first() {
        let asked = Asked { at_server: Some(false), in_database: Some(false), logins: Some(1) };
        let says = asked.blind(&mut false, SqlName::parse("axon").unwrap(), Some("grant it that".into()));
        assert_eq!(says.as_deref(), Some("grant it that"));
        // VIEW SERVER STATE shows them whatever the database's own catalog tells.
        let asked = Asked { at_server: Some(true), ..asked };
        assert_eq!(
            asked.blind(&mut false, SqlName::parse("axon").unwrap(), Some("grant it that".into())),
            None
        );
    }
}
