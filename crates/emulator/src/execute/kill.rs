//! KILL.

use super::Run;
use crate::answer::ServerError;
use crate::catalog::permission::Action;
use crate::errors;

impl Run<'_> {
    /// Cuts another session. Running requests keep their rights until then.
    pub(super) fn kill(&mut self, session_id: &str) -> Result<(), ServerError> {
        let own = format!("SID{}", self.session.number);
        let session_id = session_id.trim();
        self.with_work(|work| {
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
