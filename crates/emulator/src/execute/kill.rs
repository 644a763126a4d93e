//! KILL.

use super::Run;
use crate::answer::ServerError;
use crate::catalog::permission::Action;
use crate::errors;

impl Run<'_> {
    /// Cuts another session. Running requests keep their rights until then.
    pub(super) fn kill(&mut self, session_id: &str) -> Result<(), ServerError> {
        let own = self.session.pool.lock().sessions.session_id(self.session.number);
        let session_id = session_id.trim();
        self.with_work(|work| {
            // A serverless pool names sessions by @@SPID.
            let by_spid = if work.serverless() { work.state.sessions.with_spid(session_id) } else { None };
            let session_id = by_spid.as_deref().unwrap_or(session_id);
            if !work.access().allows_database(Action::KillConnection) {
                return Err(errors::kill_denied());
            }
            if session_id.eq_ignore_ascii_case(&own) {
                return Err(errors::kill_self());
            }
            if work.state.sessions.kill(session_id) { Ok(()) } else { Err(errors::not_a_process(session_id)) }
        })?;
        self.done(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::answer::Answer;
    use crate::session_port::SessionPort;
    use crate::testing::{fails, number, ok, pool, sa};

    #[test]
    fn a_killed_session_is_cut_and_says_nothing_more() {
        let pool = pool();
        let (mut admin, mut victim) = (sa(&pool), sa(&pool));
        assert_eq!(
            fails(&mut admin, "KILL 'SID1'"),
            (6104, "Cannot use KILL to kill your own process.".to_owned())
        );
        assert_eq!(
            fails(&mut admin, "KILL 'SID99'"),
            (6106, "Process ID SID99 is not an active process ID.".to_owned())
        );
        let killed = victim.killed();
        assert!(!*killed.borrow());
        ok(&mut admin, &["KILL 'sid2';"]);
        assert!(*killed.borrow() && victim.closed());
        assert_eq!(victim.batch("SELECT 1 AS a"), [Answer::Hangup]);
        assert_eq!(number(&mut admin, "KILL 'SID2'"), 6106);
        assert_eq!(pool.live_sessions(), 1);
    }

    #[test]
    fn killing_takes_its_own_permission() {
        let pool = pool();
        let (mut admin, _victim) = (sa(&pool), sa(&pool));
        ok(&mut admin, &["CREATE USER u WITHOUT LOGIN", "EXECUTE AS USER = 'u'"]);
        assert_eq!(
            fails(&mut admin, "KILL 'SID2'"),
            (6102, "User does not have permission to use the KILL statement.".to_owned())
        );
        ok(
            &mut admin,
            &["REVERT", "GRANT KILL DATABASE CONNECTION TO u", "EXECUTE AS USER = 'u'", "KILL 'SID2'"],
        );
    }

    #[test]
    fn the_session_view_shows_who_is_in() {
        let pool = pool();
        let mut admin = sa(&pool);
        drop(sa(&pool));
        let answers = admin.batch(
            "SELECT session_id, status, login_name, app_name FROM sys.dm_pdw_exec_sessions ORDER BY session_id",
        );
        let rows: Vec<String> = answers
            .iter()
            .filter_map(|answer| match answer {
                Answer::Row(row) => Some(format!("{row:?}")),
                _ => None,
            })
            .collect();
        assert_eq!(rows.len(), 2, "{answers:?}");
        assert!(
            rows[0].contains("SID1") && rows[0].contains("ACTIVE") && rows[0].contains("\"sa\""),
            "{rows:?}"
        );
        assert!(rows[1].contains("SID2") && rows[1].contains("CLOSED"), "{rows:?}");
    }
}
